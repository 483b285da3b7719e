#pragma once

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "culvert/portal/configuration_value.h"

namespace culvert::admin {

/// The object that a request's body wraps, field by field. What is wrong is gathered, so that all of it is told at
/// once.
class Input {
public:
    /// Throws ApiProblem if `body` is no object that has one under `wrapper`.
    Input(const boost::json::value& body, std::string_view wrapper);

    /// Whether the field was sent, be it null.
    [[nodiscard]] bool has(std::string_view field) const { return find(field) != nullptr; }
    [[nodiscard]] bool is_null(std::string_view field) const;

    /// Gives the field's value to `use`, if there is one. `use` throws portal::ConfigurationProblem for a wrong one.
    template <std::invocable<const portal::ConfigurationValue&> Use>
    void read(std::string_view field, const Use& use) {
        const auto* value = find(field);
        if (value == nullptr || value->is_null()) {
            return;
        }
        try {
            use(portal::ConfigurationValue{*value, ""});
        } catch (const portal::ConfigurationProblem& problem) {
            fail(field, without_place(problem.text));
        }
    }
    /// The same; a field that was not sent, or that is null, is wrong.
    template <std::invocable<const portal::ConfigurationValue&> Use>
    void require(std::string_view field, const Use& use) {
        if (!has(field) || is_null(field)) {
            fail(field, "can't be blank");
        }
        read(field, use);
    }
    /// The same for what must be there in new objects, and may be left as it is in others, but may not be taken away.
    template <std::invocable<const portal::ConfigurationValue&> Use>
    void read_or_require(bool is_new, std::string_view field, const Use& use) {
        is_new || has(field) ? require(field, use) : read(field, use);
    }

    void fail(std::string_view field, std::string message) {
        errors_[std::string{field}].push_back(std::move(message));
    }
    /// Throws ApiProblem if anything is wrong.
    void check() const;

private:
    [[nodiscard]] const boost::json::value* find(std::string_view field) const;
    static std::string without_place(const std::string& text);

    const boost::json::object* fields_ = nullptr;
    std::map<std::string, std::vector<std::string>> errors_;
};

}  // namespace culvert::admin
