#include "culvert/ice/agent.h"

#include <algorithm>

#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"

namespace culvert::ice {
namespace {

constexpr log::Logger kLog{"ice"};

/// Far more than one input can produce; callers drain after each.
constexpr std::size_t kMaxQueued = 1024;

template <typename T>
std::optional<T> pop(std::deque<T>& queue) {
    if (queue.empty()) {
        return std::nullopt;
    }
    std::optional<T> front{std::move(queue.front())};
    queue.pop_front();
    return front;
}

}  // namespace

std::string_view to_text(AgentState state) {
    switch (state) {
        case AgentState::kNew:
            return "new";
        case AgentState::kChecking:
            return "checking";
        case AgentState::kConnected:
            return "connected";
        case AgentState::kCompleted:
            return "completed";
        case AgentState::kDisconnected:
            return "disconnected";
    }
    return "";
}

Agent::Agent(AgentRole role, Credentials local, Credentials remote, std::uint32_t tag, Rng rng,
             const log::Subject& subject)
    : log_{kLog, subject},
      role_{role},
      local_{std::move(local)},
      remote_{std::move(remote)},
      tag_{tag},
      rng_{rng},
      tie_breaker_{rng_.next_u64()} {}

std::uint32_t Agent::tag_of(const TransactionId& id) {
    return load_be<std::uint32_t>(id) >> 8;
}

TransactionId Agent::make_transaction_id() {
    auto id = stun::make_transaction_id(rng_);
    store_be(MutableByteSpan{id}, tag_ << 8 | std::to_integer<std::uint32_t>(id[3]));
    return id;
}

void Agent::set_timing(const CheckTiming& timing, Instant now) {
    if (timing == timing_) {
        return;
    }
    timing_ = timing;
    for (auto& pair : pairs_) {
        pair.reschedule();
    }
    update_schedule(now);
}

void Agent::handle_timeout(Instant now) {
    // A candidate that was removed or a path that was proved may have changed these before a check is due.
    drop_failed_pairs(now);
    evaluate_nomination(now);
    evaluate_state();
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kPeerPath:
            case Due::kTick:
                return;  // done
            case Due::kCheck:
                send_due_check(now);
                if (peer_path_) {
                    evaluate_nomination(now);  // the check may be the one by which its path falls silent
                }
                return;
        }
    });
    update_schedule(now);
}

std::optional<AgentTransmit> Agent::poll_transmit() {
    return pop(transmits_);
}

std::optional<AgentEvent> Agent::poll_event() {
    return pop(events_);
}

void Agent::drop_failed_pairs(Instant now) {
    std::erase_if(pairs_, [&](const CandidatePair& pair) {
        const bool has_failed = pair.has_failed(timing_, now);
        if (has_failed) {
            log_.debug("Candidate pair failed", log::field("local", pair.local().address),
                       log::field("remote", pair.remote().address));
        }
        return has_failed;
    });
}

/// Continuous nomination: the best eligible pair wins at any time, whatever was nominated before (section 4.5).
///
/// The controlled side follows a first USE-CANDIDATE before its own check was answered, but gives up a path that it
/// knows to work only for another one that does: whoever records a check can repeat it from an address of his choice.
void Agent::evaluate_nomination(Instant now) {
    const bool must_have_succeeded =
        role_ == AgentRole::kControlling || std::ranges::any_of(pairs_, [](const CandidatePair& pair) {
            return pair.is_nominated() && pair.has_succeeded();
        });
    const auto is_eligible = [&](const CandidatePair& pair) {
        return (role_ == AgentRole::kControlling || pair.is_nominated()) &&
               (!must_have_succeeded || pair.has_succeeded());
    };
    const auto first = std::ranges::find_if(pairs_, is_eligible);  // pairs are sorted, so the first is the best
    if (first == pairs_.end()) {
        // A nominated pair that waits for its first answer after being re-created keeps its place.
        if (!std::ranges::any_of(pairs_, &CandidatePair::is_nominated)) {
            nominated_.reset();
        }
        return;
    }
    auto* best = &*first;
    auto* const current = find_pair(nominated_);
    if (current != nullptr && is_eligible(*current) && current->priority() == best->priority()) {
        best = current;
    }
    if (auto* const proved = find_pair(peer_path_);
        proved != nullptr && is_eligible(*proved) && best->is_silent() && !proved->is_silent()) {
        best = proved;
    }
    if (best == current) {
        return;
    }
    nominated_ = Nominated{best->local().base, best->remote().address};
    best->nominate();
    due_.set(Due::kCheck, now);
    log_.debug("Nominated pair", log::field("local", best->local().address),
               log::field("remote", best->remote().address));
    events_.push_back(*nominated_);
}

CandidatePair* Agent::find_pair(const std::optional<Nominated>& path) {
    const auto pair = !path ? pairs_.end() : std::ranges::find_if(pairs_, [&](const CandidatePair& p) {
        return p.local().base == path->source && p.remote().address == path->destination;
    });
    return pair == pairs_.end() ? nullptr : &*pair;
}

void Agent::note_peer_path(const net::SocketAddress& local, const net::SocketAddress& from, Instant now) {
    if (const auto* entry = local_at(local); entry != nullptr && role_ == AgentRole::kControlled) {
        peer_path_ = Nominated{entry->candidate.base, from};
        due_.set(Due::kPeerPath, now);
    }
}

