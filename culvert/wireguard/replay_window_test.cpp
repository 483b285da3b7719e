#include "culvert/wireguard/replay_window.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert::wireguard {
namespace {

TEST(ReplayWindow, AcceptsEachCounterOnce) {
    ReplayWindow window;

    window.accept(7);

    EXPECT_FALSE(window.test(7));
    EXPECT_TRUE(window.test(6));
    EXPECT_TRUE(window.test(8));
}

TEST(ReplayWindow, RejectsWhatIsOlderThanTheWindow) {
    ReplayWindow window;

    window.accept(ReplayWindow::kSize);

    EXPECT_TRUE(window.test(1));
    EXPECT_FALSE(window.test(0));
}

TEST(ReplayWindow, ForgetsNothingWhenItJumpsAhead) {
    ReplayWindow window;
    window.accept(3);

    window.accept(3 + 100 * ReplayWindow::kSize);

    EXPECT_FALSE(window.test(3));
    EXPECT_TRUE(window.test(4 + 99 * ReplayWindow::kSize));
}

TEST(ReplayWindow, AgreesWithASetOfSeenCounters) {
    auto rng = Rng::from_number(42);
    ReplayWindow window;
    std::set<std::uint64_t> seen;
    std::uint64_t newest = 0;

    for (int i = 0; i < 200'000; ++i) {
        const auto back = rng() % (2 * ReplayWindow::kSize);
        const auto counter = rng() % 4 == 0 ? newest + rng() % 1000 : newest - std::min(newest, back);
        const bool in_window = counter + ReplayWindow::kSize > newest;
        const bool fresh = !seen.contains(counter) && (seen.empty() || in_window);

        ASSERT_EQ(window.test(counter), fresh) << "counter " << counter << " after " << newest;

        if (fresh) {
            window.accept(counter);
            seen.insert(counter);
            newest = std::max(newest, counter);
        }
    }
}

}  // namespace
}  // namespace culvert::wireguard
