#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"

/// Cookies of browsers that sign somebody in: random secrets, sent by no page of others.
namespace culvert::sign_in {

/// Which browser has a form open.
inline constexpr std::string_view kFormCookie = "culvert_sign_in";
/// Who has just signed in, until the app has taken over.
inline constexpr std::string_view kHandoverCookie = "culvert_signed_in";

[[nodiscard]] std::string new_browser_secret(Rng& rng);

/// In a Cookie header; empty: there is none that could be ours.
[[nodiscard]] std::string_view browser_secret_in(std::string_view cookies, std::string_view name);

/// A Set-Cookie header; an empty secret takes the cookie away.
[[nodiscard]] std::string set_browser_secret(std::string_view name, std::string_view secret,
                                             std::chrono::seconds lifetime, bool is_https);

}  // namespace culvert::sign_in
