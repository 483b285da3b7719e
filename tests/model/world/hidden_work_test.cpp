#include "tests/model/world/hidden_work.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1h};

/// Says something when its timer goes off, whether or not it told when that is.
struct Speaker {
    std::optional<Instant> reported;
    std::optional<Instant> speaks_at;
    bool has_spoken = false;
    /// Counts from every timeout anew instead of from the last event.
    bool is_restless = false;

    std::string_view inspect() {
        return find_hidden_work(
            kNow, [&] { return reported; },
            [&] {
                has_spoken = speaks_at && *speaks_at <= kNow;
                reported = is_restless ? std::optional{kNow + 5s} : reported;
            },
            [&] { return has_spoken; });
    }
};

TEST(HiddenWork, IsNotWhatHasADeadline) {
    Speaker later{.reported = kNow + 1s, .speaks_at = kNow + 1s};
    Speaker silent{};

    EXPECT_EQ(later.inspect(), "");
    EXPECT_EQ(silent.inspect(), "");
}

TEST(HiddenWork, IsNotWhatIsDue) {
    Speaker due{.reported = kNow, .speaks_at = kNow};

    EXPECT_EQ(due.inspect(), "");
    EXPECT_FALSE(due.has_spoken);
}

TEST(HiddenWork, IsWhatNobodyWouldWakeUpFor) {
    Speaker forgetful{.speaks_at = kNow};
    Speaker late{.reported = kNow + 1s, .speaks_at = kNow};

    EXPECT_EQ(forgetful.inspect(), "had something to say that it had reported no deadline for");
    EXPECT_EQ(late.inspect(), "had something to say that it had reported no deadline for");
}

TEST(HiddenWork, IsADeadlineThatMovesWithEveryCall) {
    Speaker restless{.reported = kNow + 1s, .is_restless = true};

    EXPECT_EQ(restless.inspect(), "changed its deadline when a timeout came that was not due");
}

}  // namespace
}  // namespace culvert::model
