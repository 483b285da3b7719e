#include "culvert/ice/agent.h"

#include <algorithm>

#include "culvert/ice/optimistic_candidates.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"

namespace culvert::ice {
namespace {

constexpr log::Logger kLog{"ice"};

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
             const log::IdField& subject)
    : log_{kLog, subject},
      role_{role},
      local_{std::move(local)},
      remote_{std::move(remote)},
      tag_{tag},
      rng_{rng},
      tie_breaker_{rng_.next_u64()},
      checklist_{role} {}

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
    for (auto& pair : checklist_.pairs()) {
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
                evaluate_nomination(now);  // the check may be the one by which its path falls silent
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
    checklist_.remove_failed(timing_, now, [&](const CandidatePair& pair) {
        log_.debug("Candidate pair failed", log::field("local", pair.local().address),
                   log::field("remote", pair.remote().address));
    });
}

/// Continuous nomination: the best eligible pair wins at any time, whatever was nominated before (section 4.5).
///
/// The controlled side follows a first USE-CANDIDATE before its own check was answered, but gives up a path that it
/// knows to work only for another one that does: whoever records a check can repeat it from an address of his choice.
void Agent::evaluate_nomination(Instant now) {
    auto& pairs = checklist_.pairs();
    const bool must_have_succeeded =
        role_ == AgentRole::kControlling || std::ranges::any_of(pairs, [](const CandidatePair& pair) {
            return pair.is_nominated() && pair.has_succeeded();
        });
    const auto is_eligible = [&](const CandidatePair& pair) {
        return (role_ == AgentRole::kControlling || pair.is_nominated()) &&
               (!must_have_succeeded || pair.has_succeeded());
    };
    const auto first = std::ranges::find_if(pairs, is_eligible);  // pairs are sorted, so the first is the best
    if (first == pairs.end()) {
        // A nominated pair that waits for its first answer after being re-created keeps its place.
        if (!checklist_.has_nominated()) {
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
    if (role_ == AgentRole::kControlling && best->is_silent()) {
        const auto answered = std::ranges::find_if(
            pairs, [&](const CandidatePair& pair) { return is_eligible(pair) && pair.is_being_answered(); });
        if (answered != pairs.end()) {
            best = &*answered;
        } else if (current != nullptr && is_eligible(*current)) {
            best = current;
        }
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
    return path ? checklist_.find(path->source, path->destination) : nullptr;
}

void Agent::note_peer_path(const net::SocketAddress& local, const net::SocketAddress& from, Instant now) {
    if (const auto* entry = locals_.find_by_address(local); entry != nullptr && role_ == AgentRole::kControlled) {
        peer_path_ = Nominated{entry->candidate.base, from};
        due_.set(Due::kPeerPath, now);
        if (auto* const current = find_pair(nominated_); current != nullptr && peer_path_ != nominated_) {
            current->doubt();
        }
    }
}

void Agent::evaluate_state() {
    if (state_ == AgentState::kNew) {
        set_state(AgentState::kChecking);
        return;
    }
    const bool others =
        locals_.empty() || remotes_.empty() || !std::ranges::all_of(checklist_.pairs(), &CandidatePair::is_nominated);
    if (checklist_.has_nominated()) {
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
    if (auto* pair = checklist_.next_due(timing_, now)) {
        send_check(*pair, now);
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
    due_.set(Due::kCheck, checklist_.next_check(timing_, now));
    if (checklist_.empty()) {
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
    const auto* remote = remote_of_request(from, *priority);
    const auto* local_entry = locals_.find_by_address(local);
    if (remote == nullptr || local_entry == nullptr || local_entry->is_discarded) {
        return true;
    }
    const auto& base = local_entry->candidate.base;
    auto* pair = checklist_.find(base, from);
    if (pair == nullptr) {
        form_pair(*local_entry, *remote);
        pair = checklist_.find(base, from);
    }
    if (pair == nullptr) {
        return true;  // too many better pairs
    }
    if (use_candidate) {
        pair->nominate();
    }
    if (timing_ == kDefaultTiming) {  // what is idle keeps its pace
        pair->trigger();
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
    auto* const pair = checklist_.find(id);
    if (pair == nullptr || !message.verify_integrity(as_bytes(remote_.password))) {
        return false;
    }
    if (message.cls() == stun::Class::kSuccess) {
        pair->record_answer(id);
        evaluate_nomination(now);
        update_schedule(now);
    }
    return true;
}

std::optional<Candidate> Agent::add_local_candidate(const Candidate& offered, Instant now) {
    auto candidate = offered;
    candidate.ufrag = local_.username;
    const auto family = candidate.address.family();
    candidate.priority = candidate_priority(
        candidate.kind,
        local_preference(candidate.kind, family, locals_.count(candidate.kind, family), candidate.is_cross_family));
    if (auto* existing = locals_.find_by_base(candidate.address, candidate.base)) {
        const bool agrees =
            existing->candidate.kind == candidate.kind && existing->candidate.related == candidate.related;
        if (existing->is_discarded && agrees) {
            existing->is_discarded = false;
            form_pairs_of_local(*existing);
            update_schedule(now);
            return existing->candidate;
        }
        if (candidate.priority < existing->candidate.priority) {
            return std::nullopt;
        }
        discard(existing);
    }
    form_pairs_of_local(add(locals_, candidate));
    update_schedule(now);
    return candidate;
}

bool Agent::add_remote_candidate(const Candidate& candidate, Instant now) {
    if (!candidate.ufrag.empty() && candidate.ufrag != remote_.username) {
        log_.debug("Ignored candidate of another peer", log::field("remote", candidate.address));
        return false;
    }
    if (!is_usable_as_candidate(candidate.address)) {
        log_.debug("Ignored unusable candidate", log::field("remote", candidate.address));
        return false;
    }
    if (auto* same = remotes_.find(candidate)) {
        if (!same->is_discarded && checklist_.has_pair_of(same->id)) {
            return true;
        }
        // Starts over, even if checks of this address failed before.
        same->is_discarded = false;
        same->candidate = candidate;
        form_pairs_of_remote(*same);
    } else if (auto* reflexive = remotes_.find_peer_reflexive(candidate.address)) {
        reflexive->candidate = candidate;
        checklist_.reprioritise(*reflexive, locals_);
        form_pairs_of_remote(*reflexive);
    } else {
        form_pairs_of_remote(add(remotes_, candidate));
    }
    update_schedule(now);
    return true;
}

bool Agent::is_in_use(const Candidate& remote) const {
    if (!remote.ufrag.empty() && remote.ufrag != remote_.username) {
        return false;
    }
    const auto* same = remotes_.find(remote);
    return same != nullptr && !same->is_discarded && checklist_.has_pair_of(same->id);
}

void Agent::generate_optimistic_candidates(Instant now) {
    for (auto& guess : guess_candidates(remotes_)) {
        form_pairs_of_remote(add(remotes_, std::move(guess)));
    }
    update_schedule(now);
}

void Agent::retry_direct_pairs(Instant now) {
    for (const auto& local : locals_.entries()) {
        for (const auto& remote : remotes_.entries()) {
            const bool is_direct =
                local.candidate.kind != CandidateKind::kRelay && remote.candidate.kind != CandidateKind::kRelay;
            // Never in place of a pair that works.
            if (is_direct && !local.is_discarded && !remote.is_discarded && checklist_.pairs().size() < kMaxPairs) {
                form_pair(local, remote);
            }
        }
    }
    update_schedule(now);
}

bool Agent::is_relayed() const {
    return std::ranges::any_of(checklist_.pairs(), [&](const CandidatePair& pair) {
        return nominated_ == Nominated{pair.local().base, pair.remote().address} &&
               (pair.local().kind == CandidateKind::kRelay || pair.remote().kind == CandidateKind::kRelay);
    });
}

bool Agent::remove_local_candidate(const Candidate& candidate) {
    return discard(locals_.find_in_use(candidate));
}

bool Agent::remove_remote_candidate(const Candidate& candidate) {
    return discard(remotes_.find_in_use(candidate));
}

bool Agent::discard(CandidateSet::Entry* entry) {
    if (entry == nullptr) {
        return false;
    }
    entry->is_discarded = true;
    checklist_.remove_pairs_of(entry->id);
    return true;
}

/// The remote candidate that sent a request from `from`; a new peer-reflexive one if the address is unknown, null if
/// it must not be used any more.
const CandidateSet::Entry* Agent::remote_of_request(const net::SocketAddress& from, std::uint32_t priority) {
    const auto sender = remotes_.find_sender(from);
    if (sender.entry != nullptr || sender.is_withdrawn) {
        return sender.entry;
    }
    log_.debug("Learned peer-reflexive candidate", log::field("remote", from));
    return &add(remotes_, {.kind = CandidateKind::kPeerReflexive, .address = from, .base = from, .priority = priority});
}

CandidateSet::Entry& Agent::add(CandidateSet& side, Candidate candidate) {
    return side.add(next_candidate_id_++, std::move(candidate), checklist_);
}

void Agent::form_pairs_of_local(const CandidateSet::Entry& local) {
    for (const auto& remote : remotes_.entries()) {
        if (!remote.is_discarded) {
            form_pair(local, remote);
        }
    }
}

void Agent::form_pairs_of_remote(const CandidateSet::Entry& remote) {
    for (const auto& local : locals_.entries()) {
        if (!local.is_discarded) {
            form_pair(local, remote);
        }
    }
}

void Agent::form_pair(const CandidateSet::Entry& local, const CandidateSet::Entry& remote) {
    if (!checklist_.add(local, remote)) {
        log_.debug("Too many candidate pairs, dropped the worst");
    }
}

}  // namespace culvert::ice
