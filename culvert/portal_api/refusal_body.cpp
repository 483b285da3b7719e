#include "culvert/portal_api/refusal_body.h"

#include <boost/json/object.hpp>

#include "culvert/portal_api/json_document.h"

namespace culvert::portal_api {
namespace {

constexpr std::size_t kMaxSize = std::size_t{64} * 1024;
constexpr std::size_t kMaxDepth = 8;

std::string text_at(const json::object& problem, std::string_view key) {
    const auto* value = problem.if_contains(key);
    if (value == nullptr || !value->is_string()) {
        return {};
    }
    const auto& text = value->get_string();
    return {text.data(), text.size()};
}

}  // namespace

std::optional<RefusalBody> parse_refusal_body(std::string_view body) {
    JsonDocument document;
    const auto root = document.parse(body, kMaxSize, kMaxDepth);
    if (!root) {
        return std::nullopt;
    }
    const auto& problem = (*root)->get_object();
    RefusalBody refusal{.code = text_at(problem, "code"), .detail = text_at(problem, "detail")};
    if (refusal.detail.empty()) {
        refusal.detail = text_at(problem, "title");
    }
    return refusal.code.empty() && refusal.detail.empty() ? std::nullopt : std::optional{std::move(refusal)};
}

}  // namespace culvert::portal_api
