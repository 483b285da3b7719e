#include "culvert/tunnel/flow_tracker.h"

#include <algorithm>

#include "culvert/observability/log.h"
#include "culvert/packet/constants.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"flow_tracker"};

bool has_flag(const packet::IpPacket& packet, std::uint8_t flag) {
    return (packet.tcp_flags() & flag) != 0;
}

/// UDP, and TCP without RST or FIN.
bool may_begin(const packet::IpPacket& packet) {
    return packet.is_udp() || (packet.is_tcp() && !has_flag(packet, packet::kTcpRst | packet::kTcpFin));
}

/// nullptr: there is no use for flows of this authorization.
std::shared_ptr<const FlowAuthorization> read_token(const std::optional<std::string>& token, const Uuid& peer) {
    if (!token) {
        return nullptr;
    }
    const auto claims = portal_api::decode_ingest_token(*token);
    if (!claims) {
        kLog.debug("Recording no flows: the token of an authorization is malformed", log::field("peer", peer));
        return nullptr;
    }
    if (!claims->uploads_enabled) {
        return nullptr;
    }
    return std::make_shared<const FlowAuthorization>(
        FlowAuthorization{claims->policy_authorization, claims->role, claims->expires_at, *token});
}

}  // namespace

// --- Authorizations ---

void FlowTracker::authorize(const Uuid& peer, const ResourceId& resource, const std::optional<std::string>& token,
                            Instant now) {
    auto authorization = read_token(token, peer);
    if (!authorization) {
        end(peer, resource, now);
        return;
    }
    auto& paths = paths_[peer];
    if (!paths) {
        paths = std::make_shared<Paths>();
    }
    auto& grant = grants_[{peer, resource}];
    // Flows that run stay with the authorization under which they began.
    grant.authorization = std::move(authorization);
    grant.paths = paths;
    ++generation_;
}

void FlowTracker::end(const Uuid& peer, const ResourceId& resource, Instant now) {
    if (const auto grant = grants_.find({peer, resource}); grant != grants_.end()) {
        end(grant, now);
    }
}

void FlowTracker::end_all_of(const Uuid& peer, Instant now) {
    for (auto grant = grants_.lower_bound({peer, ResourceId{}}); grant != grants_.end() && grant->first.first == peer;
         grant = grants_.lower_bound({peer, ResourceId{}})) {
        end(grant, now);
    }
}

void FlowTracker::end(std::map<GrantKey, Grant>::iterator grant, Instant now) {
    while (grant->second.first != kNone) {
        finish(flows_[grant->second.first], now);
    }
    const auto peer = grant->first.first;
    const auto next = grants_.erase(grant);
    const auto first = grants_.lower_bound({peer, ResourceId{}});
    if ((next == grants_.end() || next->first.first != peer) &&
        (first == grants_.end() || first->first.first != peer)) {
        paths_.erase(peer);
    }
}

// --- Packets ---

FlowTracker::Flow* FlowTracker::find(Handle handle) {
    const auto index = static_cast<Index>(handle);
    if (handle == 0 || index >= flows_.size() || flows_[index].generation != handle >> 32U) {
        return nullptr;
    }
    return &flows_[index];
}

FlowTracker::Handle FlowTracker::handle_of(const Flow& flow) const {
    return (Handle{flow.generation} << 32U) | index_of(flow);
}

bool FlowTracker::note_sent(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    if (handle == nothing()) {
        return true;
    }
    auto* flow = find(handle);
    if (flow == nullptr) {
        return !may_begin(packet);
    }
    if (flow->is_tcp) {
        const auto is_opening = has_flag(packet, packet::kTcpSyn);
        if (is_opening && flow->has_answered_syn) {  // not one that is sent again
            finish(*flow, now);
            return false;
        }
        flow->has_answered_syn |= !is_opening;
    }
    flow->sent_packets += packets;
    flow->sent_bytes += packet.payload().size();
    note(*flow, now);
    note_flags(*flow, packet, flow->sent_fin, now);
    return true;
}

