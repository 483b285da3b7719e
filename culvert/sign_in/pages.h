#pragma once

#include <string>
#include <string_view>

#include "culvert/http/message.h"

/// The pages on which people sign in: plain HTML without scripts, which any browser shows and any screen reader reads.
/// Whatever is put into them is escaped.
namespace culvert::sign_in::pages {

/// Where the style sheet is.
inline constexpr std::string_view kStylePath = "/sign_in/style.css";
[[nodiscard]] http::Response style_sheet();

struct FormPage {
    std::string account_name;
    /// Where the form goes.
    std::string action;
    bool is_headless = false;
    // What goes with it, unseen.
    std::string as;
    std::string state;
    std::string nonce;
    std::string seal;
    /// What was entered before.
    std::string email = {};
    /// What is wrong; empty: nothing yet.
    std::string problem = {};
};
[[nodiscard]] http::Response form(unsigned status, const FormPage& page);

/// The app is opened, by itself or by a click. `link` leads there.
[[nodiscard]] http::Response handover(const std::string& actor_name, const std::string& account_name,
                                      const std::string& link);

/// The token to copy.
[[nodiscard]] http::Response token(const std::string& actor_name, const std::string& account_name,
                                   const std::string& token, const std::string& expires_at);

/// Something to read and nothing to do.
[[nodiscard]] http::Response notice(unsigned status, const std::string& title, const std::string& text);

}  // namespace culvert::sign_in::pages
