#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "culvert/base/time.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {

/// Remembers the authenticated requests of each user for as long as their nonces live, so that a recorded one, sent
/// again from the address it came from, does nothing a second time.
///
/// What is remembered is bounded without a hole: before anything is forgotten early, the nonces that it could have been
/// made with are given up, and whoever still uses one of them is told a new one (438). That concerns the one user who
/// has made too many requests, and nobody else. A user is the salt of the user name.
class ReplayGuard {
public:
    struct Limits {
        /// Requests of one user within one generation; two generations are kept.
        std::size_t requests_per_user = kNonceBudget;
        /// Users that are remembered.
        std::size_t users = kMaxRememberedUsers;
        /// Requests of all users from which on each may have only `few_requests`.
        std::size_t requests = kMaxRememberedRequests;
        std::size_t few_requests = 64;
    };
    explicit ReplayGuard(Limits limits) : limits_{limits} {}
    ReplayGuard() : ReplayGuard{Limits{}} {}

    /// Tells requests apart: the first bytes of MESSAGE-INTEGRITY, which no two different requests share.
    using RequestId = std::uint64_t;

    /// Whether requests of this user with a nonce that was issued then count. Whoever has not had to be forgotten early
    /// may use every nonce that lives.
    [[nodiscard]] bool is_current(std::string_view user, Instant nonce_issued_at) const;

    /// The code that this request was answered with (0: success), if it has been handled before.
    [[nodiscard]] std::optional<std::uint16_t> find(std::string_view user, RequestId id) const;

    void remember(std::string_view user, RequestId id, std::uint16_t code, Instant now);

    [[nodiscard]] std::size_t users() const { return users_.size(); }
    [[nodiscard]] std::size_t requests() const { return requests_; }

private:
    using Requests = std::unordered_map<RequestId, std::uint16_t>;
    struct User {
        /// A request remains in one of these for at least kNonceLifetime, or else its nonce is given up.
        Requests current;
        Requests previous;
        Instant current_since;
        /// Nonces of before are given up.
        std::optional<Instant> nonces_from;
        Instant last_request;
        std::list<std::string>::iterator age;
    };

    User& touch(std::string_view name, Instant now);
    void rotate(User& user, Instant now);
    void forget(std::map<std::string, User, std::less<>>::iterator user);
    void forget_idle(Instant now);
    void forget_oldest();

    Limits limits_;
    std::map<std::string, User, std::less<>> users_;
    std::size_t requests_ = 0;
    std::list<std::string> oldest_first_;
    /// The same for users who had to be forgotten early.
    std::optional<Instant> strangers_nonces_from_;
};

}  // namespace culvert::turn
