#pragma once

#include <deque>
#include <optional>
#include <string_view>

#include "culvert/base/time.h"
#include "culvert/connectivity/events.h"
#include "culvert/connectivity/peer_socket.h"
#include "culvert/connectivity/relays.h"
#include "culvert/ice/agent.h"
#include "culvert/net/transmit.h"

namespace culvert {
class Snapshot;
}

namespace culvert::connectivity {

/// Collects what leaves the node off the hot path: packets to peers, directly or through a relay, and events.
class Outbox {
public:
    explicit Outbox(Relays& relays) : relays_{relays} {}

    /// Through `relay` if the socket is relayed; dropped if there is no channel.
    void send(const PeerSocket& socket, const std::optional<RelayId>& relay, ByteSpan payload, net::Ecn ecn,
              Instant now);
    void send(const ice::AgentTransmit& transmit, Instant now);
    /// Back the way a datagram came: `local` may be an address of ours on a relay.
    void reply(const net::SocketAddress& local, const net::SocketAddress& to, ByteSpan payload, Instant now);
    void emit(Event event);

    [[nodiscard]] std::optional<net::Transmit> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();
    void clear();

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    void send_direct(const net::SocketAddress& source, const net::SocketAddress& destination, ByteSpan payload,
                     net::Ecn ecn);
    void send_through(turn::Allocation& relay, const net::SocketAddress& peer, ByteSpan payload, net::Ecn ecn,
                      Instant now);
    void push(net::Transmit transmit);

    Relays& relays_;
    std::deque<net::Transmit> transmits_;
    std::deque<Event> events_;
};

}  // namespace culvert::connectivity
