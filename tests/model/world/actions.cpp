#include "model/world/actions.h"

#include <array>
#include <string>

#include "model/scenario/shape.h"
#include "model/world/world.h"

namespace culvert::model {
namespace {

/// "action crash"
std::string_view feature_of(const Action& action) {
    static const auto features = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array{("action " + std::string{kShape<std::variant_alternative_t<I, Action>>.name})...};
    }(std::make_index_sequence<std::variant_size_v<Action>>{});
    return features[action.index()];
}

}  // namespace

Actions::Actions(World& world) : world_{world}, forge_rng_{world.rng("forge")} {}

void Actions::take(const Step& step) {
    const bool is_effective = std::visit([this](const auto& action) { return apply(action); }, step.action);
    if (is_effective) {
        world_.verdict_.count(feature_of(step.action));
    }
    world_.observe(ActionTaken{step, is_effective});
    world_.route_portal_outputs();
}

}  // namespace culvert::model
