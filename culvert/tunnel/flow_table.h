#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/address_pair_hash.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/flow_key.h"

namespace culvert::tunnel {

/// The flows that clients opened, and with which peer at the other end of the tunnel: what comes towards a client is
/// let in only if it answers one of them.
///
/// A flow is opened by a packet of the client, never by one that is sent to it. It is forgotten when it has been idle
/// for as long as a good NAT would wait (constants.h), or to make room: at most Limits::per_peer flows are kept for one
/// peer, Limits::per_owner for all peers of one owner, and Limits::total for all. The one that goes is one of the peer
/// that opens another; or, if its owner has too many, one of the owner's peer that has the most; or, if the table is
/// full, one of the owner that has the most. So nobody loses a flow to others while he has no more than his share,
/// whatever the number of their devices. Of a peer's flows an expired one goes first, then echoes, TCP connections that
/// are being opened or closed, datagrams, and established TCP connections; of each kind the one that was idle for
/// longest.
///
/// A peer opens no more than Limits::burst flows at once and one per Limits::interval from then on.
///
/// The entry also remembers that look-ups and rules let the flow pass, so that packets of a running flow cost one
/// search. Whoever changes what that judgement is made of calls invalidate(); flows outlive it, the judgement does not.
///
/// Allocates only when a flow is opened, and then seldom.
class FlowTable {
public:
    /// How long a flow may be idle, by kind.
    struct IdleTimes {
        Duration echo = kEchoIdleTime;
        Duration datagrams = kDatagramIdleTime;
        Duration transitory_tcp = kTransitoryTcpIdleTime;
        Duration established_tcp = kEstablishedTcpIdleTime;
    };

    struct Limits {
        std::size_t total;
        std::size_t per_peer;
        std::size_t per_owner = std::numeric_limits<std::size_t>::max();
        /// Zero: a peer opens flows as fast as it likes.
        Duration interval = Duration::zero();
        unsigned burst = 0;
        IdleTimes idle = {};
        /// A peer that has as many as it may opens no more, instead of losing those it has: it must not be able to have
        /// a flow forgotten.
        bool keeps_old = false;
    };

    /// The other end of the tunnel, and whose it is: several peers may be of one owner.
    struct Partner {
        Uuid id;
        Uuid owner;
    };

    struct Flow;

    /// `rng` draws the secret of the hash function, so that no peer can choose flows that slow down the search.
    FlowTable(Limits limits, Rng rng);

    /// The flow, or null. Valid until the next call that may open or forget flows.
    [[nodiscard]] Flow* find(const FlowKey& key, Instant now);

    /// Takes note of a packet of the client that was judged fit to go to `partner` or to come from it. Opens a flow, or
    /// moves it from another peer, unless the packet could only be an answer itself (a TCP SYN-ACK or RST): a client
    /// never answers what was not let in. False: the peer opens flows faster than it may, and the packet is to be
    /// dropped.
    [[nodiscard]] bool open(const FlowKey& key, const Partner& partner, const packet::IpPacket& packet, Instant now);

    /// Whether the flow was judged since the last invalidate(), so that its next packet need not be.
    [[nodiscard]] bool is_judged(const Flow& flow) const;
    void invalidate() { ++generation_; }

    /// Takes note of a further packet of the client.
    void note_sent(Flow& flow, const packet::IpPacket& packet, Instant now);
    /// Whether a packet towards the client can be part of the flow. Only a SYN can not, unless both ends open the
    /// connection at once: the client may listen today on a port that it once connected from.
    [[nodiscard]] static bool can_be_answer(const Flow& flow, const packet::IpPacket& packet);
    /// The same for a packet that is to pass: takes note of it if it can.
    [[nodiscard]] bool admit(Flow& flow, const packet::IpPacket& packet, Instant now);

    [[nodiscard]] static const Uuid& peer_of(const Flow& flow);
    /// What the user of the table keeps with a flow, for its log and for its records; 0 at first.
    [[nodiscard]] static std::uint64_t& tag_of(Flow& flow);
    [[nodiscard]] static std::uint64_t& record_of(Flow& flow);

    void forget_peer(const Uuid& peer);

    /// The flows that have not expired. Off the hot path.
    [[nodiscard]] std::vector<FlowKey> live(Instant now) const;

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    using Index = std::uint32_t;
    static constexpr Index kNone = ~Index{0};

