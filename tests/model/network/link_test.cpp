#include "tests/model/network/link.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

constexpr Instant kStart{seconds{1000}};
constexpr int kMany = 10'000;

Link make(const Impairment& impairment) {
    Link link{Rng::from_number(1)};
    link.impair(impairment);
    return link;
}

std::expected<Link::Exits, DropReason> pass(Link& link, Instant now, std::size_t size = 100) {
    Bytes payload(size);
    auto ecn = net::Ecn::kNotEct;
    return link.pass(payload, ecn, net::Family::kIpv4, now);
}

/// How long the datagram takes that enters first.
Duration transit(Link& link, Instant now, std::size_t size = 100) {
    return pass(link, now, size).value().first - now;
}

/// Of kMany datagrams, which are lost.
std::vector<bool> losses(Link& link) {
    std::vector<bool> lost;
    for (int i = 0; i < kMany; ++i) {
        lost.push_back(!pass(link, kStart));
    }
    return lost;
}

TEST(Link, ChangesNothingUnlessImpaired) {
    Link link{Rng::from_number(1)};

    EXPECT_EQ(transit(link, kStart), Duration{0});
    EXPECT_FALSE(link.was_ever_impaired());
}

TEST(Link, LosesItsShare) {
    for (const auto loss : std::initializer_list<std::uint16_t>{10, 200, 500, 990}) {
        auto link = make({.loss = loss});

        const auto lost = std::ranges::count(losses(link), true);

        EXPECT_NEAR(static_cast<double>(lost) / kMany, loss / 1000.0, 0.02);
    }
}

TEST(Link, LosesAllOrNothing) {
    auto all = make({.loss = 1000, .burst = 3});
    auto nothing = make({.loss = 0, .burst = 3});

    EXPECT_EQ(std::ranges::count(losses(all), true), kMany);
    EXPECT_EQ(std::ranges::count(losses(nothing), true), 0);
}

TEST(Link, LosesTheSameShareInBursts) {
    constexpr int kBurst = 7;
    auto link = make({.loss = 200, .burst = kBurst});

    const auto lost = losses(link);

    EXPECT_NEAR(static_cast<double>(std::ranges::count(lost, true)) / kMany, 0.2, 0.03);
    int run = 0;
    for (const bool is_lost : lost) {
        if (is_lost) {
            ++run;
        } else {
            EXPECT_EQ(run % kBurst, 0);
            run = 0;
        }
    }
}

TEST(Link, EndsABurstWithItsImpairment) {
    auto link = make({.loss = 1000, .burst = 100});
    ASSERT_FALSE(pass(link, kStart));

    link.impair({.duplicate = 1000});

    EXPECT_TRUE(pass(link, kStart));
}

TEST(Link, DuplicatesItsShare) {
    auto link = make({.duplicate = 250});
    int copies = 0;

    for (int i = 0; i < kMany; ++i) {
        copies += pass(link, kStart).value().duplicate ? 2 : 1;
    }

    EXPECT_NEAR(static_cast<double>(copies) / kMany, 1.25, 0.02);
}

TEST(Link, FlipsOneBitOfItsShare) {
    auto link = make({.corrupt = 300});
    int corrupted = 0;
    std::vector<int> flips(16);

    for (int i = 0; i < kMany; ++i) {
        Bytes payload(2);
        auto ecn = net::Ecn::kNotEct;
        ASSERT_TRUE(link.pass(payload, ecn, net::Family::kIpv4, kStart));
        const auto bits = load_be<std::uint16_t>(payload);
        if (bits != 0) {
            ++corrupted;
            ASSERT_EQ(std::popcount(bits), 1);
            ++flips[static_cast<std::size_t>(std::countr_zero(bits))];
        }
    }

    EXPECT_NEAR(static_cast<double>(corrupted) / kMany, 0.3, 0.02);
    EXPECT_GT(std::ranges::min(flips), 100) << "every bit has its turn";
}

TEST(Link, CannotCorruptNothing) {
    auto link = make({.corrupt = 1000});

    EXPECT_TRUE(pass(link, kStart, 0));
}

