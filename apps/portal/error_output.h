#pragma once

#include <string>
#include <string_view>

/// What the program says to a person when something is wrong.
namespace culvert::portal_server {

constexpr int kFailure = 1;

/// Writes one line to standard error and returns `code`. Nothing in it acts on a terminal, and whatever looks like a
/// token is left out: people put tokens in the wrong place, and what programs say ends up in logs.
int fail(std::string_view what, int code = kFailure);

/// `text` with `[a token]` in place of what looks like one.
[[nodiscard]] std::string without_tokens(std::string_view text);

}  // namespace culvert::portal_server
