#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace culvert::model {

/// A line of a product's debug_snapshot(): one thing, how deep it is nested, and its fields in order.
struct StateLine {
    std::size_t depth = 0;
    std::string_view name;
    std::vector<std::pair<std::string_view, std::string_view>> fields;

    /// Empty if the line has no such field. Of values with spaces in them only the first word.
    [[nodiscard]] std::string_view operator[](std::string_view key) const;
};

/// Refers to `text`.
[[nodiscard]] std::vector<StateLine> read_state(std::string_view text);

}  // namespace culvert::model