TEST(Link, DelaysWithinItsJitter) {
    auto link = make({.delay = milliseconds{50}, .jitter = milliseconds{20}, .reorders = true});
    auto shortest = Duration::max();
    auto longest = Duration::min();

    for (int i = 0; i < kMany; ++i) {
        shortest = std::min(shortest, transit(link, kStart));
        longest = std::max(longest, transit(link, kStart));
    }

    EXPECT_GE(shortest, milliseconds{50});
    EXPECT_LT(shortest, milliseconds{51});
    EXPECT_LE(longest, milliseconds{70});
    EXPECT_GT(longest, milliseconds{69});
}

TEST(Link, ReordersOnlyIfItSaysSo) {
    for (const bool reorders : {false, true}) {
        auto link = make({.duplicate = 100, .jitter = milliseconds{20}, .reorders = reorders});
        bool is_in_order = true;
        Instant previous{};

        for (int i = 0; i < 1000; ++i) {
            const auto exits = pass(link, kStart + milliseconds{i}).value();
            is_in_order =
                is_in_order && exits.first >= previous && exits.duplicate.value_or(exits.first) >= exits.first;
            previous = exits.duplicate.value_or(exits.first);
        }

        EXPECT_EQ(is_in_order, !reorders);
    }
}

TEST(Link, KeepsOrderWhenItIsHealed) {
    auto link = make({.delay = milliseconds{50}});
    const auto slow = kStart + transit(link, kStart);

    link.heal();

    EXPECT_EQ(pass(link, kStart + milliseconds{1}).value().first, slow);
    EXPECT_EQ(transit(link, slow), Duration{0});
}

TEST(Link, OwesNothingToTheLinkItReplaces) {
    auto link = make({.delay = milliseconds{50}});
    pass(link, kStart).value();

    link.heal();
    link.replace();

    EXPECT_EQ(transit(link, kStart), Duration{0});
}

TEST(Link, SendsAtItsRate) {
    // 100 bytes of payload are 128 bytes of IPv4: 1 ms each.
    auto link = make({.rate = 128'000});

    EXPECT_EQ(transit(link, kStart), milliseconds{1});
    EXPECT_EQ(transit(link, kStart), milliseconds{2});
    EXPECT_EQ(transit(link, kStart + milliseconds{10}), milliseconds{1}) << "what was not used is gone";
}

TEST(Link, QueuesATenthOfASecond) {
    auto link = make({.rate = 128'000});
    int passed = 0;

    while (pass(link, kStart)) {
        ++passed;
    }

    EXPECT_EQ(passed, 101) << "one on the wire, 100 ms in the queue";
    EXPECT_EQ(pass(link, kStart).error(), DropReason::kQueueFull);
    EXPECT_TRUE(pass(link, kStart + milliseconds{1}));
}

TEST(Link, LosesPacketsLongerThanItsMtu) {
    auto link = make({.mtu = 1280});
    const auto fits = [&](std::size_t size, net::Family family) {
        Bytes payload(size);
        auto ecn = net::Ecn::kNotEct;
        const auto exits = link.pass(payload, ecn, family, kStart);
        EXPECT_EQ(exits ? DropReason::kTooBig : exits.error(), DropReason::kTooBig);
        return exits.has_value();
    };

    EXPECT_TRUE(fits(1252, net::Family::kIpv4));
    EXPECT_FALSE(fits(1253, net::Family::kIpv4));
    EXPECT_TRUE(fits(1232, net::Family::kIpv6));
    EXPECT_FALSE(fits(1233, net::Family::kIpv6));
}

TEST(Link, MarksWhatIsCapableOfIt) {
    auto link = make({.congestion = 1000});
    Bytes payload(1);
    for (const auto& [before, after] : {std::pair{net::Ecn::kNotEct, net::Ecn::kNotEct},
                                        {net::Ecn::kEct0, net::Ecn::kCe},
                                        {net::Ecn::kEct1, net::Ecn::kCe},
                                        {net::Ecn::kCe, net::Ecn::kCe}}) {
        auto ecn = before;
        ASSERT_TRUE(link.pass(payload, ecn, net::Family::kIpv4, kStart));
        EXPECT_EQ(ecn, after);
    }
}

}  // namespace
}  // namespace culvert::model
