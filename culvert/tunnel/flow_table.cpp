#include "culvert/tunnel/flow_table.h"

#include <algorithm>
#include <utility>

#include "culvert/packet/constants.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr std::size_t kFirstBuckets = 256;
/// How many flows go at once if one search found who has far too many.
constexpr std::size_t kRoomMadeAtOnce = 64;

// What was seen of a flow.
constexpr std::uint8_t kAnswered = 0x01;
constexpr std::uint8_t kConfirmed = 0x02;  // TCP: by the client, with more than its SYN
constexpr std::uint8_t kClientFin = 0x04;
constexpr std::uint8_t kRemoteFin = 0x08;
constexpr std::uint8_t kReset = 0x10;

bool has(std::uint8_t flags, std::uint8_t flag) {
    return (flags & flag) != 0;
}

std::uint8_t with(std::uint8_t state, std::uint8_t flag, bool is_set) {
    return is_set ? static_cast<std::uint8_t>(state | flag) : state;
}

bool is_closed_by_both(std::uint8_t state) {
    return has(state, kClientFin) && has(state, kRemoteFin);
}

/// A SYN that opens a connection.
bool is_opening(std::uint8_t flags) {
    return has(flags, packet::kTcpSyn) && !has(flags, packet::kTcpAck);
}

std::uint8_t after_sent(std::uint8_t state, std::uint8_t flags) {
    if (is_opening(flags)) {
        return 0;  // a connection, maybe a new one between the same ports
    }
    const bool is_reset = has(flags, packet::kTcpRst);
    if (!is_reset && !is_closed_by_both(state)) {
        state = static_cast<std::uint8_t>(state & ~kReset);  // a client that goes on did not believe the RST
    }
    state = with(state, kConfirmed, !has(flags, packet::kTcpSyn));
    state = with(state, kClientFin, has(flags, packet::kTcpFin));
    return with(state, kReset, is_reset);
}

std::uint8_t after_received(std::uint8_t state, std::uint8_t flags) {
    state = with(state, kAnswered, true);
    state = with(state, kRemoteFin, has(flags, packet::kTcpFin));
    return with(state, kReset, has(flags, packet::kTcpRst));
}

}  // namespace

FlowTable::FlowTable(Limits limits, Rng rng) : limits_{limits}, hash_{rng}, buckets_(kFirstBuckets, kNone) {}

// --- Use ---

FlowTable::Flow* FlowTable::find(const FlowKey& key, Instant now) {
    const auto index = search(key);
    if (index == kNone) {
        return nullptr;
    }
    auto& flow = flows_[index];
    if (is_expired(flow, now)) {
        erase(index);
        return nullptr;
    }
    return &flow;
}

bool FlowTable::open(const FlowKey& key, const Partner& partner, const packet::IpPacket& packet, Instant now) {
    auto* flow = find(key, now);
    if (flow != nullptr && flow->peer_id != partner.id) {
        erase(index_of(*flow));
        flow = nullptr;
    }
    if (flow == nullptr) {
        const auto flags = packet.is_tcp() ? packet.tcp_flags() : std::uint8_t{0};
        if (has(flags, packet::kTcpRst) || (has(flags, packet::kTcpSyn) && has(flags, packet::kTcpAck))) {
            return true;
        }
        auto* peer = admit_newcomer(partner, now);
        if (peer == nullptr) {
            return false;
        }
        flow = &flows_[insert(key, partner.id, *peer, now)];
    }
    flow->judged_in = generation_;
    note_sent(*flow, packet, now);
    return true;
}

void FlowTable::note_sent(Flow& flow, const packet::IpPacket& packet, Instant now) {
    const auto state = packet.is_tcp() ? after_sent(flow.state, packet.tcp_flags()) : flow.state;
    if (state != flow.state || now - flow.sent_at >= kFlowTimeResolution) {
        flow.sent_at = now;
        update(flow, state, now);
    }
}

bool FlowTable::can_be_answer(const Flow& flow, const packet::IpPacket& packet) {
    return !packet.is_tcp() || !is_opening(packet.tcp_flags()) || !has(flow.state, kConfirmed);
}

bool FlowTable::admit(Flow& flow, const packet::IpPacket& packet, Instant now) {
    if (!can_be_answer(flow, packet)) {
        return false;
    }
    const auto state = after_received(flow.state, packet.is_tcp() ? packet.tcp_flags() : std::uint8_t{0});
    if (state != flow.state || now - flow.used_at >= kFlowTimeResolution) {
        update(flow, state, now);
    }
    return true;
}

void FlowTable::update(Flow& flow, std::uint8_t state, Instant now) {
    const auto index = index_of(flow);
    take_out(index);
    flow.state = state;
    flow.used_at = now;
    flow.kind = kind_of(flow);
    put_first(index);
}

