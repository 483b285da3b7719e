#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "culvert/base/rate_limiter.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/net/ip_address.h"
#include "culvert/tunnel/p2p/messages.h"

namespace culvert::tunnel {

/// The gateway's side of setting up names: what clients ask it to set up, until the addresses are known (spec/tunnel.md
/// section 6.5 steps 1 and 2). A name is looked up once for all who wait for it, and what was found is remembered for a
/// while: clients ask again with every query of an application.
///
/// There is a limit for look-ups, and for each client one for what it has waiting, which is lower while many do, and
/// one for how often it has something looked up; requests beyond are refused, and their clients repeat them. Of what a
/// name has only the first addresses are kept.
///
/// Sans-IO: look-ups are polled, and their results come in. Knows nothing of permissions: check them before and, since
/// time has passed, after.
class NameRequests {
public:
    struct Request {
        ClientId client;
        dns::Name domain;
        p2p::AssignedIps message;
    };
    struct Resolved {
        Request request;
        /// Whether the look-up ended in time and without an error; if so it may still have found nothing.
        bool is_found = false;
        std::vector<net::IpAddress> addresses;
    };
    struct LookUpId {
        std::uint64_t number = 0;

        friend constexpr auto operator<=>(const LookUpId&, const LookUpId&) = default;
    };
    struct LookUp {
        LookUpId id;
        dns::Name domain;
    };

    /// False: too many are waiting. A request that repeats one takes its place.
    [[nodiscard]] bool submit(Request request, Instant now);

    /// Ends the look-up. `lifetime`: how long that is true, kResolvedTime if nobody knows.
    void handle_addresses(LookUpId id, std::vector<net::IpAddress> addresses, Duration lifetime, Instant now);
    void handle_failure(LookUpId id);
    void handle_timeout(Instant now);
    /// Nobody waits for its requests any more.
    void forget_client(const ClientId& client);

    [[nodiscard]] std::optional<LookUp> poll_lookup();
    [[nodiscard]] std::optional<Resolved> poll_resolved();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    /// Look-ups that have not ended.
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }

private:
    struct Waiting {
        dns::Name domain;
        Instant ends_at;
        std::vector<Request> requests;
    };
    struct Known {
        std::vector<net::IpAddress> addresses;
        Instant until;
    };
    /// In the order in which they end.
    using LookUps = std::map<LookUpId, Waiting>;

    void remember(const dns::Name& domain, const std::vector<net::IpAddress>& addresses, Instant until, Instant now);
    void answer(LookUps::iterator look_up, bool is_found, const std::vector<net::IpAddress>& addresses);
    [[nodiscard]] std::size_t waiting_of(const ClientId& client) const;

    LookUps waiting_;
    std::map<dns::Name, LookUpId> by_name_;
    std::map<ClientId, std::size_t> per_client_;
    std::map<ClientId, RateLimiter> rates_;
    std::map<dns::Name, Known> known_;
    std::deque<LookUp> lookups_;
    std::deque<Resolved> resolved_;
    std::uint64_t next_id_ = 1;
};

}  // namespace culvert::tunnel
