#include "culvert/portal/configuration_value.h"

#include <algorithm>

#include <boost/json.hpp>

#include "culvert/base/printable.h"
#include "culvert/portal/text.h"

namespace culvert::portal {

void ConfigurationValue::fail(const std::string& what) const {
    throw ConfigurationProblem{(place_.empty() ? "top level" : place_) + ": " + what};
}

void ConfigurationValue::check_keys(std::initializer_list<std::string_view> keys) const {
    if (!value_->is_object()) {
        fail("must be an object");
    }
    for (const auto& member : value_->get_object()) {
        const std::string_view key{member.key().data(), member.key().size()};
        if (std::ranges::count(keys, key) == 0) {
            std::string known;
            for (const auto& name : keys) {
                known += (known.empty() ? "" : ", ") + std::string{name};
            }
            fail("unknown key \"" + std::string{key} + "\" (known: " + known + ")");
        }
    }
}

std::optional<ConfigurationValue> ConfigurationValue::find(std::string_view key) const {
    const auto* member = value_->get_object().if_contains({key.data(), key.size()});
    if (member == nullptr || member->is_null()) {
        return std::nullopt;
    }
    return ConfigurationValue{*member, (place_.empty() ? "" : place_ + ".") + std::string{key}};
}

ConfigurationValue ConfigurationValue::get(std::string_view key) const {
    auto member = find(key);
    if (!member) {
        fail("\"" + std::string{key} + "\" is missing");
    }
    return *std::move(member);
}

std::vector<ConfigurationValue> ConfigurationValue::items() const {
    if (!value_->is_array()) {
        fail("must be a list");
    }
    std::vector<ConfigurationValue> values;
    for (const auto& item : value_->get_array()) {
        values.emplace_back(item, place_ + "[" + std::to_string(values.size()) + "]");
    }
    return values;
}

std::string ConfigurationValue::text(std::size_t shortest, std::size_t longest) const {
    if (!value_->is_string()) {
        fail(value_->is_number() ? "must be a string: write \"" + boost::json::serialize(*value_) + "\""
                                 : "must be a string");
    }
    const auto view = trim({value_->get_string().data(), value_->get_string().size()});
    const auto characters = count_characters(view);
    if (characters < shortest || characters > longest) {
        fail("must have " + std::to_string(shortest) + " to " + std::to_string(longest) + " characters");
    }
    if (!is_printable(view)) {
        fail("must not have control characters or marks that turn the direction of writing");
    }
    return std::string{view};
}

bool ConfigurationValue::boolean() const {
    if (!value_->is_bool()) {
        fail("must be true or false");
    }
    return value_->get_bool();
}

std::int64_t ConfigurationValue::number(std::int64_t least, std::int64_t most) const {
    const auto* number = value_->if_int64();
    if (number == nullptr || *number < least || *number > most) {
        fail("must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return *number;
}

}  // namespace culvert::portal