void Agent::evaluate_state() {
    if (state_ == AgentState::kNew) {
        set_state(AgentState::kChecking);
        return;
    }
    const bool any_nominated = std::ranges::any_of(pairs_, &CandidatePair::is_nominated);
    const bool others =
        locals_.empty() || remotes_.empty() || !std::ranges::all_of(pairs_, &CandidatePair::is_nominated);
    if (any_nominated) {
        set_state(others ? AgentState::kConnected : AgentState::kCompleted);
    } else {
        set_state(others ? AgentState::kChecking : AgentState::kDisconnected);
    }
}

void Agent::set_state(AgentState state) {
    if (state_ == state) {
        return;
    }
    log_.debug("ICE state changed", log::field("from", to_text(state_)), log::field("to", to_text(state)));
    state_ = state;
    events_.push_back(StateChanged{state});
}

void Agent::send_due_check(Instant now) {
    CandidatePair* most_overdue = nullptr;
    for (auto& pair : pairs_) {
        if (pair.next_check(timing_, now) > now) {
            continue;
        }
        if (pair.nomination() == CandidatePair::Nomination::kPending) {
            most_overdue = &pair;  // jumps the queue
            break;
        }
        if (most_overdue == nullptr || pair.next_check(timing_, now) < most_overdue->next_check(timing_, now)) {
            most_overdue = &pair;
        }
    }
    if (most_overdue != nullptr) {
        send_check(*most_overdue, now);
    }
}

void Agent::send_check(CandidatePair& pair, Instant now) {
    using enum stun::AttributeType;
    const auto id = make_transaction_id();
    stun::MessageBuilder message{stun::Class::kRequest, stun::Method::kBinding, id};
    message.text(kUsername, remote_.username + ':' + local_.username);
    message.u64(role_ == AgentRole::kControlling ? kIceControlling : kIceControlled, tie_breaker_);
    message.u32(kPriority, pair.check_priority());
    if (role_ == AgentRole::kControlling && pair.is_nominated()) {
        message.flag(kUseCandidate);
    }
    message.integrity(as_bytes(remote_.password)).fingerprint();
    pair.record_check(id, timing_, now);
    if (transmits_.size() < kMaxQueued) {
        transmits_.push_back({pair.local().base, pair.remote().address, message.build(), pair.local().kind});
    }
}

void Agent::update_schedule(Instant now) {
    due_.clear(Due::kCheck);
    for (auto& pair : pairs_) {
        due_.bring_forward(Due::kCheck, pair.next_check(timing_, now));
    }
    if (pairs_.empty()) {
        due_.bring_forward(Due::kTick, now + kTickWithoutPairs);
    } else {
        due_.clear(Due::kTick);
    }
}

bool Agent::handle_message(const net::SocketAddress& local, const net::SocketAddress& from,
                           const stun::Message& message, Instant now) {
    switch (message.cls()) {
        case stun::Class::kRequest:
            return handle_request(local, from, message, now);
        case stun::Class::kSuccess:
        case stun::Class::kError:
            return handle_response(message, now);
        case stun::Class::kIndication:
            return false;
    }
    return false;
}

bool Agent::handle_request(const net::SocketAddress& local, const net::SocketAddress& from,
                           const stun::Message& message, Instant now) {
    const auto username = message.text(stun::AttributeType::kUsername);
    const auto priority = message.u32(stun::AttributeType::kPriority);
    if (!username || !priority) {
        return false;
    }
    const auto colon = username->find(':');
    if (colon == std::string_view::npos || username->substr(0, colon) != local_.username ||
        username->substr(colon + 1) != remote_.username || !message.verify_integrity(as_bytes(local_.password))) {
        return false;
    }
    const bool use_candidate = message.has(stun::AttributeType::kUseCandidate);
    if (use_candidate && role_ == AgentRole::kControlling) {
        return true;  // no role conflicts in this dialect (section 4.4)
    }
    auto* remote = remote_of_request(from, *priority);
    auto* local_entry = local_at(local);
    if (remote == nullptr || local_entry == nullptr || local_entry->is_discarded) {
        return true;
    }
    auto* pair = find_pair(Nominated{local_entry->candidate.base, from});
    if (pair == nullptr) {
        form_pair(*local_entry, *remote);
        pair = find_pair(Nominated{local_entry->candidate.base, from});
    }
    if (pair == nullptr) {
        return true;  // too many better pairs
    }
    if (use_candidate) {
        pair->nominate();
    }
    answer_request(*pair, message);
    update_schedule(now);
    return true;
}

void Agent::answer_request(const CandidatePair& pair, const stun::Message& message) {
    auto answer = stun::MessageBuilder{stun::Class::kSuccess, stun::Method::kBinding, message.transaction_id()}
                      .address(stun::AttributeType::kXorMappedAddress, pair.remote().address)
                      .integrity(as_bytes(local_.password))
                      .fingerprint()
                      .build();
    if (transmits_.size() < kMaxQueued) {
        transmits_.push_back({pair.local().base, pair.remote().address, std::move(answer), pair.local().kind});
    }
}

bool Agent::handle_response(const stun::Message& message, Instant now) {
    const auto& id = message.transaction_id();
    const auto pair = std::ranges::find_if(pairs_, [&](const CandidatePair& p) { return p.has_check(id); });
    if (pair == pairs_.end() || !message.verify_integrity(as_bytes(remote_.password))) {
        return false;
    }
    if (message.cls() == stun::Class::kSuccess) {
        pair->record_answer(id);
        evaluate_nomination(now);
        update_schedule(now);
    }
    return true;
}

}  // namespace culvert::ice
