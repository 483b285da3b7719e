#include "culvert/ice/pair.h"

#include <vector>

#include <gtest/gtest.h>

namespace culvert::ice {
namespace {

using namespace std::chrono_literals;

TEST(PairPriority, MatchesTheExamples) {
    EXPECT_EQ(pair_priority(2130706175, 2130706175), 9151313343271665150U);
    EXPECT_EQ(pair_priority(2130706175, 1694498559), 7277815898285538815U);
    EXPECT_EQ(pair_priority(2130706175, 37748479), 162128487040155135U);
    EXPECT_EQ(pair_priority(37748479, 2130706175), 162128487040155134U);
    EXPECT_EQ(pair_priority(37748479, 37748479), 162128482854239742U);
}

TEST(CheckTiming, NominalTimeouts) {
    EXPECT_EQ(nominal_timeout(kDefaultTiming), 15250ms);
    EXPECT_EQ(nominal_timeout(kIdleTiming), 100s);
}

/// Drives one pair alone and records, in milliseconds, when checks leave and when the pair fails.
class Timeline {
public:
    explicit Timeline(CheckTiming timing) : timing_{timing} {}

    /// Sends checks as they become due until `until`; each check is answered at once if `answered`.
    void run_until(Duration until, bool answered) {
        for (;;) {
            const auto next = pair_.next_check(timing_, now_);
            if (next > Instant{until}) {
                return;
            }
            now_ = std::max(now_, next);
            if (pair_.has_failed(timing_, now_)) {
                failed_at_ = now_;
                return;
            }
            const TransactionId id{std::byte(count_), std::byte(count_ >> 8)};
            ++count_;
            pair_.record_check(id, timing_, now_);
            (void)pair_.next_check(timing_, now_);
            if (answered) {
                pair_.record_answer(id);
                (void)pair_.next_check(timing_, now_);
            }
            sent_.push_back(now_);
        }
    }

    /// Times relative to `start`.
    [[nodiscard]] std::vector<int> sent_since(Instant start) const {
        std::vector<int> result;
        for (const auto at : sent_) {
            if (at >= start) {
                result.push_back(static_cast<int>((at - start) / 1ms));
            }
        }
        return result;
    }

    void set_timing(CheckTiming timing) {
        timing_ = timing;
        pair_.reschedule();
    }

    CheckTiming timing_;
    CandidatePair pair_{{}, {}, 1, 1};
    Instant now_{};
    std::optional<Instant> failed_at_;
    std::vector<Instant> sent_;
    unsigned count_ = 0;
};

TEST(CandidatePair, NeverAnsweredFailsAtTheNominalTimeout) {
    Timeline timeline{kDefaultTiming};
    timeline.run_until(60s, false);
    EXPECT_EQ(timeline.sent_since(Instant{}),
              (std::vector{0, 250, 750, 1750, 3250, 4750, 6250, 7750, 9250, 10750, 12250, 13750}));
    EXPECT_EQ(timeline.failed_at_, Instant{15250ms});
}

TEST(CandidatePair, AnsweredSettlesAtTheMaximumInterval) {
    Timeline timeline{kDefaultTiming};
    timeline.run_until(8s, true);
    EXPECT_EQ(timeline.sent_since(Instant{}), (std::vector{0, 250, 750, 1750, 3250, 4750, 6250, 7750}));
    timeline.run_until(100s, true);
    EXPECT_FALSE(timeline.failed_at_);
}

TEST(CandidatePair, DyingPathIsProbedFasterAndFailsSixteenAndAHalfSecondsLater) {
    Timeline timeline{kDefaultTiming};
    timeline.run_until(49s, true);
    const auto first_lost = timeline.sent_.back() + 1500ms;
    timeline.run_until(100s, false);
    EXPECT_EQ(timeline.sent_since(first_lost),
              (std::vector{0, 1500, 2000, 3000, 4500, 6000, 7500, 9000, 10500, 12000, 13500, 15000}));
    EXPECT_EQ(timeline.failed_at_, first_lost + 16500ms);
}

TEST(CandidatePair, IdlePathThatDiesFailsAfterAHundredSeconds) {
    Timeline timeline{kIdleTiming};
    timeline.run_until(249s, true);
    const auto first_lost = timeline.sent_.back() + 25s;
    timeline.run_until(500s, false);
    EXPECT_EQ(timeline.sent_since(first_lost), (std::vector{0, 25000, 50000, 75000}));
    EXPECT_EQ(timeline.failed_at_, first_lost + 100s);
}

TEST(CandidatePair, NominationOfADeadPathDoesNotProlongItsLife) {
    Timeline timeline{kDefaultTiming};
    timeline.run_until(49s, true);
    const auto first_lost = timeline.sent_.back() + 1500ms;
    timeline.run_until(first_lost.time_since_epoch() + 16s, false);
    ASSERT_FALSE(timeline.failed_at_);
    timeline.now_ = first_lost + 16s;
    timeline.pair_.nominate();
    timeline.run_until(200s, false);
    EXPECT_EQ(timeline.sent_.back(), first_lost + 16s);
    EXPECT_EQ(timeline.failed_at_, first_lost + 16500ms);
}

TEST(CandidatePair, ChangeOfTimingMovesTheNextCheckAtOnce) {
    Timeline timeline{kIdleTiming};
    timeline.run_until(250s, true);
    const auto now = timeline.sent_.back() + 3s;
    EXPECT_EQ(timeline.pair_.next_check(kIdleTiming, now), timeline.sent_.back() + 25s);
    timeline.set_timing(kDefaultTiming);
    EXPECT_LE(timeline.pair_.next_check(kDefaultTiming, now), now);
}

}  // namespace
}  // namespace culvert::ice
