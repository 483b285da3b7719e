#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/admin/handlers.h"

namespace culvert::admin {

/// Who may use a route.
enum class Access : std::uint8_t {
    kEverybody,
    /// Administrators, and programs with a token.
    kAdministratorsAndPrograms,
    /// Who signed in by a browser: what a token must not be able to bring about.
    kAdministrators,
};

struct Route {
    std::string_view method;
    /// Parts that begin with a colon stand for anything.
    std::string_view pattern;
    Access access = Access::kAdministratorsAndPrograms;
    Answer (*handler)(Call&) = nullptr;
};

/// All there are; PUT and PATCH of objects are alike.
[[nodiscard]] std::span<const Route> routes();

/// What a path leads to.
struct RouteMatch {
    /// nullptr: there is something, but not for this method.
    const Route* route = nullptr;
    std::vector<std::string> parameters;
    std::string_view wrapper;
    /// "GET, POST".
    std::string allowed;
};
/// nullopt: there is nothing.
[[nodiscard]] std::optional<RouteMatch> find_route(std::string_view method, std::string_view path);

}  // namespace culvert::admin
