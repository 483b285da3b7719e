#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace culvert::portal_server {

/// A request target in parts.
struct Target {
    std::string path;
    /// Decoded (application/x-www-form-urlencoded), in order.
    std::vector<std::pair<std::string, std::string>> parameters;
};

/// nullopt for a broken escape, for text that is not UTF-8 and for NUL characters: nothing good has those.
[[nodiscard]] std::optional<Target> parse_target(std::string_view text);

/// The parameters of a login whose token came in the header `X-Authorization: Bearer TOKEN`, which later generations of
/// devices send and which counts more than a token in the query. `header` is empty if there was none.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> with_header_token(
    std::vector<std::pair<std::string, std::string>> parameters, std::string_view header);

/// Replaces everything but printable ASCII, which is all that a User-Agent may have.
[[nodiscard]] std::string printable_ascii(std::string_view text);

}  // namespace culvert::portal_server
