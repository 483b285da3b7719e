#include "model/world/actions.h"

#include "model/world/world.h"

namespace culvert::model {

Actions::Actions(World& world) : world_{world}, forge_rng_{world.rng("forge")} {}

void Actions::take(const Step& step) {
    const bool is_effective = std::visit([this](const auto& action) { return apply(action); }, step.action);
    world_.observe(ActionTaken{step, is_effective});
    world_.route_portal_outputs();
}

}  // namespace culvert::model
