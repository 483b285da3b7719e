#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/portal/configuration_value.h"
#include "culvert/portal/text.h"

namespace culvert::admin {

/// Lists are in the order of names, be their letters large or small.
template <typename Row>
[[nodiscard]] std::string sort_key(const Row& row) {
    std::string key = row.name;
    for (auto& c : key) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    return key;
}

/// Where the row stands in such a list; nullopt: its name does not have `text` in it.
inline constexpr auto by_name = []<typename Row>(const Row& row, std::string_view text) -> std::optional<std::string> {
    return portal::contains_text(row.name, text) ? std::optional{sort_key(row)} : std::nullopt;
};

/// Refuses a name that another row has: a file for `apply` tells things apart by their names.
template <typename Id, typename Row>
void require_free_name(const portal::ConfigurationValue& value, const std::map<Id, Row>& rows, const Row& row) {
    for (const auto& [id, other] : rows) {
        if (id != row.id && other.name == row.name) {
            value.fail("has already been taken");
        }
    }
}

}  // namespace culvert::admin
