#include "tests/model/world/actions.h"

#include "tests/model/scenario/features.h"
#include "tests/model/world/world.h"

namespace culvert::model {
Actions::Actions(World& world) : world_{world}, forge_rng_{world.rng("forge")} {}

void Actions::take(const Step& step) {
    const bool is_effective = std::visit([this](const auto& action) { return apply(action); }, step.action);
    if (is_effective) {
        for (const auto feature : features_of(step.action)) {
            world_.verdict_.count(feature);
        }
    }
    world_.observe(ActionTaken{step, is_effective});
    world_.route_portal_outputs();
}

}  // namespace culvert::model
