#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/value.hpp>

namespace culvert::portal {

/// What is wrong with a configuration and where, for a person. Thrown by ConfigurationValue, and caught by whoever
/// parses: there is one way out from any depth.
struct ConfigurationProblem {
    std::string text;
};

/// A value of a configuration's JSON and where it stands, for errors. Refers to the document.
class ConfigurationValue {
public:
    ConfigurationValue(const boost::json::value& value, std::string place) : value_{&value}, place_{std::move(place)} {}

    [[noreturn]] void fail(const std::string& what) const;

    /// Refuses what is no object, and keys that are not in `keys`.
    void check_keys(std::initializer_list<std::string_view> keys) const;

    /// The member with that name; nullopt if it is absent or null. Requires an object, as get() does.
    [[nodiscard]] std::optional<ConfigurationValue> find(std::string_view key) const;
    [[nodiscard]] ConfigurationValue get(std::string_view key) const;

    [[nodiscard]] std::vector<ConfigurationValue> items() const;
    /// Trimmed, with at least `shortest` and at most `longest` characters.
    [[nodiscard]] std::string text(std::size_t shortest, std::size_t longest) const;
    [[nodiscard]] bool boolean() const;
    /// A whole number within these bounds.
    [[nodiscard]] std::int64_t number(std::int64_t least, std::int64_t most) const;

    /// `result` or its error, with this place in front.
    template <typename T>
    [[nodiscard]] T checked(std::expected<T, std::string> result) const {
        if (!result) {
            fail(std::move(result).error());
        }
        return *std::move(result);
    }

    template <typename T, std::size_t N>
    [[nodiscard]] T one_of(const std::array<std::pair<std::string_view, T>, N>& choices) const {
        const auto chosen = text(0, 255);
        std::string known;
        for (const auto& [name, value] : choices) {
            if (chosen == name) {
                return value;
            }
            known += (known.empty() ? "" : ", ") + std::string{name};
        }
        fail("\"" + chosen + "\" is not one of " + known);
    }

private:
    const boost::json::value* value_;
    std::string place_;
};

}  // namespace culvert::portal