    /// By idle time, in the order in which flows make room for others.
    enum class Kind : std::uint8_t { kEcho, kTransitoryTcp, kDatagrams, kEstablishedTcp };
    static constexpr std::size_t kKinds = 4;
    static constexpr std::array<Kind, kKinds> kAllKinds = {Kind::kEcho, Kind::kTransitoryTcp, Kind::kDatagrams,
                                                           Kind::kEstablishedTcp};

    /// The flows of one kind and peer, the most recently used first.
    struct List {
        Index newest = kNone;
        Index oldest = kNone;
    };
    struct Owner {
        std::size_t size = 0;
        std::size_t peers = 0;
    };
    struct Peer {
        std::array<List, kKinds> lists;
        std::size_t size = 0;
        Uuid owner_id;
        Owner* owner = nullptr;
        /// When it may open a whole burst again: later by an interval with each flow that it opens.
        Instant rested_at;

        [[nodiscard]] List& list(Kind kind) { return lists[static_cast<std::size_t>(kind)]; }
    };

    [[nodiscard]] std::size_t bucket_of(const FlowKey& key) const;
    [[nodiscard]] Index search(const FlowKey& key) const;
    /// Of the peer, which becomes known if it is not. Null if it opens flows too fast.
    [[nodiscard]] Peer* admit_newcomer(const Partner& partner, Instant now);
    void give_to(const Uuid& owner_id, Peer& peer);
    void take_from_owner(const Peer& peer);
    [[nodiscard]] Index insert(const FlowKey& key, const Uuid& peer_id, Peer& peer, Instant now);
    void grow_buckets();
    void make_room(Peer& peer, Instant now);
    [[nodiscard]] Index expired_of(Peer& peer, Instant now) const;
    [[nodiscard]] static Index first_to_go(Peer& peer);
    void give_way(Peer& peer, Instant now);
    /// Of a peer that has far more than the newcomer some more go, so that the search for it is not made for each flow;
    /// but flows of other owners never push its owner below its share.
    void give_much_way(Peer& largest, const Peer& newcomer, Instant now);
    /// `newcomer` counts with the flow that is to come, so that it comes first among equals.
    [[nodiscard]] const Owner& largest_owner(const Peer& newcomer) const;
    [[nodiscard]] Peer& largest_peer(const Owner& owner, const Peer& newcomer);
    /// Peers without flows are remembered until they are rested, or whoever lets go of all flows could open as many at
    /// once again.
    void forget_rested_peers(Instant now);
    void erase(Index index);
    /// Into the list of its peer and kind, and out of it.
    void put_first(Index index);
    void take_out(Index index);
    void update(Flow& flow, std::uint8_t state, Instant now);
    [[nodiscard]] Index index_of(const Flow& flow) const;
    [[nodiscard]] static Kind kind_of(const Flow& flow);
    [[nodiscard]] bool is_expired(const Flow& flow, Instant now) const;

    Limits limits_;
    net::AddressPairHash hash_;
    std::uint32_t generation_ = 1;

    std::vector<Flow> flows_;
    Index free_ = kNone;
    std::vector<Index> buckets_;
    std::size_t size_ = 0;
    std::map<Uuid, Peer> peers_;
    std::map<Uuid, Owner> owners_;
};

struct FlowTable::Flow {
    FlowKey key;
    std::uint8_t state = 0;
    Kind kind = Kind::kEcho;
    std::uint32_t judged_in = 0;
    std::uint64_t tag = 0;
    std::uint64_t record = 0;
    Uuid peer_id;
    Peer* peer = nullptr;
    /// When it was used last by either side and by the client, as of some fraction of a second.
    Instant used_at;
    Instant sent_at;
    /// In its bucket, or among the free entries.
    Index next = kNone;
    Index newer = kNone;
    Index older = kNone;
};

inline bool FlowTable::is_judged(const Flow& flow) const {
    return flow.judged_in == generation_;
}

inline const Uuid& FlowTable::peer_of(const Flow& flow) {
    return flow.peer_id;
}

inline std::uint64_t& FlowTable::tag_of(Flow& flow) {
    return flow.tag;
}

inline std::uint64_t& FlowTable::record_of(Flow& flow) {
    return flow.record;
}

}  // namespace culvert::tunnel
