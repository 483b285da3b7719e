#include "culvert/sign_in/form_seal.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "culvert/base/base64.h"
#include "culvert/base/bytes.h"
#include "culvert/crypto/hmac.h"

namespace culvert::sign_in {

FormSeal::FormSeal(const portal::TokenKeys& keys)
    : key_{crypto::hmac_sha256(as_bytes(keys.key_base), {as_bytes(keys.salt), as_bytes("forms to sign in")})} {}

std::string FormSeal::make(const AppRequest& request, std::string_view browser, UnixSeconds expires_at,
                           std::string_view serial) const {
    const auto front = std::to_string(expires_at.time_since_epoch().count()) + "." + std::string{serial};
    // No part has a space in it.
    const auto text = front + " " + std::string{browser} + " " + request.as + " " + request.state + " " + request.nonce;
    const auto mac = crypto::hmac_sha256(key_.reveal(), {as_bytes(text)});
    return front + "." + to_base64(mac, Base64::kUrlNoPadding);
}

FormSeal::Verdict FormSeal::judge(std::string_view seal, const AppRequest& request, std::string_view browser,
                                  UnixSeconds now) const {
    const auto first = std::min(seal.find('.'), seal.size());
    const auto last = seal.rfind('.');
    std::int64_t until = 0;
    const auto [end, error] = std::from_chars(seal.data(), seal.data() + first, until);
    if (error != std::errc{} || first >= last || last == std::string_view::npos || browser.empty()) {
        return Verdict::kForged;
    }
    const UnixSeconds expires_at{std::chrono::seconds{until}};
    const auto expected = make(request, browser, expires_at, seal.substr(first + 1, last - first - 1));
    if (!crypto::equal_constant_time(as_bytes(seal), as_bytes(expected))) {
        return Verdict::kForged;
    }
    return expires_at <= now ? Verdict::kExpired : Verdict::kGood;
}

}  // namespace culvert::sign_in
