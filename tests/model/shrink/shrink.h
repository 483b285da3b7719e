#pragma once

#include <functional>
#include <string_view>

#include "tests/model/scenario/action.h"

namespace culvert::model {

/// A smaller scenario for which `still_fails` holds as it does for `failing`: fewer steps, simpler fields, fewer things
/// in the setup, shorter times, until nothing of that is possible or `max_runs` candidates were tried.
///
/// Deterministic if `still_fails` is. `progress` is called with a line for a person whenever a candidate was accepted.
/// Candidates never speak about things that do not exist.
[[nodiscard]] Scenario shrink(Scenario failing, const std::function<bool(const Scenario&)>& still_fails,
                              const std::function<void(std::string_view)>& progress, unsigned max_runs);

}  // namespace culvert::model
