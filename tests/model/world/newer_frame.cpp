#include "tests/model/world/newer_frame.h"

#include <array>

namespace culvert::model {
namespace {

constexpr auto kValues = std::to_array<std::string_view>(
    {"null", "7", "true", "\"text\"", "[]", "{}", R"([{"id":1},"}"])", R"({"deep":{"deeper":[[]]}})"});
constexpr std::string_view kResources = R"("resources":[)";
constexpr std::string_view kUnknownResource =
    R"({"type":"warp","id":"3f1f9bd0-6b33-4d59-94ab-0f8b2d2a7c5e","name":"later","gateway_groups":[]})";

bool has_more(std::string_view rest, char end) {
    const auto next = rest.find_first_not_of(" \n");
    return next != std::string_view::npos && rest[next] != end;
}

}  // namespace

std::string make_newer(std::string_view frame, Rng& rng) {
    std::string text;
    bool is_in_string = false;
    for (std::size_t i = 0; i < frame.size(); ++i) {
        const char c = frame[i];
        text += c;
        if (is_in_string) {
            if (c == '\\' && i + 1 < frame.size()) {
                text += frame[++i];
            } else {
                is_in_string = c != '"';
            }
            continue;
        }
        is_in_string = c == '"';
        const auto rest = frame.substr(i + 1);
        if (c == '{' && has_more(rest, '}') && rng.below(2) == 0) {
            text += "\"x_later\":";
            text += kValues[rng.below(kValues.size())];
            text += ',';
        } else if (c == '[' && text.ends_with(kResources)) {
            text += kUnknownResource;
            text += has_more(rest, ']') ? "," : "";
        }
    }
    return text;
}

}  // namespace culvert::model
