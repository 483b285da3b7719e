#include "culvert/tunnel/flow_tracker.h"

#include <algorithm>

#include "culvert/observability/log.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"flow_tracker"};

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
        finish(flows_.at(grant->second.first), now);
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

bool FlowTracker::note_sent(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    if (handle == nothing()) {
        return true;
    }
    auto* flow = flows_.find(handle);
    if (flow == nullptr) {
        return !may_begin_account(packet);
    }
    if (flow->is_followed_by(packet)) {
        finish(*flow, now);
        return false;
    }
    if (flows_.note_sent(*flow, packet, packets, now)) {
        finish(*flow, now);
    }
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
    if (flows_.is_full()) {
        finish(*flows_.least_recently_used(), now);
    }
    const auto& flow = flows_.begin({.authorization = grant.authorization,
                                     .paths = grant.paths,
                                     .grant = &grant,
                                     .source = start.source,
                                     .destination = start.destination,
                                     .domain = std::move(start.domain),
                                     .first_path = grant.paths->next - (grant.paths->last.empty() ? 0 : 1),
                                     .next = grant.first},
                                    packet, packets, now);
    if (grant.first != kNone) {
        flows_.at(grant.first).what.previous = flows_.index_of(flow);
    }
    grant.first = flows_.index_of(flow);
    begun_.push_back(flows_.handle_of(flow));
    return begun_.back();
}

void FlowTracker::note_received(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    auto* flow = flows_.find(handle);
    if (flow != nullptr && flows_.note_received(*flow, packet, packets, now)) {
        finish(*flow, now);
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
    for (const auto handle : flows_.take_closed()) {
        if (auto* flow = flows_.find(handle)) {
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
                auto& flow = flows_.at(index);
                index = flow.what.next;
                if (paths->next - flow.what.first_path >= portal_api::kMaxFlowOuters) {
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
    while (auto* flow = flows_.silent(now)) {
        finish(*flow, now);
    }
    // What is over by now needs one record, not two.
    for (const auto handle : std::exchange(begun_, {})) {
        if (const auto* flow = flows_.find(handle)) {
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
    const auto& what = flow.what;
    if (record_of_all.paths.empty()) {
        pathless_.emplace_back(what.paths, std::move(record_of_all));
    } else {
        record(std::move(record_of_all));
    }
    (what.previous == kNone ? what.grant->first : flows_.at(what.previous).what.next) = what.next;
    if (what.next != kNone) {
        flows_.at(what.next).what.previous = what.previous;
    }
    flows_.erase(flow);
}

/// With the paths on which it may have sent.
TrackedFlow FlowTracker::describe(const Flow& flow) const {
    const auto& what = flow.what;
    TrackedFlow tracked{.authorization = what.authorization,
                        .protocol = flow.is_tcp ? portal_api::FlowProtocol::kTcp : portal_api::FlowProtocol::kUdp,
                        .source = what.source,
                        .destination = what.destination,
                        .domain = what.domain,
                        .paths = {},
                        .started_at = flow.started_at,
                        .end = {}};
    const auto& paths = *what.paths;
    auto number = paths.next - paths.last.size();
    for (const auto& path : paths.last) {
        const bool is_first = number == what.first_path;
        if (number++ >= what.first_path && (is_first || path.activated_at <= flow.last_packet)) {
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

}  // namespace culvert::tunnel
