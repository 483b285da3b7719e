#include "culvert/base/deadlines.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert {
namespace {

using std::chrono::seconds;

enum class Due : std::uint8_t { kRefresh, kKeepAlive, kExpiry };
static_assert(kEnumeratorCount<Due> == 3);
static_assert(kEnumeratorNames<Due>[1] == "kKeepAlive");

class Owner {
public:
    enum class Single { kThing };
};
static_assert(kEnumeratorCount<Owner::Single> == 1);
static_assert(kEnumeratorNames<Owner::Single>[0] == "kThing");

constexpr Instant kStart{seconds{100}};

std::vector<Due> expire(Deadlines<Due>& due, Instant now) {
    std::vector<Due> out;
    due.expire(now, [&](Due each) { out.push_back(each); });
    return out;
}

TEST(Deadlines, NothingIsDueUntilSet) {
    Deadlines<Due> due;
    EXPECT_EQ(due.next(), std::nullopt);
    EXPECT_EQ(due.get(Due::kRefresh), std::nullopt);
    EXPECT_FALSE(due.is_set(Due::kRefresh));
    EXPECT_FALSE(due.is_due(Due::kRefresh, kStart));
    EXPECT_TRUE(expire(due, kStart).empty());
}

TEST(Deadlines, AreDueFromTheirMomentOn) {
    Deadlines<Due> due;
    due.set(Due::kExpiry, kStart);
    EXPECT_EQ(due.next(), kStart);
    EXPECT_EQ(due.get(Due::kExpiry), kStart);
    EXPECT_FALSE(due.is_due(Due::kExpiry, kStart - Duration{1}));
    EXPECT_TRUE(due.is_due(Due::kExpiry, kStart));
    EXPECT_TRUE(expire(due, kStart - Duration{1}).empty());
    EXPECT_EQ(expire(due, kStart), std::vector{Due::kExpiry});
    EXPECT_EQ(due.next(), std::nullopt);
}

TEST(Deadlines, ComeInTheOrderOfTimeAndThenOfNames) {
    Deadlines<Due> due;
    due.set(Due::kExpiry, kStart);
    due.set(Due::kKeepAlive, kStart + seconds{1});
    due.set(Due::kRefresh, kStart + seconds{1});
    EXPECT_EQ(due.next(), kStart);
    EXPECT_EQ(expire(due, kStart + seconds{1}), (std::vector{Due::kExpiry, Due::kRefresh, Due::kKeepAlive}));
}

TEST(Deadlines, CanBeMovedAndCleared) {
    Deadlines<Due> due;
    due.set(Due::kRefresh, kStart);
    due.set(Due::kRefresh, kStart + seconds{2});
    EXPECT_EQ(due.next(), kStart + seconds{2});
    due.bring_forward(Due::kRefresh, kStart + seconds{3});
    EXPECT_EQ(due.next(), kStart + seconds{2});
    due.bring_forward(Due::kRefresh, kStart + seconds{1});
    EXPECT_EQ(due.next(), kStart + seconds{1});
    due.bring_forward(Due::kExpiry, kStart);
    EXPECT_EQ(due.next(), kStart);
    due.clear(Due::kExpiry);
    EXPECT_EQ(due.next(), kStart + seconds{1});
    due.set(Due::kRefresh, std::optional<Instant>{});
    EXPECT_EQ(due.next(), std::nullopt);
    due.set(Due::kKeepAlive, kStart);
    due.clear();
    EXPECT_EQ(due, Deadlines<Due>{});
}

TEST(Deadlines, AreClearWhenTheyAreHandled) {
    Deadlines<Due> due;
    due.set(Due::kRefresh, kStart);
    due.expire(kStart, [&](Due each) {
        EXPECT_FALSE(due.is_set(each));
        due.set(each, kStart + seconds{1});
    });
    EXPECT_EQ(due.next(), kStart + seconds{1});
}

TEST(Deadlines, ThatAHandlerSetsAreForTheNextCallEvenIfDueAtOnce) {
    Deadlines<Due> due;
    due.set(Due::kRefresh, kStart);
    std::vector<Due> handled;
    due.expire(kStart, [&](Due each) {
        handled.push_back(each);
        due.set(each, kStart);
        due.set(Due::kExpiry, kStart);
    });
    EXPECT_EQ(handled, std::vector{Due::kRefresh});
    EXPECT_EQ(expire(due, kStart), (std::vector{Due::kRefresh, Due::kExpiry}));
}

TEST(Deadlines, DoNotComeOnceTheHandlerOfAnotherHasTakenThemBack) {
    Deadlines<Due> due;
    due.set(Due::kRefresh, kStart);
    due.set(Due::kKeepAlive, kStart);
    due.set(Due::kExpiry, kStart - seconds{1});
    std::vector<Due> handled;
    due.expire(kStart, [&](Due each) {
        handled.push_back(each);
        due.clear(Due::kRefresh);
        due.set(Due::kKeepAlive, kStart + seconds{1});
    });
    EXPECT_EQ(handled, std::vector{Due::kExpiry});
    EXPECT_EQ(due.next(), kStart + seconds{1});
}

TEST(Deadlines, AreDescribedByTheirNames) {
    Deadlines<Due> due;
    due.set(Due::kKeepAlive, kStart + Duration{7});
    Snapshot out{kStart};
    due.describe(out.line("due"));
    EXPECT_EQ(out.text(), "due refresh=- keep_alive=+7ns expiry=-");
}

TEST(Deadlines, BehaveLikeAnOrderedMap) {
    auto rng = Rng::from_number(1);
    Deadlines<Due> due;
    std::map<Due, Instant> model;
    const auto next = [&] {
        std::optional<Instant> out;
        for (const auto& [name, at] : model) {
            out = earliest(out, at);
        }
        return out;
    };
    for (int i = 0; i < 10'000; ++i) {
        const auto name = static_cast<Due>(rng.below(3));
        const auto at = kStart + seconds{static_cast<int>(rng.below(8))};
        switch (rng.below(3)) {
            case 0:
                due.set(name, at);
                model[name] = at;
                break;
            case 1:
                due.clear(name);
                model.erase(name);
                break;
            default:
                for (const auto each : expire(due, at)) {
                    ASSERT_EQ(model.at(each), next());
                    ASSERT_LE(model.at(each), at);
                    model.erase(each);
                }
                ASSERT_TRUE(!next() || *next() > at);
        }
        ASSERT_EQ(due.next(), next());
    }
}

TEST(Earliest, LeavesOutWhatNeverComes) {
    const std::optional<Instant> never;
    const std::optional<Instant> early{kStart};
    const std::optional<Instant> late{kStart + seconds{1}};
    EXPECT_EQ(earliest(never, never), never);
    EXPECT_EQ(earliest(never, late), late);
    EXPECT_EQ(earliest(late, never, early), early);
    EXPECT_EQ(earliest(early, late, never), early);
}

}  // namespace
}  // namespace culvert
