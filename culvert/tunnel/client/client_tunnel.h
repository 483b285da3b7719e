#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/net/ecn.h"
#include "culvert/net/socket_address.h"
#include "culvert/net/transmit.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/client/access_requests.h"
#include "culvert/tunnel/client/client_event.h"
#include "culvert/tunnel/client/client_state.h"
#include "culvert/tunnel/client/devices/client_devices.h"
#include "culvert/tunnel/client/dns/client_dns.h"
#include "culvert/tunnel/client/gateway_peers.h"
#include "culvert/tunnel/client/gateway_preferences.h"
#include "culvert/tunnel/client/reauthorise_throttle.h"
#include "culvert/tunnel/client/resource_set.h"
#include "culvert/tunnel/client/silent_gateways.h"
#include "culvert/tunnel/client/site_statuses.h"
#include "culvert/tunnel/device/commands.h"
#include "culvert/tunnel/device/device_core.h"
#include "culvert/tunnel/flow_table.h"
#include "culvert/tunnel/flow_tracker.h"
#include "culvert/tunnel/names/name_setups.h"

namespace culvert::packet {
class Coalescer;
class Segmenter;
struct EmbeddedPacket;
struct TunPacket;
}  // namespace culvert::packet

namespace culvert::tunnel {

/// What a client starts with.
struct ClientOptions {
    /// Addresses that an earlier session of this process gave to names (DnsRecordsChanged).
    std::vector<dns::ProxyRecord> dns_records = {};
    /// Whether the Internet resource is wanted, should there be one.
    bool wants_internet = false;
};

/// The client's side of the tunnel: decides for each packet of the host which resource and gateway it belongs to, asks
/// the portal for access when there is none yet, and lets in only what answers this host: of a gateway, and of a flow
/// that this host opened through it. It is the host's resolver, gives names of DNS resources addresses of its own, and
/// tells gateways which names those stand for.
///
/// Other clients it reaches, and lets in, without a gateway (ClientDevices).
///
/// Sans-IO. After a batch of inputs drain poll_event(), poll_transmit() and poll_tun_packet(), and call
/// handle_timeout() once poll_timeout() has come, which may be at once. Wall-clock time serves expiries only. Source:
/// spec/tunnel.md section 3.
class ClientTunnel {
public:
    ClientTunnel(const connectivity::Seeds& seeds, Instant now, WallTime wall_now, const ClientOptions& options = {});

    /// The WireGuard key to announce to the portal. Changes on reset().
    [[nodiscard]] const crypto::PublicKey& public_key() const { return core_.public_key(); }

    /// One read of the TUN device. Data goes straight to `out`; it is sealed in place of the packet's memory.
    void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now);

    /// One datagram, which is overwritten. `local` is the address it arrived at. An accepted packet is handed to `tun`
    /// as a part of `datagram`, which must stay where it is until `tun` has been flushed.
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan datagram, packet::Coalescer& tun, Instant now);

    void handle_portal(const portal_api::ToClient& message, Instant now, UnixSeconds wall_now);

    void handle_timeout(Instant now, UnixSeconds wall_now);

    /// The network changed: drops all connections without a goodbye and takes a new key. The host must rebind its
    /// sockets and, as KeyChanged says, connect to the portal anew (section 3.17). `reason` is for the log.
    void reset(std::string_view reason, Instant now);
    /// See DeviceCore.
    void set_local_sockets(std::span<const net::SocketAddress> sockets) { core_.set_local_sockets(sockets); }

    /// Whether everything that belongs to no other resource goes through the tunnel, should there be an Internet
    /// resource. Off again when the portal takes it away (section 3.5).
    void set_internet_resource(bool is_wanted, Instant now);

    /// The resolvers that the host itself uses, or would use without us.
    void set_system_resolvers(std::vector<net::IpAddress> servers, Instant now);
    /// What came of a dns::Ask.
    void handle_dns_response(dns::AskId id, ByteSpan message, Instant now);
    void handle_dns_failure(dns::AskId id, Instant now);

    /// Says goodbye to all gateways. Flush poll_transmit() for up to a second, then stop.
    void shut_down(Instant now);

    /// These as messages, for who runs this in another thread.
    using PortalMessage = portal_api::ToClient;
    using Command = std::variant<PortalMessage, NetworkChanged, Reset, SetInternetResource, SetSystemResolvers,
                                 DnsResponse, DnsFailure, ShutDown>;
    using Event = ClientEvent;
    void apply(const Command& command, Instant now, UnixSeconds wall_now);
    /// The gateway or other client that a command is about: only who has the connection to it needs to know. nullopt:
    /// about no one.
    [[nodiscard]] static std::optional<Uuid> peer_of(const Command& command);

    [[nodiscard]] std::optional<Instant> poll_timeout();
    [[nodiscard]] std::optional<net::Transmit> poll_transmit() { return core_.poll_transmit(); }
    /// A packet of our own for the TUN device: an answer of the resolver, or an error about a packet of the host.
    [[nodiscard]] std::optional<Bytes> poll_tun_packet();
    [[nodiscard]] std::optional<ClientEvent> poll_event();
    /// For the log (log_report()).
    [[nodiscard]] std::optional<DroppedPackets> poll_drops() { return core_.poll_drops(); }
    /// For metrics.
    [[nodiscard]] connectivity::Census census() const { return core_.census(); }

    [[nodiscard]] ClientState state() const { return {peers_.assignments(), core_.connections()}; }
    /// The complete state as text (base/snapshot.h).
    [[nodiscard]] std::string debug_snapshot(Instant now) const;

