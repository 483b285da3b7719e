#include "culvert/ice/pair.h"

#include <algorithm>
#include <utility>

namespace culvert::ice {

std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled) {
    const std::uint64_t low = std::min(controlling, controlled);
    const std::uint64_t high = std::max(controlling, controlled);
    return (low << 32) + 2 * high + (controlling > controlled ? 1 : 0);
}

Duration check_delay(const CheckTiming& timing, std::size_t n) {
    if (n == 0) {
        return Duration::zero();
    }
    auto delay = timing.initial_rto;
    for (std::size_t i = 1; i < n && delay < timing.max_rto; ++i) {
        delay *= 2;
    }
    return std::min(delay, timing.max_rto);
}

Duration nominal_timeout(const CheckTiming& timing) {
    Duration sum{};
    for (std::size_t n = 0; n <= timing.max_retransmits; ++n) {
        sum += check_delay(timing, n);
    }
    return sum;
}

void CandidatePair::nominate() {
    if (nomination_ == Nomination::kNone) {
        nomination_ = Nomination::kPending;
        next_check_.reset();
    }
}

void CandidatePair::trigger() {
    if (triggered_ == Trigger::kNever && !has_succeeded_ && !checks_.empty()) {
        triggered_ = Trigger::kDue;
        next_check_.reset();
    }
}

void CandidatePair::record_check(const TransactionId& id, const CheckTiming& timing, Instant now) {
    checks_.push_back({id, now});
    while (checks_.size() > timing.max_retransmits) {
        checks_.pop_front();
    }
    if (triggered_ == Trigger::kDue) {
        triggered_ = Trigger::kSent;
    }
    if (nomination_ == Nomination::kPending) {
        nomination_ = Nomination::kAnnounced;
    }
    if (!exhausted_at_ && trailing_unanswered() >= timing.max_retransmits) {
        exhausted_at_ = now;
    }
    next_check_.reset();
}

void CandidatePair::reschedule() {
    next_check_.reset();
    exhausted_at_.reset();
}

void CandidatePair::doubt() {
    if (!std::exchange(is_doubted_, true)) {
        next_check_.reset();
    }
}

bool CandidatePair::has_check(const TransactionId& id) const {
    return std::ranges::any_of(checks_, [&](const Check& check) { return check.id == id; });
}

void CandidatePair::record_answer(const TransactionId& id) {
    const auto check = std::ranges::find(checks_, id, &Check::id);
    if (check == checks_.end()) {
        return;
    }
    check->is_answered = true;
    has_succeeded_ = true;
    if (triggered_ == Trigger::kDue) {
        triggered_ = Trigger::kNever;
    }
    is_doubted_ = false;
    exhausted_at_.reset();
    next_check_.reset();
}

std::size_t CandidatePair::trailing_unanswered() const {
    const auto answered = std::ranges::find(checks_.rbegin(), checks_.rend(), true, &Check::is_answered);
    return static_cast<std::size_t>(answered - checks_.rbegin());
}

bool CandidatePair::has_failed(const CheckTiming& timing, Instant now) const {
    if (checks_.size() < timing.max_retransmits || trailing_unanswered() < timing.max_retransmits) {
        return false;
    }
    return now >= exhausted_at_.value_or(checks_.back().sent_at) + check_delay(timing, timing.max_retransmits);
}

Instant CandidatePair::next_check(const CheckTiming& timing, Instant now) {
    if (next_check_) {
        return *next_check_;
    }
    if (nomination_ == Nomination::kPending || checks_.empty()) {
        next_check_ = now;
        return now;
    }
    // A path that worked and went quiet is probed at the pace of a new one, but only once the silence lasts longer
    // than ordinary jitter would explain.
    // The triggered check is one more, not one of the row.
    auto n = checks_.size() - (triggered_ == Trigger::kSent ? 1 : 0);
    if (const auto unanswered = trailing_unanswered(); unanswered > 0) {
        const auto silent_since = checks_[checks_.size() - unanswered].sent_at;
        if (is_doubted_ || now - silent_since > timing.max_rto / 2) {
            n = unanswered;
        }
    } else if (is_doubted_) {
        n = 0;
    }
    const auto last = exhausted_at_.value_or(checks_.back().sent_at);
    next_check_ = std::min(last + check_delay(timing, n), now + timing.max_rto);
    if (triggered_ == Trigger::kDue) {
        next_check_ = std::min(*next_check_, std::max(now, last + kTriggeredCheckAfter));
    }
    return *next_check_;
}

}  // namespace culvert::ice
