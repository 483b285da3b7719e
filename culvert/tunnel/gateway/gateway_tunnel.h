#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/net/ecn.h"
#include "culvert/net/socket_address.h"
#include "culvert/net/transmit.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/device/commands.h"
#include "culvert/tunnel/device/device_core.h"
#include "culvert/tunnel/flow_table.h"
#include "culvert/tunnel/flow_tracker.h"
#include "culvert/tunnel/gateway/admitted_clients.h"
#include "culvert/tunnel/gateway/client_policy.h"
#include "culvert/tunnel/gateway/flow_log.h"
#include "culvert/tunnel/gateway/gateway_commands.h"
#include "culvert/tunnel/gateway/gateway_event.h"
#include "culvert/tunnel/gateway/gateway_names.h"
#include "culvert/tunnel/gateway/gateway_state.h"
#include "culvert/tunnel/gateway/shard_ids.h"
#include "culvert/tunnel/gateway/site_dns.h"

namespace culvert::packet {
class Coalescer;
struct TunPacket;
}  // namespace culvert::packet

namespace culvert::tunnel {

/// The gateway's side of the tunnel: lets each client reach what the portal authorized, and nothing else.
///
/// Sans-IO. After a batch of inputs drain poll_event() and poll_transmit(), and call handle_timeout() once
/// poll_timeout() has come, which may be at once. Wall-clock time serves expiries only. Source: spec/tunnel.md
/// section 6.
class GatewayTunnel {
public:
    /// `shard`: which of the device's it is. Events of two shards have different ids.
    GatewayTunnel(const connectivity::Seeds& seeds, Instant now, WallTime wall_now, std::uint16_t shard = 0);

    /// The WireGuard key to announce to the portal; one per process.
    [[nodiscard]] const crypto::PublicKey& public_key() const { return core_.public_key(); }

    /// One read of the TUN device: traffic from resources to clients. Data goes straight to `out`.
    void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now);