private:
    // Messages of the portal.
    void handle(const portal_api::ClientInit& message, Instant now);
    void handle(const portal_api::ConfigChanged& message, Instant now);
    void handle(const portal_api::ResourceCreatedOrUpdated& message, Instant now);
    void handle(const portal_api::DevicePoolCreatedOrUpdated& message, Instant now);
    void handle(const portal_api::ResourceDeleted& message, Instant now);
    void handle(const portal_api::RelaysPresence& message, Instant now);
    void handle(const portal_api::FlowCreated& message, Instant now);
    void handle(const portal_api::FlowCreationFailed& message, Instant now);
    void handle(const portal_api::GatewayIceCandidates& message, Instant now);
    void handle(const portal_api::InvalidateGatewayIceCandidates& message, Instant now);
    void handle(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now);
    // About other clients alone.
    void handle(const portal_api::DeviceAccessDenied& message, Instant now) { devices_.handle(message, now); }
    void handle(const portal_api::ClientIceCandidates& message, Instant now) { devices_.handle(message, now); }
    void handle(const portal_api::InvalidateClientIceCandidates& message, Instant now) {
        devices_.handle(message, now);
    }
    void handle(const portal_api::ClientIceCandidateError& message, Instant now) { devices_.handle(message, now); }
    void handle(const portal_api::RejectAccess& message, Instant now) { devices_.handle(message, now); }
    void handle(const portal_api::ResourceFiltersUpdated& message, Instant) { devices_.handle(message); }

    // Resources and the interface, in client_resources.cpp.
    void set_interface(const portal_api::Interface& interface, Instant now);
    void set_resources(const std::vector<portal_api::ClientResource>& resources, Instant now);
    void add_resource(const portal_api::ClientResource& resource, Instant now);
    void remove_resource(const ResourceId& id, Instant now);
    /// Ends what goes on for the resource.
    void end_access(const ResourceId& id, Instant now);
    [[nodiscard]] ResourceSet::IsConnected is_connected() const;
    /// What packets belong to has changed.
    void update_routing(Instant now);
    void update_tun_config();

    // Flows and gateways.
    void request_access(const ResourceId& resource, std::string_view trigger, Instant now);
    void ask_portal(const ResourceId& resource, std::string_view trigger);
    /// Tells the user why there is no access, once.
    void notice(const ResourceId& resource, portal_api::FlowFailure reason);
    void close_unused_gateways(Instant now);
    /// To close it says goodbye, to forget it does not.
    void close_gateway(const GatewayId& gateway, Instant now);
    void forget_gateway(const GatewayId& gateway, Instant now);
    void forget_all_gateways(Instant now);
    /// A gateway or another client.
    void forget_peer(const connectivity::ConnectionId& id, Instant now);
    /// The gateway serves nothing any more. False if it was unknown.
    bool forget_grants(const GatewayId& gateway, Instant now);
    void drain_connections(Instant now);

    // Packets.
    /// What a packet belongs to, and the name that its address stands for, if it is a proxy IP. Both may be null.
    struct Target {
        const portal_api::ClientResource* resource = nullptr;
        const dns::ProxyAddresses::Assignment* name = nullptr;
        /// By the filters of the resource.
        bool is_permitted = false;
    };
    [[nodiscard]] Target target_of(const net::IpAddress& destination, const Service& service) const;
    /// The same for proxy IPs, whatever the filters say.
    [[nodiscard]] Target named_target(const net::IpAddress& proxy_ip) const;
    [[nodiscard]] bool is_from_us(const packet::IpPacket& packet) const;
    /// The gateway for the segments of `packet`. Without one, they wait for it, are refused or dropped.
    [[nodiscard]] std::optional<GatewayId> route(const packet::IpPacket& packet, packet::Segmenter& segments,
                                                 Instant now);
    void refuse(const ResourceId& resource, const packet::IpPacket& packet);
    void send_waiting(const GatewayId& gateway, ByteSpan bytes, Instant now);
    void buffer_packets(const ResourceId& resource, packet::Segmenter& segments);
    /// Whether a packet of a peer may pass to the host.
    [[nodiscard]] bool accept(const connectivity::ConnectionId& from, const packet::IpPacket& packet, Instant now);
    [[nodiscard]] bool accept_from_gateway(const GatewayId& gateway, const packet::IpPacket& packet, Instant now);
    void handle_control_packet(const GatewayId& gateway, ByteSpan packet, Instant now);
    [[nodiscard]] bool accept_error(const GatewayId& gateway, const packet::IpPacket& packet, Instant now);
    /// With so many packets, of which this is the first, or all in one.
    void open_flow(const FlowKey& key, const GatewayId& gateway, const packet::IpPacket& packet, std::size_t packets,
                   Instant now);
    /// The flow, if it goes through the gateway and may still do so; null otherwise.
    [[nodiscard]] FlowTable::Flow* find_flow(const FlowKey& key, const GatewayId& gateway, Instant now);
    /// Whether packets from `gateway` may carry this source address: its own, or one of what it serves.
    [[nodiscard]] bool may_send_from(const GatewayId& gateway, const net::IpAddress& source) const;
    /// Whether it is, and was taken note of.
    [[nodiscard]] bool accept_error_about_query(const FlowKey& about, const GatewayId& gateway,
                                                const packet::IpPacket& packet, Instant now);
    void reauthorise(const packet::EmbeddedPacket& refused, Instant now);
    /// Has the portal asked for what applications go on using after a reset.
    void note_resources_in_use(Instant now);
    void renew_requests(Instant now);

    // What is recorded of flows for the portal, in client_records.cpp.

    void record_sent(FlowTable::Flow* flow, const GatewayId& gateway, const packet::IpPacket& packet,
                     std::size_t packets, Instant now);
    [[nodiscard]] FlowTracker::Handle start_record(const GatewayId& gateway, const packet::IpPacket& packet,
                                                   std::size_t packets, Instant now);
    void follow_records(Instant now);

    // Names, in client_names.cpp.

    enum class Due : std::uint8_t { kRecords, kFlowSweep };

    /// Whether packets to the name wait for the gateway to know it; they are taken out of `segments` then.
    [[nodiscard]] bool wait_for_name(const GatewayId& gateway, const Target& target, packet::Segmenter& segments,
                                     Instant now);
    [[nodiscard]] NameSetups::Assignment setup_of(const Target& target) const;
    /// The gateway has just been granted the resource: tells it of all names, and has `packets` wait for its answer.
    void tell_names(const ResourceId& resource, const GatewayId& gateway, const PacketBuffer& packets, Instant now);
    /// An application was told the addresses of a name: makes sure that they lead somewhere.
    void handle_name_answered(const dns::Name& name, Instant now);
    /// A packet of our own resolver into the tunnel.
    void send_query(Bytes bytes, Instant now);
    /// Hands on what resolver and names have for each other, for gateways and for the host.
    void settle_names(Instant now);
    void update_resolvers(Instant now);

    DeviceCore core_;
    ResourceSet resources_;
    GatewayPeers peers_;
    AccessRequests access_requests_;
    ReauthoriseThrottle reauthorise_throttle_;
    GatewayPreferences preferences_;
    SiteStatuses statuses_;
    SilentGateways silent_gateways_;
    ClientDevices devices_;
    std::set<std::pair<ResourceId, portal_api::FlowFailure>> noticed_;
    /// Resources with flows that were there before the network changed.
    std::set<ResourceId> used_before_reset_;
    std::deque<Bytes> errors_to_host_;

    ClientDns dns_;
    NameSetups names_;
    dns::PortalResolvers portal_resolvers_;
    std::vector<net::IpAddress> system_resolvers_;
    std::deque<ClientEvent> dns_events_;
    bool records_changed_ = false;
    Deadlines<Due> due_;

    /// What this host opened, with the gateways that it goes through.
    FlowTable flows_;
    FlowTracker records_;

    std::optional<KeyChanged> key_changed_;
    bool resources_changed_ = false;
    /// As the host was told; unset: not yet.
    std::optional<std::vector<ResourceView>> listed_;
};

static_assert(SansIo<ClientTunnel>);

}  // namespace culvert::tunnel
