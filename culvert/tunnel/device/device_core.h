#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/overloaded.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/connectivity/node.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/reassembler.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/device/candidate_batches.h"
#include "culvert/tunnel/device/device_event.h"
#include "culvert/tunnel/device/dropped_packets.h"
#include "culvert/tunnel/device/relay_recovery.h"
#include "culvert/tunnel/device/tun_config_cell.h"
#include "culvert/tunnel/tun_read.h"

namespace culvert::tunnel {

/// What client and gateway need alike: connections to peers and the relays between them, what the portal hears of
/// them, the interface's configuration, and what was dropped on the way in. Which peers there are, and what may pass
/// between them and the host, is the policy of ClientTunnel and GatewayTunnel.
///
/// A connection ends in one of two ways, and so does whatever the policies keep for a peer: to *close* it says goodbye
/// first, so that the peer need not find out; to *forget* it sends nothing.
///
/// Sans-IO; a part of a larger object, which calls drain_connections() after each input. Source: spec/tunnel.md
/// sections 2.4 and 7.
class DeviceCore {
public:
    DeviceCore(connectivity::Role role, const connectivity::Seeds& seeds, Instant now, WallTime wall_now);

    /// The WireGuard key to announce to the portal.
    [[nodiscard]] const crypto::PublicKey& public_key() const { return node_.public_key(); }

    // The interface.

    /// Unset before the portal assigned addresses.
    [[nodiscard]] const std::optional<TunConfig>& tun_config() const { return tun_config_.current(); }
    void set_tun_config(TunConfig config) { tun_config_.set(std::move(config)); }
    [[nodiscard]] bool is_own_address(const net::IpAddress& address) const;

    // Connections.

    /// What the portal says about the other end of a connection, and about ours.
    struct Peer {
        connectivity::ConnectionId id;
        crypto::PublicKey key;
        crypto::PresharedKey preshared_key;
        portal_api::IceCredentials local;
        portal_api::IceCredentials remote;
        /// Between two clients: our part.
        std::optional<portal_api::IceRole> role = {};
    };
    /// Connects, unless the connection is there already. nullopt: neither a relay is known nor an address of ours, and
    /// there is no connection. Without a relay the portal is asked for some, unless it was asked lately.
    std::optional<connectivity::Upserted> connect(const Peer& peer, Instant now);
    void close(const connectivity::ConnectionId& id, Instant now);
    void close_all(Instant now);
    void forget(const connectivity::ConnectionId& id, Instant now);
    /// Forgets connections, relays and what was to be sent to the portal, and takes a new key.
    void reset(Instant now);
    /// The host's network changed: connections move along.
    void handle_network_change(std::span<const net::IpAddress> addresses, Instant now);

    // What the portal says about relays and candidates.

    /// Our sockets, by all addresses of this host. Without a relay those are tried that others may reach.
    void set_local_sockets(std::span<const net::SocketAddress> sockets);
    void update_relays(std::span<const RelayId> removed, std::span<const portal_api::Relay> listed, Instant now);
    void add_candidates(const connectivity::ConnectionId& id, std::span<const std::string> candidates, Instant now);
    void remove_candidates(const connectivity::ConnectionId& id, std::span<const std::string> candidates, Instant now);

    // Packets.

    struct Received {
        connectivity::ConnectionId from;
        packet::IpPacket packet;
        /// It was put together out of fragments: it may be large, and is valid until the next one is received.
        bool is_reassembled = false;
    };
    /// The packet in a datagram, which is overwritten; nullopt if there is none, or it was dropped and is reported.
    [[nodiscard]] std::optional<Received> receive(const net::SocketAddress& local, const net::SocketAddress& from,
                                                  MutableByteSpan datagram, Instant now);
    void send(const connectivity::ConnectionId& id, packet::Segmenter& segments, net::TransmitQueue& out, Instant now) {
        node_.encapsulate(id, segments, out, now);
    }
    /// Off the hot path; the result comes out of poll_transmit().
    void send(const connectivity::ConnectionId& id, ByteSpan packet, Instant now) {
        node_.encapsulate(id, packet, now);
    }
    [[nodiscard]] std::optional<connectivity::SendPath> send_path(const connectivity::ConnectionId& id) const {
        return node_.send_path(id);
    }
    /// A packet that was read from the TUN device; see parse_tun_packet().
    [[nodiscard]] std::optional<packet::IpPacket> read(const packet::TunPacket& packet, Instant now) {
        return parse_tun_packet(packet, reassembler_, now);
    }
    /// Hands a packet that was received, and judged, on to the host.
    static void deliver(const Received& received, packet::Coalescer& tun);
    void report_drop(const DroppedPacket& packet) { drops_.add(packet); }

    // Time and outputs.

    /// An input was taken whose consequences only handle_timeout() brings out.
    void note_input(Instant now) { due_.set(Due::kAfterInput, now); }
    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout();

    /// Hands what became of connections (ConnectionEstablished, ConnectionFailed, ConnectionClosed) to `handle`, and
    /// has the portal told of new and withdrawn candidates.
    template <typename Handle>
    void drain_connections(Handle handle) {
        while (const auto event = node_.poll_event()) {
            std::visit(overloaded{
                           [&](const connectivity::NewIceCandidate& candidate) { candidates_.add(candidate); },
                           [&](const connectivity::InvalidateIceCandidate& candidate) { candidates_.add(candidate); },
                           [&](const connectivity::ConnectionEstablished& established) { handle(established); },
                           [&](const connectivity::ConnectionFailed& failed) {
                               note_failure(failed.id);
                               note_end(failed.id);
                               handle(failed);
                           },
                           [&](const connectivity::ConnectionClosed& closed) {
                               note_end(closed.id);
                               handle(closed);
                           },
                       },
                       *event);
        }
        signal_candidates();
    }

    void send_to_portal(portal_api::FromDevice message) { events_.emplace_back(SendToPortal{std::move(message)}); }

    [[nodiscard]] std::optional<net::Transmit> poll_transmit() { return node_.poll_transmit(); }
    [[nodiscard]] std::optional<DeviceEvent> poll_event();
    /// What was dropped since the last call, if anything was.
    [[nodiscard]] std::optional<DroppedPackets> poll_drops();

    /// For snapshots: fields of the current line.
    void describe(Snapshot& out) const;
    /// And lines below it.
    void describe_interface(Snapshot& out) const { tun_config_.describe(out); }
    [[nodiscard]] connectivity::ConnectionStates connections() const { return node_.state(); }
    [[nodiscard]] connectivity::Census census() const { return node_.census(); }
    [[nodiscard]] std::string node_snapshot(Instant now) const { return node_.debug_snapshot(now); }

private:
    enum class Due : std::uint8_t { kAfterInput };

    void recover_relays(Instant now);
    void note_failure(const connectivity::ConnectionId& id) const;
    void ask_for_relays(const connectivity::ConnectionId& id, Instant now);
    void note_end(const connectivity::ConnectionId& id);
    void signal_candidates();

    [[nodiscard]] bool is_client(const connectivity::ConnectionId& id) const;

    connectivity::Role role_;
    connectivity::Node node_;
    /// Other clients that this client has ever had a connection to.
    std::set<connectivity::ConnectionId> other_clients_;
    RelayRecovery relay_recovery_;
    CandidateBatches candidates_;
    TunConfigCell tun_config_;
    std::deque<DeviceEvent> events_;
    packet::Reassembler reassembler_;
    DroppedPackets drops_;
    Deadlines<Due> due_;
};

static_assert(SansIo<DeviceCore>);

}  // namespace culvert::tunnel
