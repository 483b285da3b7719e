#pragma once

#include "tests/model/scenario/action.h"

/// Scenarios without something: steps and policies that speak about it go as well, and what has a higher number among
/// its kind moves up.
namespace culvert::model {

[[nodiscard]] Scenario without(Scenario scenario, ClientNo client);
[[nodiscard]] Scenario without(Scenario scenario, GatewayNo gateway);
[[nodiscard]] Scenario without(Scenario scenario, RelayNo relay);
[[nodiscard]] Scenario without(Scenario scenario, ResourceNo resource);
/// Its gateways go, too.
[[nodiscard]] Scenario without(Scenario scenario, SiteNo site);
[[nodiscard]] Scenario without(Scenario scenario, GroupNo group);

}  // namespace culvert::model
