#include "culvert/admin/problem.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <boost/json.hpp>

namespace culvert::admin {
namespace {

namespace json = boost::json;

constexpr std::array<std::pair<unsigned, std::string_view>, 12> kTitles = {{{400, "Bad Request"},
                                                                            {401, "Unauthorized"},
                                                                            {403, "Forbidden"},
                                                                            {404, "Not Found"},
                                                                            {405, "Method Not Allowed"},
                                                                            {409, "Conflict"},
                                                                            {412, "Precondition Failed"},
                                                                            {413, "Content Too Large"},
                                                                            {415, "Unsupported Media Type"},
                                                                            {422, "Unprocessable Content"},
                                                                            {429, "Too Many Requests"},
                                                                            {503, "Service Unavailable"}}};

std::string_view title_of(unsigned status) {
    const auto found = std::ranges::find(kTitles, status, &std::pair<unsigned, std::string_view>::first);
    return found == kTitles.end() ? "Internal Server Error" : found->second;
}

}  // namespace

http::Response to_response(const ApiProblem& problem) {
    const auto title = title_of(problem.status);
    json::object body{{"type", "about:blank"},
                      {"status", problem.status},
                      {"title", json::string_view{title.data(), title.size()}},
                      {"detail", problem.detail},
                      {"code", problem.code}};
    if (!problem.errors.empty()) {
        json::object errors;
        for (const auto& [field, messages] : problem.errors) {
            errors[field] = json::array(messages.begin(), messages.end());
        }
        body["errors"] = std::move(errors);
    }
    return {.status = problem.status,
            .body = json::serialize(body),
            .content_type = "application/problem+json",
            .retry_after = problem.retry_after};
}

}  // namespace culvert::admin