FlowTracker::Handle FlowTracker::start(Start start, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    const auto found = grants_.find({start.peer, start.resource});
    if (found == grants_.end()) {
        return nothing();
    }
    auto& grant = found->second;
    if (start.path) {
        note_path(*grant.paths, *start.path);
    }
    if (size_ >= limit_) {
        finish(flows_[oldest_], now);
    }
    if (free_.empty()) {
        free_.push_back(static_cast<Index>(flows_.size()));
        flows_.emplace_back();
    }
    const auto index = free_.back();
    free_.pop_back();
    auto& flow = flows_[index];
    // One bit less than there are, so that no handle looks like nothing().
    const auto generation = (flow.generation + 1) & 0x7fffffffU;
    flow = {};
    flow.authorization = grant.authorization;
    flow.paths = grant.paths;
    flow.grant = &grant;
    flow.source = start.source;
    flow.destination = start.destination;
    flow.domain = std::move(start.domain);
    flow.first_path = grant.paths->next - (grant.paths->last.empty() ? 0 : 1);
    flow.is_tcp = packet.is_tcp();
    flow.started_at = flow.last_packet = now;
    flow.generation = generation;
    flow.sent_packets = packets;
    flow.sent_bytes = packet.payload().size();
    flow.next = grant.first;
    if (flow.next != kNone) {
        flows_[flow.next].previous = index;
    }
    grant.first = index;
    put_first(index, now);
    ++size_;
    begun_.push_back(handle_of(flow));
    return handle_of(flow);
}

void FlowTracker::note_received(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    auto* flow = find(handle);
    if (flow == nullptr) {
        return;
    }
    flow->received_packets += packets;
    flow->received_bytes += packet.payload().size();
    note(*flow, now);
    note_flags(*flow, packet, flow->received_fin, now);
}

void FlowTracker::note(Flow& flow, Instant now) {
    flow.last_packet = now;
    if (now - flow.listed_at >= kFlowTimeResolution) {
        const auto index = index_of(flow);
        take_out(index);
        put_first(index, now);
    }
}

void FlowTracker::note_flags(Flow& flow, const packet::IpPacket& packet, bool& fin, Instant now) {
    if (!flow.is_tcp) {
        return;
    }
    if (has_flag(packet, packet::kTcpRst)) {
        finish(flow, now);
    } else if (has_flag(packet, packet::kTcpFin) && !std::exchange(fin, true) && flow.sent_fin && flow.received_fin) {
        closed_.push_back(handle_of(flow));
    }
}

/// A flow that began with one of the last kMaxFlowOuters paths finds them all.
void FlowTracker::note_path(Paths& paths, const connectivity::SendPath& path) {
    if (!paths.last.empty() && paths.last.back() == path) {
        return;
    }
    paths.last.push_back(path);
    ++paths.next;
    if (paths.last.size() > portal_api::kMaxFlowOuters) {
        paths.last.pop_front();
    }
}

// --- Time ---

void FlowTracker::sweep(Instant now, const PathOf& path_of) {
    for (const auto handle : std::exchange(closed_, {})) {
        if (auto* flow = find(handle)) {
            finish(*flow, flow->last_packet);
        }
    }
    for (const auto& [peer, paths] : paths_) {
        const auto path = path_of(peer);
        if (!path || (!paths->last.empty() && paths->last.back() == *path)) {
            continue;
        }
        // One path more than a record has room for: what runs goes on as another flow.
        for (auto grant = grants_.lower_bound({peer, ResourceId{}});
             grant != grants_.end() && grant->first.first == peer; ++grant) {
            for (auto index = grant->second.first; index != kNone;) {
                auto& flow = flows_[index];
                index = flow.next;
                if (paths->next - flow.first_path >= portal_api::kMaxFlowOuters) {
                    finish(flow, now);
                }
            }
        }
        note_path(*paths, *path);
    }
    // Over before the path that its first packets waited for was known; without one nothing ever left this device.
    for (auto& [paths, flow] : std::exchange(pathless_, {})) {
        if (!paths->last.empty()) {
            flow.paths.push_back(paths->last.back());
            record(std::move(flow));
        }
    }
    while (oldest_ != kNone && now - flows_[oldest_].listed_at > kLoggedFlowIdleTime + kFlowTimeResolution) {
        finish(flows_[oldest_], now);
    }
    // What is over by now needs one record, not two.
    for (const auto handle : std::exchange(begun_, {})) {
        if (const auto* flow = find(handle)) {
            record(describe(*flow));
        }
    }
    is_due_ = true;
}

