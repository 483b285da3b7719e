#pragma once

#include <string>
#include <vector>

namespace culvert::portal_server {

using TableRow = std::vector<std::string>;

/// Rows under each other, in columns as wide as they need to be. Nothing in them reaches a terminal that could act on
/// it;
/// "-" stands for what is empty.
[[nodiscard]] std::string align(std::vector<TableRow> rows);

}  // namespace culvert::portal_server
