#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "culvert/portal/configuration_value.h"
#include "culvert/portal/policy_conditions.h"

/// Conditions as JSON: in files, in the REST API, in the database.
namespace culvert::portal {

namespace fields {

/// A list of {"property", "operator", "values"}. Throws ConfigurationProblem, which names the place within the list.
[[nodiscard]] PolicyConditions policy_conditions(const ConfigurationValue& value);

}  // namespace fields

[[nodiscard]] boost::json::array to_json(const PolicyConditions& conditions);

/// The same as text: equal if and only if the conditions are.
[[nodiscard]] std::string to_text(const PolicyConditions& conditions);
/// Throws std::invalid_argument, if to_text() did not write it.
[[nodiscard]] PolicyConditions conditions_from_text(std::string_view text);

}  // namespace culvert::portal
