#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/admin/constants.h"
#include "culvert/admin/messages.h"
#include "culvert/admin/surroundings.h"
#include "culvert/admin/throttle.h"
#include "culvert/base/rng.h"
#include "culvert/portal/storage.h"

namespace culvert::admin {

/// Who makes a request.
struct Requester {
    enum class Kind : std::uint8_t {
        kNobody,
        /// An administrator who signed in by a browser.
        kAdministrator,
        /// A program with a token of an API client.
        kProgram,
    };

    Kind kind = Kind::kNobody;
    portal::ActorId actor{};
    std::string name = {};
    std::optional<std::string> email = {};
    /// Of administrators: of their session.
    std::string secret_hash = {};
    std::string csrf_token = {};
    UnixSeconds expires_at{};
};

/// A session that begins, with the secret that goes into the cookie.
struct NewSession {
    portal::BrowserSession row;
    std::string secret;
};

/// Tells who makes a request, and how often whom may try.
class Authenticator {
public:
    /// `storage` and `surroundings` must outlive the object. Throws StorageError.
    Authenticator(portal::Storage& storage, Surroundings& surroundings, Rng rng);

    /// By the token in the request's Authorization, else by its cookie. Whoever shows a token is judged by that alone.
    /// Throws ApiProblem for a token that is not valid.
    [[nodiscard]] Requester identify(const ApiRequest& request, Instant now, UnixSeconds wall_now);

    [[nodiscard]] NewSession new_session(const portal::ActorId& actor, UnixSeconds wall_now);
    /// Of that secret: to be sent with each request that changes something.
    [[nodiscard]] static std::string csrf_token_of(std::string_view secret);
    [[nodiscard]] static std::string hash_of(std::string_view secret);
    /// The secret in a Cookie header; empty: there is none.
    [[nodiscard]] static std::string_view secret_in(std::string_view cookie);
    /// A Set-Cookie header; an empty secret takes the cookie away.
    [[nodiscard]] static std::string cookie_with(std::string_view secret, bool is_https);

    // Each throws ApiProblem if there were too many attempts.
    void count_sign_in(const net::IpAddress& from, std::string_view email, Instant now);
    void count_setup(Instant now);
    void count_request(const Requester& subject, Instant now);

    /// Whether nobody can sign in. Whoever runs the portal hears the code then.
    [[nodiscard]] bool needs_setup();
    /// Hyphens, spaces and the case of letters do not matter.
    [[nodiscard]] bool is_setup_code(std::string_view code) const;
    /// It has served.
    void renew_setup_code();

private:
    [[nodiscard]] Requester identify_program(std::string_view token, const ApiRequest& request, UnixSeconds wall_now);
    [[nodiscard]] Requester identify_browser(std::string_view secret, UnixSeconds wall_now);

    portal::Storage& storage_;
    Surroundings& surroundings_;
    Rng rng_;
    portal::TokenKeys keys_;
    Throttle places_{kSignInInterval, kSignInBurst, kMaxThrottled};
    Throttle accounts_{kAccountInterval, kAccountBurst, kMaxThrottled};
    Throttle setups_{kSetupInterval, kSetupBurst, 1};
    std::map<Uuid, RateLimiter> requests_;
    std::map<portal::TokenId, UnixSeconds> recorded_;
    std::string setup_code_;
    bool is_setup_code_told_ = false;
};

}  // namespace culvert::admin
