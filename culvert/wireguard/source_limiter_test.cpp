#include "culvert/wireguard/source_limiter.h"

#include <chrono>
#include <map>

#include <gtest/gtest.h>

namespace culvert::wireguard {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1'000'000s};

net::IpAddress v4(std::uint32_t number) {
    std::array<std::byte, 4> bytes;
    store_be(MutableByteSpan{bytes}, number);
    return net::IpAddress::from_bytes(bytes);
}

net::IpAddress v6(std::uint64_t network, std::uint64_t host) {
    std::array<std::byte, 16> bytes;
    store_be(MutableByteSpan{bytes}, network);
    store_be(MutableByteSpan{bytes}.subspan(8), host);
    return net::IpAddress::from_bytes(bytes);
}

class SourceLimits : public ::testing::Test {
protected:
    /// How many of `count` messages pass that `from` sends at the same time.
    int burst(const net::IpAddress& from, int count) {
        int passed = 0;
        for (int i = 0; i < count; ++i) {
            passed += limiter.admit(from, now) ? 1 : 0;
        }
        return passed;
    }

    SourceLimiter limiter{Rng::from_number(1)};
    Instant now = kStart;
};

TEST_F(SourceLimits, ASourceHasFiveAtOnceAndThenTwentyPerSecond) {
    EXPECT_EQ(burst(v4(1), 100), 5);
    int passed = 0;
    for (int ms = 0; ms < 10'000; ++ms) {
        now += 1ms;
        passed += burst(v4(1), 3);
        if (ms % 1000 == 0) {
            limiter.start_window();
        }
    }
    EXPECT_EQ(passed, 200);
    now += 10s;
    EXPECT_EQ(burst(v4(1), 100), 5);
}

TEST_F(SourceLimits, AFloodTakesNothingFromOtherSources) {
    EXPECT_EQ(burst(v4(1), 10'000), 5);
    EXPECT_EQ(burst(v4(2), 10), 5);
    EXPECT_EQ(burst(v6(1, 1), 10), 5);
}

TEST_F(SourceLimits, AnIpv6NetworkIsOneSource) {
    int passed = 0;
    for (std::uint64_t host = 0; host < 1000; ++host) {
        passed += burst(v6(0x20010db800000000 + host, host), 1);
    }
    EXPECT_EQ(passed, 5);
    EXPECT_EQ(burst(v6(0x20010db800010001, 0), 1), 1);
}

TEST_F(SourceLimits, ManySourcesTogetherGetOnePerSecondEach) {
    std::map<std::uint32_t, int> passed;
    constexpr std::uint32_t kSources = 1000;
    for (int ms = 0; ms < 20'000; ms += 10) {
        if (ms % 1000 == 0) {
            limiter.start_window();
        }
        for (std::uint32_t source = 0; source < kSources; ++source) {
            passed[source] += limiter.admit(v4(source), now) ? 1 : 0;
        }
        now += 10ms;
    }
    int all = 0;
    for (const auto& [source, count] : passed) {
        all += count;
        EXPECT_GE(count, 5) << "starved: " << source;
    }
    EXPECT_LE(all, 20 * 2 * static_cast<int>(kSources));
}

TEST_F(SourceLimits, APatientSourceIsServedWhileManyOthersFlood) {
    int served = 0;
    for (int ms = 0; ms < 30'000; ms += 20) {
        if (ms % 1000 == 0) {
            limiter.start_window();
        }
        for (std::uint32_t source = 0; source < 3000; ++source) {
            (void)limiter.admit(v4(source), now);
        }
        if (ms % 5000 == 0) {
            served += limiter.admit(v4(77'777), now) ? 1 : 0;
        }
        now += 20ms;
    }
    EXPECT_EQ(served, 6);
}

TEST_F(SourceLimits, MemoryIsBoundedAndFreesItself) {
    int passed = 0;
    for (std::uint32_t source = 0; source < 100'000; ++source) {
        passed += limiter.admit(v4(source), now) ? 1 : 0;
    }
    EXPECT_LE(passed, static_cast<int>(kMaxSources));
    EXPECT_GE(passed, static_cast<int>(kMaxSources) / 2);
    now += kBudgetRest + 1s;
    limiter.start_window();
    EXPECT_EQ(burst(v4(100'001), 1), 1);
}

TEST(HandshakeBudget, HoldsNoMoreThanABurstHoweverLongItRests) {
    HandshakeBudget budget;
    int taken = 0;
    for (int i = 0; i < 100; ++i) {
        taken += budget.take(kStart + 1000s) ? 1 : 0;
    }
    EXPECT_EQ(taken, kBudgetBurst);
    EXPECT_FALSE(budget.has_rested(kStart + 1000s));
    EXPECT_TRUE(budget.has_rested(kStart + 1002s));
}

}  // namespace
}  // namespace culvert::wireguard
