#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culvert::portal_api {

/// What a portal says with a refusal to connect (problem JSON). Source: spec/newer-dialect.md section 3.1.
struct RefusalBody {
    std::string code;    ///< for programs; empty if there is none
    std::string detail;  ///< for people; the title if there is no detail

    friend bool operator==(const RefusalBody&, const RefusalBody&) = default;
};

/// nullopt: it is no problem JSON, as of older portals and of whatever stands before a portal.
[[nodiscard]] std::optional<RefusalBody> parse_refusal_body(std::string_view body);

}  // namespace culvert::portal_api
