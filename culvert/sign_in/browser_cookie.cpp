#include "culvert/sign_in/browser_cookie.h"

#include <algorithm>

#include "culvert/base/base64.h"

namespace culvert::sign_in {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretCharacters = 43;

bool is_secret(std::string_view text) {
    return text.size() == kSecretCharacters && from_base64(text, Base64::kUrlNoPadding).has_value();
}

}  // namespace

std::string new_browser_secret(Rng& rng) {
    return to_base64(rng.array<kSecretBytes>(), Base64::kUrlNoPadding);
}

std::string_view browser_secret_in(std::string_view cookies, std::string_view name) {
    while (!cookies.empty()) {
        auto pair = cookies.substr(0, cookies.find(';'));
        cookies.remove_prefix(std::min(cookies.size(), pair.size() + 1));
        pair.remove_prefix(std::min(pair.size(), pair.find_first_not_of(' ')));
        const auto equals = std::min(pair.find('='), pair.size());
        const auto value = pair.substr(std::min(equals + 1, pair.size()));
        if (pair.substr(0, equals) == name && is_secret(value)) {
            return value;
        }
    }
    return {};
}

std::string set_browser_secret(std::string_view name, std::string_view secret, std::chrono::seconds lifetime,
                               bool is_https) {
    return std::string{name} + "=" + std::string{secret} +
           "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(secret.empty() ? 0 : lifetime.count()) +
           (is_https ? "; Secure" : "");
}

}  // namespace culvert::sign_in
