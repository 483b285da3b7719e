#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culvert/http/message.h"

namespace culvert::admin {

/// Why a request is refused (RFC 9457). Thrown by handlers: there is one way out from any depth.
struct ApiProblem {
    unsigned status = 400;
    /// For programs: "not_found".
    std::string code;
    /// For people: what is wrong, and what to do.
    std::string detail;
    /// By field.
    std::map<std::string, std::vector<std::string>> errors = {};
    std::optional<std::chrono::seconds> retry_after = std::nullopt;
};

[[nodiscard]] http::Response to_response(const ApiProblem& problem);

[[nodiscard]] inline ApiProblem not_found() {
    return {404, "not_found", "There is no such thing here."};
}
[[nodiscard]] inline ApiProblem not_signed_in() {
    return {401, "not_signed_in", "Sign in first."};
}
[[nodiscard]] inline ApiProblem too_many(std::chrono::seconds wait) {
    return {.status = 429,
            .code = "too_many_requests",
            .detail = "Too many requests. Try again later.",
            .retry_after = wait};
}
[[nodiscard]] inline ApiProblem conflict(std::string detail) {
    return {409, "conflict", std::move(detail)};
}
[[nodiscard]] inline ApiProblem bad_request(std::string detail) {
    return {400, "bad_request", std::move(detail)};
}

}  // namespace culvert::admin
