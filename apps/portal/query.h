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

/// Replaces everything but printable ASCII, which is all that a User-Agent may have.
[[nodiscard]] std::string printable_ascii(std::string_view text);

}  // namespace culvert::portal_server
