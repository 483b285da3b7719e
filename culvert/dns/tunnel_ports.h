#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/dns/stub_io.h"
#include "culvert/net/socket_address.h"

namespace culvert::dns {

/// The UDP ports of our own queries inside the tunnel, a random one for each: a reply is taken only if it comes from
/// where its query went, to the port that it came from.
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
    };
    struct Closed {
        std::uint16_t port;
        net::SocketAddress server;
        Instant until;
    };

    Rng rng_;
    std::map<std::uint16_t, Port> open_;
    std::deque<Closed> closed_;  // oldest first
};

}  // namespace culvert::dns
