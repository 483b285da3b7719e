#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <variant>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/dns/stub_io.h"
#include "culvert/net/socket_address.h"

namespace culvert::dns {

/// The UDP ports of our own queries inside the tunnel, a random one for each: a reply is taken only if it comes from
/// where its query went, to the port that it came from.
///
/// Every UDP packet of the tunnel is looked up here.
class TunnelPorts {
public:
    explicit TunnelPorts(Rng rng) : rng_{std::move(rng)} {}

    /// nullopt if half of all ports are taken.
    std::optional<std::uint16_t> open(AskId id, const net::SocketAddress& server);
    /// What still comes is late, and nobody else's.
    void close(std::uint16_t port, Instant now);

    struct NotOurs {};
    struct Late {};
    using Owner = std::variant<NotOurs, Late, AskId>;
    /// Whose datagram it is that came from `server` to `port`.
    [[nodiscard]] Owner owner(const net::SocketAddress& server, std::uint16_t port, Instant now) const;

private:
    struct Port {
        AskId id;
        net::SocketAddress server;
        std::optional<Instant> late_until = std::nullopt;  // closed
    };

    Rng rng_;
    std::unordered_map<std::uint16_t, Port> ports_;
    std::deque<std::uint16_t> closed_;  // oldest first
};

}  // namespace culvert::dns
