#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/client/devices/client_peers.h"
#include "culvert/tunnel/client/devices/device_pools.h"
#include "culvert/tunnel/client/devices/device_requests.h"
#include "culvert/tunnel/client/devices/inbound_access.h"
#include "culvert/tunnel/client/reauthorise_throttle.h"
#include "culvert/tunnel/device/device_core.h"
#include "culvert/tunnel/flow_table.h"
#include "culvert/tunnel/flow_tracker.h"

namespace culvert::packet {
class Segmenter;
}

namespace culvert::tunnel {

/// Other clients, without a gateway in between: this one reaches the devices of its pools, and lets in those that may
/// use a pool that it is in.
///
/// Let in is what a grant permits, and what answers this host: a packet of a flow that this host itself opened, or an
/// error about one. Answers of this host to others open nothing, so that no flow of theirs outlives its grant as one of
/// ours. All packets between the two have their own addresses.
///
/// A part of ClientTunnel. Source: spec/newer-dialect.md section 12.
class ClientDevices {
public:
    /// `core` must outlive the object.
    ClientDevices(DeviceCore& core, const Rng& rng);

    // Messages of the portal. To what belongs to gateways nothing is done.

    /// All pools that there are.
    void set_pools(const std::vector<portal_api::DevicePool>& pools, Instant now);
    void upsert_pool(const portal_api::DevicePool& pool, Instant now);
    void remove_pool(const ResourceId& id, Instant now);
    /// What remains of what others may do with us.
    void reconcile(const std::vector<portal_api::Authorization>& authorizations, Instant now, UnixSeconds wall_now);

    void handle(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now);
    void handle(const portal_api::DeviceAccessDenied& message, Instant now);
    /// The portal lets us use no device of the pool.
    void handle_refusal(const ResourceId& pool);
    void handle(const portal_api::ClientIceCandidates& message, Instant now);
    void handle(const portal_api::InvalidateClientIceCandidates& message, Instant now);
    void handle(const portal_api::ClientIceCandidateError& message, Instant now);
    void handle(const portal_api::RejectAccess& message, Instant now);
    void handle(const portal_api::ResourceFiltersUpdated& message);

    /// What must be routed into the tunnel: the devices' addresses, but for our own.
    [[nodiscard]] std::vector<net::IpNetwork> networks() const;

    // Packets.

    /// A packet of the host. False: it goes to no device, and nothing was done.
    [[nodiscard]] bool handle_packet_from_host(const packet::IpPacket& packet, const packet::Offload& offload,
                                               net::TransmitQueue& out, Instant now);
    /// Whether a packet of a client may pass to the host; if not, the client is told.
    [[nodiscard]] bool admit(const ClientId& from, const packet::IpPacket& packet, Instant now);
    void handle_control_packet(const ClientId& from, ByteSpan packet, Instant now);
    /// An error for the host, about a packet that may not go where it wanted to.
    [[nodiscard]] std::optional<Bytes> poll_to_host();

    /// Flows between clients for whoever keeps records, of both directions.
    [[nodiscard]] std::optional<FlowsTracked> poll_records();
    /// The program ends.
    void finish_records(Instant now);

    // Connections.

    [[nodiscard]] bool contains(const ClientId& id) const { return peers_.contains(id); }
    /// The connection is gone. What the client was granted stays: it may connect again.
    void forget(const ClientId& id, Instant now);
    void forget_all(Instant now);

    void handle_timeout(Instant now, UnixSeconds wall_now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return due_.next(); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    enum class Due : std::uint8_t { kExpirySweep, kFlowSweep };

    // Access.
    void be_let_through(const portal_api::DeviceAccessAuthorized& message, Instant now);
    void let_in(const portal_api::DeviceAccessAuthorized& message, Instant now, UnixSeconds wall_now);
    /// False if there is no connection now.
    [[nodiscard]] bool connect(const portal_api::DeviceAccessAuthorized& message, Instant now);
    /// Access of ours that ended: says goodbye unless the client may reach us.
    void close_unused(const std::vector<ClientId>& finished, Instant now);
    void update_inbound(const std::vector<InboundAccess::Grant>& revoked, std::string_view why, Instant now);
    void plan_sweep(Instant now);
    /// What may pass has to be judged anew, and the flows of what has ended are over.
    void note_own_access_changed(Instant now);
    void note_their_access_changed(Instant now);

    // Packets of the host.
    /// Where to send it now. nullopt: nowhere, or it waits.
    [[nodiscard]] std::optional<ClientId> route(const packet::IpPacket& packet, packet::Segmenter& segments,
                                                Instant now);
    /// Whether the packet is part of what `peer` opened, and whether that may still go on.
    enum class Answer : std::uint8_t { kNone, kPermitted, kRefused };
    [[nodiscard]] Answer judge_answer(const ClientId& peer, const packet::IpPacket& packet, std::size_t packets,
                                      Instant now);
    void note_own(const ClientId& peer, const packet::IpPacket& packet, std::size_t packets, Instant now);
    void ask_for_access(const DevicePools::Way& way, const net::IpAddress& address, std::string_view trigger,
                        Instant now);
    void refuse_host(packet::Segmenter& segments);

    // Packets of others.
    using Verdict = std::expected<void, Refusal>;
    [[nodiscard]] Verdict judge(const ClientId& from, const packet::IpPacket& packet, Instant now);
    /// Of ICMP but echo requests.
    [[nodiscard]] Verdict judge_message(const ClientId& from, const packet::IpPacket& packet, Instant now);
    [[nodiscard]] bool is_still_ours(const ClientPeers::Peer& peer, const FlowTable::Flow& own,
                                     const packet::IpPacket& answer) const;
    [[nodiscard]] static FlowTable::Flow* find(FlowTable& flows, const std::optional<FlowKey>& key,
                                               const ClientId& peer, Instant now);
    /// The client says that it does not let us through.
    void handle_prohibition(const ClientId& from, const packet::IpPacket& error, Instant now);

    // device_records.cpp: flows for the portal. Packets of who asked for access, and then of who answers.
    void record_own(FlowTable::Flow& flow, const ClientId& to, const packet::IpPacket& packet, std::size_t packets,
                    Instant now);
    void record_theirs(FlowTable::Flow& flow, const ClientId& from, const packet::IpPacket& packet, Instant now);
    [[nodiscard]] FlowTracker::Handle start_record(FlowTracker& records, const ClientId& peer,
                                                   const std::optional<ResourceId>& pool,
                                                   const packet::IpPacket& packet, std::size_t packets, Instant now);
    void follow_records(Instant now);
    void plan_flow_sweep(Instant now);

    DeviceCore& core_;
    DevicePools pools_;
    ClientPeers peers_;
    DeviceRequests requests_;
    ReauthoriseThrottle reauthorise_throttle_;
    InboundAccess inbound_;
    /// What this host opened, and what others opened to it.
    FlowTable own_flows_;
    FlowTable their_flows_;
    /// Two, since either end may have been let through to the other by one and the same pool.
    FlowTracker own_records_;
    FlowTracker their_records_;
    std::deque<Bytes> to_host_;
    Deadlines<Due> due_;
};

}  // namespace culvert::tunnel
