#pragma once

#include <string_view>
#include <vector>

#include "tests/model/scenario/action.h"

/// What a run of many cases must have done: every action, and every kind of those of which there are kinds.
namespace culvert::model {

/// "action attack", and "attack replay".
[[nodiscard]] std::vector<std::string_view> features_of(const Action& action);
/// All of the first sort, and all of the second.
[[nodiscard]] std::vector<std::string_view> all_action_features();
[[nodiscard]] std::vector<std::string_view> all_kind_features();

}  // namespace culvert::model
