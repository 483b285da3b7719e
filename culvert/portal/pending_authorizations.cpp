#include "culvert/portal/pending_authorizations.h"

#include <utility>

#include "culvert/base/base64.h"
#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/portal/constants.h"

namespace culvert::portal {

std::string PendingAuthorizations::add(PendingAuthorization pending, Instant now, Rng& rng) {
    const Request request{pending.client, pending.answer.resource_id};
    if (const auto before = waiting_.find(request);
        before != waiting_.end() && asked_.at(before->second.refs.back()).client_key != pending.client_key) {
        settle(request, now);
    }
    if (asked_.size() >= kMaxPendingAuthorizations) {
        settle(Request{deadlines_.begin()->second}, now);
    }
    auto& waiting = waiting_[request];
    if (waiting.refs.empty()) {
        waiting.deadline = now + kAuthorizationAnswer;
        deadlines_.emplace(waiting.deadline, request);
    } else if (waiting.refs.size() >= kMaxPendingOfRequest) {
        settle(waiting.refs.front(), now);
        waiting.refs.pop_front();
    }
    auto ref = to_base64(rng.array<24>(), Base64::kUrlNoPadding);
    waiting.refs.push_back(ref);
    asked_.emplace(ref, std::move(pending));
    return ref;
}

std::expected<PendingAuthorization, PendingAuthorizations::NotPending> PendingAuthorizations::take(
    const std::string& ref, const GatewayId& gateway, Instant now) {
    const auto found = asked_.find(ref);
    if (found == asked_.end() || found->second.gateway != gateway) {
        forget_settled(now);
        const auto settled = settled_.find(ref);
        return std::unexpected{settled != settled_.end() && settled->second == gateway ? NotPending::kSettled
                                                                                       : NotPending::kUnknown};
    }
    auto pending = found->second;
    pending.deadline = waiting_.at({pending.client, pending.answer.resource_id}).deadline;
    settle({pending.client, pending.answer.resource_id}, now);
    return pending;
}

std::optional<PendingAuthorizations::Unanswered> PendingAuthorizations::take_unanswered(Instant now) {
    if (deadlines_.empty() || deadlines_.begin()->first > now) {
        return std::nullopt;
    }
    const auto request = deadlines_.begin()->second;
    const auto key = asked_.at(waiting_.at(request).refs.back()).client_key;
    settle(request, now);
    return Unanswered{request.first, key, request.second};
}

std::optional<Instant> PendingAuthorizations::next_deadline() const {
    return deadlines_.empty() ? std::nullopt : std::optional{deadlines_.begin()->first};
}

void PendingAuthorizations::settle(const Request& request, Instant now) {
    const auto entry = waiting_.find(request);
    if (entry == waiting_.end()) {
        return;
    }
    for (const auto& ref : entry->second.refs) {
        settle(ref, now);
    }
    deadlines_.erase({entry->second.deadline, request});
    waiting_.erase(entry);
}

void PendingAuthorizations::settle(const std::string& ref, Instant now) {
    forget_settled(now);
    const auto asked = asked_.find(ref);
    settled_.emplace(ref, asked->second.gateway);
    settled_until_.emplace_back(now + kLateAnswer, ref);
    asked_.erase(asked);
}

void PendingAuthorizations::forget_settled(Instant now) {
    while (!settled_until_.empty() &&
           (settled_until_.front().first <= now || settled_until_.size() > kMaxPendingAuthorizations)) {
        settled_.erase(settled_until_.front().second);
        settled_until_.pop_front();
    }
}

void PendingAuthorizations::describe(Snapshot& out) const {
    for (const auto& [request, waiting] : waiting_) {
        for (const auto& ref : waiting.refs) {
            out.line("pending_authorization")
                .field("ref", crypto::fingerprint(as_bytes(ref)))
                .field("client", request.first)
                .field("resource", request.second)
                .field("gateway", asked_.at(ref).gateway)
                .field("until", waiting.deadline);
        }
    }
}

}  // namespace culvert::portal
