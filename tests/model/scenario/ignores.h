#pragma once

#include <concepts>

namespace culvert::model {

template <typename Kind, typename... Kinds>
concept OneOf = (std::same_as<Kind, Kinds> || ...);

/// For `overloaded`: kinds of an observation, action or message that a judge has decided to ignore. There is no
/// catch-all, so that a new kind does not compile until every judge has decided.
template <typename... Kinds>
inline constexpr auto ignores = []<OneOf<Kinds...> Kind>(const Kind&) {};

}  // namespace culvert::model