// --- Time ---

FlowTable::Kind FlowTable::kind_of(const Flow& flow) {
    switch (flow.key.protocol) {
        case packet::kProtocolTcp: {
            const bool is_open = has(flow.state, kAnswered) && has(flow.state, kConfirmed) &&
                                 !has(flow.state, kReset) && !is_closed_by_both(flow.state);
            return is_open ? Kind::kEstablishedTcp : Kind::kTransitoryTcp;
        }
        case packet::kProtocolIcmp:
        case packet::kProtocolIcmpv6:
            return Kind::kEcho;
        default:
            return Kind::kDatagrams;
    }
}

bool FlowTable::is_expired(const Flow& flow, Instant now) const {
    const auto& idle = limits_.idle;
    const auto limit = [&] {
        switch (flow.kind) {
            case Kind::kEcho:
                return idle.echo;
            case Kind::kTransitoryTcp:
                return idle.transitory_tcp;
            case Kind::kDatagrams:
                return idle.datagrams;
            case Kind::kEstablishedTcp:
                break;
        }
        return idle.established_tcp;
    }();
    return now - flow.used_at > limit + kFlowTimeResolution ||
           now - flow.sent_at > kEstablishedTcpIdleTime + kFlowTimeResolution;
}

// --- Room ---

FlowTable::Peer* FlowTable::admit_newcomer(const Partner& partner, Instant now) {
    auto found = peers_.find(partner.id);
    if (found == peers_.end()) {
        forget_rested_peers(now);
        found = peers_.try_emplace(partner.id).first;
        found->second.rested_at = now;
    }
    auto& peer = found->second;
    if (peer.owner == nullptr || peer.owner_id != partner.owner) {
        give_to(partner.owner, peer);
    }
    if (limits_.keeps_old && peer.size >= limits_.per_peer && expired_of(peer, now) == kNone) {
        return nullptr;
    }
    const auto rested_at = std::max(peer.rested_at, now) + limits_.interval;
    if (rested_at - now > limits_.interval * limits_.burst) {
        return nullptr;
    }
    peer.rested_at = rested_at;
    return &peer;
}

void FlowTable::give_to(const Uuid& owner_id, Peer& peer) {
    auto& owner = owners_[owner_id];
    ++owner.peers;
    owner.size += peer.size;
    if (peer.owner != nullptr) {
        peer.owner->size -= peer.size;
        take_from_owner(peer);
    }
    peer.owner = &owner;
    peer.owner_id = owner_id;
}

void FlowTable::take_from_owner(const Peer& peer) {
    if (--peer.owner->peers == 0) {
        owners_.erase(peer.owner_id);
    }
}

FlowTable::Index FlowTable::insert(const FlowKey& key, const Uuid& peer_id, Peer& peer, Instant now) {
    make_room(peer, now);
    if (size_ >= buckets_.size()) {
        grow_buckets();
    }
    Index index = free_;
    if (index == kNone) {
        index = static_cast<Index>(flows_.size());
        flows_.emplace_back();
    } else {
        free_ = flows_[index].next;
        flows_[index] = {};
    }
    auto& flow = flows_[index];
    auto& bucket = buckets_[bucket_of(key)];
    flow.key = key;
    flow.peer_id = peer_id;
    flow.peer = &peer;
    flow.sent_at = flow.used_at = now;
    flow.kind = kind_of(flow);
    flow.next = std::exchange(bucket, index);
    put_first(index);
    ++peer.size;
    ++peer.owner->size;
    ++size_;
    return index;
}

void FlowTable::make_room(Peer& peer, Instant now) {
    // For the flow that is to come.
    ++peer.size;
    ++peer.owner->size;
    // Two for one, so that what expired does not stay for as long as there is room.
    for (int i = 0; i < 2; ++i) {
        if (const auto expired = expired_of(peer, now); expired != kNone) {
            erase(expired);
        }
    }
    if (peer.size > limits_.per_peer) {
        give_way(peer, now);
    } else if (peer.owner->size > limits_.per_owner) {
        give_much_way(largest_peer(*peer.owner, peer), peer, now);
    } else if (size_ >= limits_.total) {
        give_much_way(largest_peer(largest_owner(peer), peer), peer, now);
    }
    --peer.owner->size;
    --peer.size;
}

void FlowTable::give_way(Peer& peer, Instant now) {
    const auto expired = expired_of(peer, now);
    erase(expired != kNone ? expired : first_to_go(peer));
}

void FlowTable::give_much_way(Peer& largest, const Peer& newcomer, Instant now) {
    const auto share = limits_.total / owners_.size();
    const auto may_lose_more = [&] {
        return largest.size > newcomer.size + kRoomMadeAtOnce &&
               (largest.owner == newcomer.owner || largest.owner->size > share);
    };
    give_way(largest, now);
    for (std::size_t i = 1; i < kRoomMadeAtOnce && may_lose_more(); ++i) {
        give_way(largest, now);
    }
}

