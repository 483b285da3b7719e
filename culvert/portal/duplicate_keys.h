#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culvert::portal {

/// Where in a JSON document an object has the same key twice, such as `sites[0].name`: a parser that keeps the document
/// silently drops one of the two. nullopt if nowhere, or nowhere before the first syntax error.
[[nodiscard]] std::optional<std::string> find_duplicate_key(std::string_view json);

}  // namespace culvert::portal