void FlowTracker::finish_all(Instant now) {
    is_ending_ = true;
    while (!grants_.empty()) {
        end(grants_.begin(), now);
    }
    begun_.clear();
    closed_.clear();
    is_due_ = true;
}

void FlowTracker::finish(Flow& flow, Instant end) {
    auto record_of_all = describe(flow);
    record_of_all.end = TrackedFlow::End{.ended_at = end,
                                         .last_packet = flow.last_packet,
                                         .rx_packets = flow.received_packets,
                                         .tx_packets = flow.sent_packets,
                                         .rx_bytes = flow.received_bytes,
                                         .tx_bytes = flow.sent_bytes};
    if (record_of_all.paths.empty()) {
        pathless_.emplace_back(flow.paths, std::move(record_of_all));
    } else {
        record(std::move(record_of_all));
    }
    const auto index = index_of(flow);
    take_out(index);
    (flow.previous == kNone ? flow.grant->first : flows_[flow.previous].next) = flow.next;
    if (flow.next != kNone) {
        flows_[flow.next].previous = flow.previous;
    }
    const auto generation = (flow.generation + 1) & 0x7fffffffU;
    flow = {};
    flow.generation = generation;
    free_.push_back(index);
    --size_;
}

/// With the paths on which it may have sent.
TrackedFlow FlowTracker::describe(const Flow& flow) const {
    TrackedFlow tracked{.authorization = flow.authorization,
                        .protocol = flow.is_tcp ? portal_api::FlowProtocol::kTcp : portal_api::FlowProtocol::kUdp,
                        .source = flow.source,
                        .destination = flow.destination,
                        .domain = flow.domain,
                        .paths = {},
                        .started_at = flow.started_at,
                        .end = {}};
    const auto& paths = *flow.paths;
    auto number = paths.next - paths.last.size();
    for (const auto& path : paths.last) {
        const bool is_first = number == flow.first_path;
        if (number++ >= flow.first_path && (is_first || path.activated_at <= flow.last_packet)) {
            tracked.paths.push_back(path);
        }
    }
    return tracked;
}

void FlowTracker::record(TrackedFlow flow) {
    if (records_.size() >= kQueuedFlowRecords && !is_ending_) {
        ++dropped_;
        return;
    }
    records_.push_back(std::move(flow));
    is_due_ |= records_.size() >= kFlowRecordBatch;
}

std::optional<FlowsTracked> FlowTracker::poll() {
    if (!is_due_) {
        return std::nullopt;
    }
    is_due_ = false;
    if (records_.empty() && dropped_ == 0) {
        return std::nullopt;
    }
    return FlowsTracked{std::exchange(records_, {}), std::exchange(dropped_, 0)};
}

// --- In the order in which they were used ---

void FlowTracker::put_first(Index index, Instant now) {
    auto& flow = flows_[index];
    flow.listed_at = now;
    flow.newer = kNone;
    flow.older = std::exchange(newest_, index);
    (flow.older == kNone ? oldest_ : flows_[flow.older].newer) = index;
}

void FlowTracker::take_out(Index index) {
    const auto& flow = flows_[index];
    (flow.newer == kNone ? newest_ : flows_[flow.newer].older) = flow.older;
    (flow.older == kNone ? oldest_ : flows_[flow.older].newer) = flow.newer;
}

}  // namespace culvert::tunnel