    /// One datagram, which is overwritten. `local` is the address it arrived at. An accepted packet is handed to `tun`
    /// as a part of `datagram`, which must stay where it is until `tun` has been flushed.
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan datagram, packet::Coalescer& tun, Instant now);

    void handle_portal(const portal_api::ToGateway& message, Instant now, UnixSeconds wall_now);

    void handle_timeout(Instant now, UnixSeconds wall_now);

    /// Says goodbye to all clients. Flush poll_transmit() for up to a second, then stop.
    void shut_down(Instant now);

    /// Ids of other shards are none of ours, and ignored.
    void handle_name_found(const NameFound& found, Instant now);
    void handle_name_failure(const NameLookUpFailed& failed, Instant now);
    /// The same for what was asked of nameservers, which are those of the host.
    void handle_dns_response(const DnsResponse& response, Instant now);
    void handle_dns_failure(const DnsFailure& failure, Instant now);
    void set_nameservers(const SetSystemResolvers& resolvers, Instant now);
    void set_host_addresses(const SetHostAddresses& host);
    /// See DeviceCore.
    void set_local_sockets(std::span<const net::SocketAddress> sockets) { core_.set_local_sockets(sockets); }

    /// The inputs above but packets, for who runs this in another thread.
    using PortalMessage = portal_api::ToGateway;
    using Command = std::variant<PortalMessage, NetworkChanged, ShutDown, NameFound, NameLookUpFailed, DnsResponse,
                                 DnsFailure, SetSystemResolvers, SetHostAddresses>;
    using Event = GatewayEvent;
    void apply(const Command& command, Instant now, UnixSeconds wall_now);
    /// The client that a command is about: only who has the connection to it needs to know. nullopt: about no one.
    [[nodiscard]] static std::optional<Uuid> peer_of(const Command& command);

    [[nodiscard]] std::optional<Instant> poll_timeout();
    [[nodiscard]] std::optional<net::Transmit> poll_transmit() { return core_.poll_transmit(); }
    [[nodiscard]] std::optional<GatewayEvent> poll_event();
    /// For the log (log_report()).
    [[nodiscard]] std::optional<DroppedPackets> poll_drops() { return core_.poll_drops(); }
    /// For metrics.
    [[nodiscard]] connectivity::Census census() const { return core_.census(); }

    [[nodiscard]] GatewayState state() const;
    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    using Peer = AdmittedClients::Peer;

    // Messages of the portal.
    void handle(const portal_api::GatewayInit& message, Instant now);
    void handle(const portal_api::AccessAuthorizationExpiryUpdated& message, Instant now);
    void handle(const portal_api::RejectAccess& message, Instant now);
    void handle(const portal_api::ResourceUpdated& message, Instant now);
    void handle(const portal_api::RelaysPresence& message, Instant now);
    void handle(const portal_api::ClientIceCandidates& message, Instant now);
    void handle(const portal_api::InvalidateClientIceCandidates& message, Instant now);

    // Clients and what they may reach.
    void authorize(const portal_api::AuthorizeFlow& message, Instant now);
    void refuse_expired(const portal_api::AuthorizeFlow& message, Instant now, UnixSeconds wall_now);
    void reconcile(const std::vector<portal_api::Authorization>& authorizations, Instant now);
    void update_expiry(const ClientId& client, const ResourceId& resource, UnixSeconds expires_at);
    void sweep(Instant now, UnixSeconds wall_now);
    /// To close it says goodbye, to forget it does not.
    void close_client(const ClientId& client, Instant now);
    void forget_client(const ClientId& client, Instant now);
    void drain_connections();

    // Packets.
    void handle_control_packet(const ClientId& client, ByteSpan packet, Instant now);
    void handle_goodbye(const ClientId& client, Instant now);
    void handle_assigned_ips(const ClientId& client, const ClientPolicy& policy, ByteSpan payload, Instant now);
    void finish_name_requests(Instant now);
    void send_status(const ClientId& client, const p2p::DomainStatus& status, Instant now);
    void send_dns_answers(Instant now);
    /// A packet from `client` that belongs to no flow that was judged already. Whether it may go on, translated if it
    /// goes to a name; answers refused ones.
    [[nodiscard]] bool accept_outbound(const ClientId& client, Peer& peer, packet::IpPacket& packet,
                                       const std::optional<FlowKey>& key, Instant now);
    /// Where it goes if it is to be translated.
    using Target = std::optional<net::IpAddress>;
    [[nodiscard]] std::expected<Target, Refusal> judge_outbound(const ClientId& client, const Peer& peer,
                                                                const packet::IpPacket& packet,
                                                                const std::optional<FlowKey>& key, Instant now);
    void refuse_outbound(const ClientId& client, const packet::IpPacket& packet, Refusal refusal, Instant now);
    /// A packet of no flow with an address may come from a name. After kLate there is nothing left to do.
    [[nodiscard]] nat::SessionTable::In translate_inbound(packet::IpPacket& packet, Instant now);
    [[nodiscard]] nat::SessionTable::In pass_error_from_name(const ClientId& client, const packet::IpPacket& packet,
                                                             Instant now);
    /// The client that a packet from the TUN may go to.
    [[nodiscard]] std::optional<ClientId> accept_inbound(const packet::IpPacket& packet, FlowTable::Flow* flow,
                                                         Instant now);
    /// Whether it is part of a flow that the client opened, or an error about one.
    [[nodiscard]] bool is_asked_for(const ClientId& client, const packet::IpPacket& packet, FlowTable::Flow* flow,
                                    Instant now);
    /// Once the packet has passed, and is translated.
    void log_sent(const ClientId& client, const FlowKey& key, const packet::IpPacket& packet,
                  const FlowLog::Outer& outer, Instant now);
    [[nodiscard]] FlowLog::Handle start_logging(const ClientId& client, const FlowKey& key,
                                                const packet::IpPacket& packet, const FlowLog::Outer& outer,
                                                Instant now);
    void log_received(FlowTable::Flow* flow, const packet::IpPacket& packet, std::size_t packets, Instant now);
    /// The same for records.
    void record_sent(const ClientId& client, const FlowKey& key, const packet::IpPacket& packet, Instant now);
    [[nodiscard]] FlowTracker::Handle start_record(const ClientId& client, const FlowKey& key,
                                                   const packet::IpPacket& packet, Instant now);
    /// Which resource a flow belongs to, and the name that its address stands for.
    struct FlowTarget {
        ResourceId resource;
        std::string domain;
    };
    [[nodiscard]] std::optional<FlowTarget> target_of(const ClientId& client, const FlowKey& key,
                                                      const packet::IpPacket& packet) const;
    /// Whether the client may open a flow with this packet, or it belongs to none.
    [[nodiscard]] bool open_flow(const FlowKey& key, const ClientId& client, Peer& peer, const packet::IpPacket& packet,
                                 Instant now);

    enum class Due : std::uint8_t { kExpirySweep };

    DeviceCore core_;
    Deadlines<Due> due_;
    AdmittedClients clients_;
    ShardIds ids_;
    GatewayNames names_;
    SiteDns site_dns_;
    /// When refuse_expired() may warn again.
    Instant next_clock_warning_;

    std::shared_ptr<const ClientPolicy::Addresses> host_addresses_;

    /// What clients opened.
    FlowTable flows_;
    FlowLog flow_log_;
    FlowTracker records_;
};

static_assert(SansIo<GatewayTunnel>);

}  // namespace culvert::tunnel
