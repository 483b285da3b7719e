#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace culvert::sign_in {

/// What an app asks the browser for (spec/newer-dialect.md section 14).
struct AppRequest {
    /// "client", "gui-client" or "headless-client".
    std::string as;
    /// Of apps that are opened by a link: what the link must bring back, and the beginning of the token, which the
    /// portal does not keep.
    std::string state = {};
    std::string nonce = {};

    /// `find` gives a parameter's value, or nullptr. The error is for a person.
    [[nodiscard]] static std::expected<AppRequest, std::string> parse(
        const std::function<const std::string*(std::string_view)>& find);

    /// Whether the person takes the token there himself.
    [[nodiscard]] bool is_headless() const { return as == "headless-client"; }

    /// "as=…&state=…&nonce=…", for a link.
    [[nodiscard]] std::string to_query() const;

    friend bool operator==(const AppRequest&, const AppRequest&) = default;
};

/// Where an app is told that somebody has signed in (spec/portal-protocol.md section 13.3).
struct DeepLink {
    std::string account_name;
    std::string account_slug;
    std::string actor_name;
    std::string fragment;
    std::string identifier;
    std::string state;

    [[nodiscard]] std::string to_uri() const;
};

/// And out; another scheme, which is no mistake (spec/portal-product.md section 5.4). nullopt: no app sends that.
[[nodiscard]] std::optional<std::string> sign_out_uri(std::string_view state);

}  // namespace culvert::sign_in
