#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "culvert/base/time.h"
#include "culvert/ice/candidate.h"
#include "culvert/ice/constants.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/constants.h"

namespace culvert {
class Snapshot;
}

namespace culvert::ice {

using stun::TransactionId;

/// 2^32 * min(G, D) + 2 * max(G, D) + (G > D ? 1 : 0); G is the controlling side's candidate (RFC 8445
/// section 6.1.2.3).
[[nodiscard]] std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled);

/// When the n-th repetition of a check follows the one before; delay(0) is zero (spec/connectivity.md section 4.6).
[[nodiscard]] Duration check_delay(const CheckTiming& timing, std::size_t n);

/// Time from the first unanswered check of a pair to its failure: the sum of delay(0..M).
[[nodiscard]] Duration nominal_timeout(const CheckTiming& timing);

/// A local and a remote candidate and the history of checks between them. Source: spec/connectivity.md
/// sections 4.1, 4.6.
class CandidatePair {
public:
    enum class Nomination : std::uint8_t {
        kNone,
        /// Chosen, but no check has said so yet.
        kPending,
        /// At least one check left since.
        kAnnounced,
    };

    struct End {
        std::uint32_t id;
        CandidateKind kind;
        net::SocketAddress address;
        net::SocketAddress base;
    };

    CandidatePair(End local, End remote, std::uint64_t priority, std::uint32_t check_priority)
        : local_{local}, remote_{remote}, priority_{priority}, check_priority_{check_priority} {}

    [[nodiscard]] const End& local() const { return local_; }
    [[nodiscard]] const End& remote() const { return remote_; }
    [[nodiscard]] std::uint64_t priority() const { return priority_; }
    /// Value of the PRIORITY attribute.
    [[nodiscard]] std::uint32_t check_priority() const { return check_priority_; }

    [[nodiscard]] bool has_succeeded() const { return has_succeeded_; }
    [[nodiscard]] Nomination nomination() const { return nomination_; }
    [[nodiscard]] bool is_nominated() const { return nomination_ != Nomination::kNone; }
    /// The next check is due at once. No effect if already nominated.
    void nominate();
    /// A check of the peer arrived: its router lets ours in since it left, so the one that was on its way then may have
    /// been in vain. The first time this happens to a pair that has not succeeded, it is checked once more, as soon as
    /// kTriggeredCheckAfter has passed since its last check.
    void trigger();
    /// The remote candidate turned out to be another kind than it seemed; history and nomination stay.
    void replace_remote(const End& remote, std::uint64_t priority) {
        remote_ = remote;
        priority_ = priority;
    }
    /// For a pair that takes the place of another one.
    void inherit_nomination(const CandidatePair& other) { nomination_ = other.nomination_; }

    void record_check(const TransactionId& id, const CheckTiming& timing, Instant now);
    [[nodiscard]] bool has_check(const TransactionId& id) const;
    void record_answer(const TransactionId& id);

    /// The last checks, kChecksUntilSilent or more, went unanswered.
    [[nodiscard]] bool is_silent() const { return trailing_unanswered() >= kChecksUntilSilent; }
    /// It has succeeded, and only the last check, if any, has no answer yet.
    [[nodiscard]] bool is_being_answered() const { return has_succeeded_ && trailing_unanswered() <= 1; }
    /// All kept checks went unanswered and the last one had its time.
    [[nodiscard]] bool has_failed(const CheckTiming& timing, Instant now) const;

    /// When the next check is due, computed at `now` unless known since the last change.
    Instant next_check(const CheckTiming& timing, Instant now);
    /// There is reason to believe that the path is gone: it is checked at the pace of a new one until it answers.
    void doubt();
    /// The timing changed: the next call of next_check() computes anew.
    void reschedule();

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    enum class Trigger : std::uint8_t { kNever, kDue, kSent };

    struct Check {
        TransactionId id;
        Instant sent_at;
        bool is_answered = false;
    };

    [[nodiscard]] std::size_t trailing_unanswered() const;

    End local_;
    End remote_;
    std::uint64_t priority_;
    std::uint32_t check_priority_;
    bool has_succeeded_ = false;
    Trigger triggered_ = Trigger::kNever;
    bool is_doubted_ = false;
    Nomination nomination_ = Nomination::kNone;
    std::deque<Check> checks_;
    std::optional<Instant> next_check_;
    /// When the check left with which all kept ones were unanswered. Later ones do not prolong the pair's life: a dead
    /// path that is nominated for want of a better one sends one more.
    std::optional<Instant> exhausted_at_;
};

}  // namespace culvert::ice
