#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/connectivity/send_path.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/portal_api/flow_record.h"
#include "culvert/portal_api/ingest_token.h"
#include "culvert/tunnel/flow_accounts.h"

namespace culvert::tunnel {

/// What flows are attributed to: an authorization, by the token that came with it.
struct FlowAuthorization {
    Uuid id;
    portal_api::FlowRole role = portal_api::FlowRole::kInitiator;
    /// The portal takes no records after that.
    UnixSeconds expires_at;
    std::string token;
};

/// A flow that has begun, or one that is over.
struct TrackedFlow {
    struct End {
        Instant ended_at;
        Instant last_packet;
        std::uint64_t rx_packets = 0;
        std::uint64_t tx_packets = 0;
        std::uint64_t rx_bytes = 0;
        std::uint64_t tx_bytes = 0;
    };

    std::shared_ptr<const FlowAuthorization> authorization;
    portal_api::FlowProtocol protocol = portal_api::FlowProtocol::kTcp;
    /// From initiator to responder, as this device has it.
    net::SocketAddress source;
    net::SocketAddress destination;
    /// Of a DNS resource.
    std::string domain;
    /// In the order in which they were used; one at least if the flow is over.
    std::vector<connectivity::SendPath> paths;
    Instant started_at;
    std::optional<End> end;
};

/// For whoever keeps records: what has happened since the last time.
struct FlowsTracked {
    std::vector<TrackedFlow> flows;
    /// Further ones for which there was no room.
    std::uint64_t dropped = 0;
};

/// Follows TCP connections and exchanges of UDP packets within authorizations whose flows the portal wants to hear of
/// (spec/newer-dialect.md section 11.2). At both ends of an authorization: `sent` is what its initiator sends.
///
/// Knows flows by handles, which whoever has the flows keeps with them. A flow is over after a RST, a FIN of both
/// sides, two minutes of silence, with its authorization, or at 16 paths; and with a new connection of the same ports.
/// To make room, the one that was silent for longest goes.
///
/// A packet of a known flow costs no search and no memory; while no authorization wants it, nothing is kept at all.
class FlowTracker {
public:
    /// `limit`: as many as the device has flows.
    explicit FlowTracker(std::size_t limit) : flows_{limit} {}

    /// Whether any flow may have to be followed.
    [[nodiscard]] bool is_on() const { return !grants_.empty(); }

    /// The portal has (again) let `peer` through to `resource`, or us through it. Without a token that wants uploads
    /// nothing is recorded of that from now on.
    void authorize(const Uuid& peer, const ResourceId& resource, const std::optional<std::string>& token, Instant now);
    void end(const Uuid& peer, const ResourceId& resource, Instant now);
    void end_all_of(const Uuid& peer, Instant now);
    /// All for which not `is_kept(peer, resource)`.
    template <typename Predicate>
    void end_unless(Predicate is_kept, Instant now) {
        std::vector<GrantKey> over;
        for (const auto& [key, grant] : grants_) {
            if (!is_kept(key.first, key.second)) {
                over.push_back(key);
            }
        }
        for (const auto& [peer, resource] : over) {
            end(peer, resource, now);
        }
    }

    /// 0: none yet.
    using Handle = std::uint64_t;
    struct Start {
        Uuid peer;
        ResourceId resource;
        net::SocketAddress source;
        net::SocketAddress destination;
        std::string domain;
        std::optional<connectivity::SendPath> path;
    };
    /// So many packets of the initiator, of which this is the first, or all in one. False: they begin a flow, and
    /// start() is to be called.
    [[nodiscard]] bool note_sent(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now);
    [[nodiscard]] Handle start(Start start, const packet::IpPacket& packet, std::size_t packets, Instant now);
    /// What to remember instead of a handle of a flow that belongs to no resource.
    [[nodiscard]] Handle nothing() const { return kNothing | generation_; }
    void note_received(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now);

    using PathOf = std::function<std::optional<connectivity::SendPath>(const Uuid& peer)>;
    /// Once a second while it is on.
    void sweep(Instant now, const PathOf& path_of);
    /// The program ends.
    void finish_all(Instant now);

    /// A batch, if it is time for one.
    [[nodiscard]] std::optional<FlowsTracked> poll();

    [[nodiscard]] std::size_t size() const { return flows_.size(); }

private:
    using Index = std::uint32_t;
    static constexpr Index kNone = ~Index{0};
    static constexpr Handle kNothing = Handle{1} << 63U;

    /// The last paths to a peer, numbered since the first one.
    struct Paths {
        std::deque<connectivity::SendPath> last;
        std::uint64_t next = 0;
    };
    using GrantKey = std::pair<Uuid, ResourceId>;
    struct Grant {
        std::shared_ptr<const FlowAuthorization> authorization;
        std::shared_ptr<Paths> paths;
        Index first = kNone;
    };
    struct Tracked {
        std::shared_ptr<const FlowAuthorization> authorization;
        std::shared_ptr<const Paths> paths;
        Grant* grant = nullptr;
        net::SocketAddress source;
        net::SocketAddress destination;
        std::string domain;
        std::uint64_t first_path = 0;
        // Among those of the grant.
        Index next = kNone;
        Index previous = kNone;
    };
    using Flow = FlowAccounts<Tracked>::Flow;

    void note_path(Paths& paths, const connectivity::SendPath& path);
    void end(std::map<GrantKey, Grant>::iterator grant, Instant now);
    void finish(Flow& flow, Instant end);
    [[nodiscard]] TrackedFlow describe(const Flow& flow) const;
    void record(TrackedFlow flow);

    std::map<GrantKey, Grant> grants_;
    /// By peer; as long as it has a grant.
    std::map<Uuid, std::shared_ptr<Paths>> paths_;
    /// Grows when what belonged to nothing may belong to something.
    std::uint32_t generation_ = 0;

    FlowAccounts<Tracked> flows_;
    /// Begun since the last sweep, for the next one.
    std::vector<Handle> begun_;

    std::vector<std::pair<std::shared_ptr<const Paths>, TrackedFlow>> pathless_;
    std::vector<TrackedFlow> records_;
    std::uint64_t dropped_ = 0;
    bool is_due_ = false;
    /// Nobody will come back for what is left.
    bool is_ending_ = false;
};

}  // namespace culvert::tunnel
