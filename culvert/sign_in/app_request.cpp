#include "culvert/sign_in/app_request.h"

#include <algorithm>

#include "culvert/sign_in/constants.h"
#include "culvert/sign_in/form_fields.h"

namespace culvert::sign_in {
namespace {

/// Apps send hexadecimal digits. A dot would end the nonce of a token early.
bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

bool is_state(std::string_view text) {
    return !text.empty() && text.size() <= kMaxState && is_plain(text);
}
bool is_nonce(std::string_view text) {
    return !text.empty() && text.size() <= kMaxNonce && is_plain(text);
}

}  // namespace

std::expected<AppRequest, std::string> AppRequest::parse(
    const std::function<const std::string*(std::string_view)>& find) {
    const auto* as = find("as");
    if (as == nullptr || (*as != "client" && *as != "gui-client" && *as != "headless-client")) {
        return std::unexpected{"The address does not say which kind of app asks."};
    }
    AppRequest request{.as = *as};
    if (request.is_headless()) {
        return request;
    }
    const auto* state = find("state");
    const auto* nonce = find("nonce");
    if (state == nullptr || nonce == nullptr || !is_state(*state) || !is_nonce(*nonce)) {
        return std::unexpected{"The address is incomplete: apps put \"state\" and \"nonce\" into it."};
    }
    request.state = *state;
    request.nonce = *nonce;
    return request;
}

std::string AppRequest::to_query() const {
    return is_headless() ? "as=" + as : "as=" + as + "&state=" + state + "&nonce=" + nonce;
}

std::string DeepLink::to_uri() const {
    return "firezone-fd0020211111://handle_client_sign_in_callback?account_name=" + percent_encode(account_name) +
           "&account_slug=" + percent_encode(account_slug) + "&actor_name=" + percent_encode(actor_name) +
           "&fragment=" + percent_encode(fragment) + "&identity_provider_identifier=" + percent_encode(identifier) +
           "&state=" + percent_encode(state);
}

std::optional<std::string> sign_out_uri(std::string_view state) {
    if (!is_state(state)) {
        return std::nullopt;
    }
    return "firezone://handle_client_sign_out_callback?state=" + percent_encode(state);
}

}  // namespace culvert::sign_in