FlowTable::Index FlowTable::expired_of(Peer& peer, Instant now) const {
    for (const auto kind : kAllKinds) {
        const auto oldest = peer.list(kind).oldest;
        if (oldest != kNone && is_expired(flows_[oldest], now)) {
            return oldest;
        }
    }
    return kNone;
}

FlowTable::Index FlowTable::first_to_go(Peer& peer) {
    for (const auto kind : kAllKinds) {
        if (const auto oldest = peer.list(kind).oldest; oldest != kNone) {
            return oldest;
        }
    }
    return kNone;
}

const FlowTable::Owner& FlowTable::largest_owner(const Peer& newcomer) const {
    return std::ranges::max_element(owners_, {},
                                    [&](const auto& entry) {
                                        const auto& owner = entry.second;
                                        const bool has_none = &owner == newcomer.owner && owner.size == 1;
                                        return has_none ? 0 : owner.size;
                                    })
        ->second;
}

FlowTable::Peer& FlowTable::largest_peer(const Owner& owner, const Peer& newcomer) {
    return std::ranges::max_element(peers_, {},
                                    [&](const auto& entry) {
                                        const auto& peer = entry.second;
                                        const bool has_none = &peer == &newcomer && peer.size == 1;
                                        return peer.owner != &owner || has_none ? 0 : peer.size;
                                    })
        ->second;
}

void FlowTable::forget_peer(const Uuid& peer_id) {
    const auto found = peers_.find(peer_id);
    if (found == peers_.end()) {
        return;
    }
    auto& peer = found->second;
    while (peer.size > 0) {
        erase(first_to_go(peer));
    }
}

std::vector<FlowKey> FlowTable::live(Instant now) const {
    std::vector<FlowKey> live;
    for (const auto& [id, peer] : peers_) {
        for (const auto& list : peer.lists) {
            for (auto index = list.newest; index != kNone; index = flows_[index].older) {
                if (!is_expired(flows_[index], now)) {
                    live.push_back(flows_[index].key);
                }
            }
        }
    }
    return live;
}

void FlowTable::forget_rested_peers(Instant now) {
    std::erase_if(peers_, [&](const auto& entry) {
        const auto& peer = entry.second;
        if (peer.size > 0 || peer.rested_at > now) {
            return false;
        }
        take_from_owner(peer);
        return true;
    });
}

// --- Structure ---

std::size_t FlowTable::bucket_of(const FlowKey& key) const {
    const auto rest = (std::uint64_t{key.icmp_query} << 40U) | (std::uint64_t{key.protocol} << 32U) |
                      (std::uint64_t{key.client_value} << 16U) | key.remote_value;
    return hash_(key.client, key.remote, rest) & (buckets_.size() - 1);
}

FlowTable::Index FlowTable::search(const FlowKey& key) const {
    auto index = buckets_[bucket_of(key)];
    while (index != kNone && !(flows_[index].key == key)) {
        index = flows_[index].next;
    }
    return index;
}

FlowTable::Index FlowTable::index_of(const Flow& flow) const {
    return static_cast<Index>(&flow - flows_.data());
}

void FlowTable::grow_buckets() {
    std::vector<Index> entries;
    for (auto index : buckets_) {
        for (; index != kNone; index = flows_[index].next) {
            entries.push_back(index);
        }
    }
    buckets_.assign(buckets_.size() * 2, kNone);
    for (const auto index : entries) {
        flows_[index].next = std::exchange(buckets_[bucket_of(flows_[index].key)], index);
    }
}

void FlowTable::erase(Index index) {
    auto& flow = flows_[index];
    auto* link = &buckets_[bucket_of(flow.key)];
    while (*link != index) {
        link = &flows_[*link].next;
    }
    *link = flow.next;
    take_out(index);
    --size_;
    --flow.peer->size;
    --flow.peer->owner->size;
    flow.next = std::exchange(free_, index);
}

void FlowTable::put_first(Index index) {
    auto& flow = flows_[index];
    auto& list = flow.peer->list(flow.kind);
    flow.newer = kNone;
    flow.older = std::exchange(list.newest, index);
    (flow.older == kNone ? list.oldest : flows_[flow.older].newer) = index;
}

void FlowTable::take_out(Index index) {
    const auto& flow = flows_[index];
    auto& list = flow.peer->list(flow.kind);
    (flow.newer == kNone ? list.newest : flows_[flow.newer].older) = flow.older;
    (flow.older == kNone ? list.oldest : flows_[flow.older].newer) = flow.newer;
}

}  // namespace culvert::tunnel
