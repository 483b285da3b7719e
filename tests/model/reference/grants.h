#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/portal_api/messages.h"
#include "tests/model/reference/filters.h"

namespace culvert::model {

/// What a gateway has been told that clients may do: the messages that reached it, applied as spec/tunnel.md sections
/// 6.2 and 6.3 say, and remembered for as long as a revoked grant may still let packets through.
class Grants {
public:
    /// How long packets may pass after the revocation was delivered, and after a grant's expiry (SEC-2).
    static constexpr Duration kRevocationGrace = std::chrono::seconds{2};
    static constexpr Duration kExpiryGrace = std::chrono::seconds{1};

    struct Grant {
        net::IpNetwork network;
        std::vector<portal_api::Filter> filters;
        std::optional<UnixSeconds> expires_at;
        /// When the gateway was told so: a clock that is ahead makes it learn of an expiry that has passed.
        Instant told_at{};
        /// When the gateway was last told to allow it.
        Instant since{};

        friend bool operator==(const Grant&, const Grant&) = default;
    };
    using ByResource = std::map<ResourceId, Grant>;

    /// The process ended: nothing is granted any more.
    void clear();
    /// `wall` is the gateway's own clock.
    void handle(const portal_api::ToGateway& message, Instant now, WallTime wall);

    /// `kLate`: only because revocation or expiry need a moment.
    enum class Answer : std::uint8_t { kNo, kLate, kYes };
    /// Whether the client may talk with this service at this address. `wall` is the gateway's own clock, `lateness` how
    /// much longer than others it may need to notice an expiry.
    [[nodiscard]] Answer may_pass(const ClientId& client, const net::IpAddress& address, const Service& service,
                                  Instant now, WallTime wall, Duration lateness = {}) const;
    /// Whether the client has any grant, so that it may talk with the gateway itself.
    [[nodiscard]] Answer is_known(const ClientId& client, Instant now, WallTime wall, Duration lateness = {}) const;

    /// Whether anything that the client was ever granted here was taken back, or has expired.
    [[nodiscard]] bool has_lost(const ClientId& client, WallTime wall) const;

    /// Grants of the client right now, expired ones included.
    [[nodiscard]] const ByResource& of(const ClientId& client) const;

private:
    using ByClient = std::map<ClientId, ByResource>;

    [[nodiscard]] Answer evaluate(const ByClient& grants, const ClientId& client, const net::IpAddress& address,
                                  const Service& service, Instant now, WallTime wall, Duration lateness) const;
    void remember(Instant now);
    void note_losses(const ByClient& before);
    void handle_one(const portal_api::GatewayInit& message, Instant now);
    void handle_one(const portal_api::AuthorizeFlow& message, Instant now);
    void handle_one(const portal_api::AccessAuthorizationExpiryUpdated& message, Instant now);
    void handle_one(const portal_api::RejectAccess& message, Instant now);
    void handle_one(const portal_api::ResourceUpdated& message, Instant now);
    void handle_one(const portal_api::RelaysPresence&, Instant) {}
    void handle_one(const portal_api::ClientIceCandidates&, Instant) {}
    void handle_one(const portal_api::InvalidateClientIceCandidates&, Instant) {}

    ByClient grants_;
    /// Who had a grant taken back.
    std::set<ClientId> losers_;
    /// Earlier states, and until when they held; ascending.
    std::deque<std::pair<Instant, ByClient>> past_;
};

}  // namespace culvert::model
