#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace culvert::sign_in {

/// What a form sends, decoded, in order.
class FormFields {
public:
    /// application/x-www-form-urlencoded. nullopt for a broken escape, for what is not UTF-8, and for more fields than
    /// any form of ours has.
    [[nodiscard]] static std::optional<FormFields> parse(std::string_view body);

    /// nullptr: it is not there, or more than once, which no form of ours does.
    [[nodiscard]] const std::string* find(std::string_view name) const;

    /// The same, empty if there is none.
    [[nodiscard]] std::string_view get(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

/// For a place in a URL: everything but letters, digits and "-._~" as %XX.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace culvert::sign_in
