#pragma once

#include <string>
#include <string_view>

#include "culvert/base/time.h"
#include "culvert/crypto/hash.h"
#include "culvert/crypto/secret.h"
#include "culvert/portal/token.h"
#include "culvert/sign_in/app_request.h"

namespace culvert::sign_in {

/// Ties a form to the browser that it was made for, to what its app asked for and to a time, so that nobody else's page
/// can send it. Nothing is kept for it: strangers may open as many forms as they like, and restarts do not matter.
class FormSeal {
public:
    explicit FormSeal(const portal::TokenKeys& keys);

    /// `browser` is the secret in the browser's cookie, `serial` tells forms apart that are alike otherwise.
    [[nodiscard]] std::string make(const AppRequest& request, std::string_view browser, UnixSeconds expires_at,
                                   std::string_view serial) const;

    enum class Verdict : std::uint8_t { kGood, kForged, kExpired };
    [[nodiscard]] Verdict judge(std::string_view seal, const AppRequest& request, std::string_view browser,
                                UnixSeconds now) const;

private:
    crypto::Secret<32> key_;
};

}  // namespace culvert::sign_in
