#include "culvert/turn/server/source_shares.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {
namespace {

net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

TEST(SourceShares, AnIpv4AddressAndAnIpv6NetworkAreSources) {
    SourceShares shares;
    shares.add(ip("198.51.100.1"), "alice");
    shares.add(ip("2001:db8:1:2::3"), "alice");
    shares.add(ip("2001:db8:1:ffff::4"), "bob");

    EXPECT_EQ(shares.count(ip("198.51.100.1")), 1U);
    EXPECT_EQ(shares.count(ip("198.51.100.2")), 0U);
    EXPECT_EQ(shares.count(ip("2001:db8:1::")), 2U);
    EXPECT_EQ(shares.count(ip("2001:db8:2::")), 0U);
}

TEST(SourceShares, WhoAsksIsOneOfThoseWhoShare) {
    SourceShares shares;
    EXPECT_EQ(shares.share(1000, ip("198.51.100.1")), 1000U);

    shares.add(ip("198.51.100.1"), "alice");

    EXPECT_EQ(shares.share(1000, ip("198.51.100.1")), 1000U);
    EXPECT_EQ(shares.share(1000, ip("198.51.100.2")), 500U);
}

TEST(SourceShares, ManySourcesDoNotMakeAShareWorthless) {
    SourceShares shares;
    for (int i = 0; i < 1000; ++i) {
        shares.add(ip("192.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)), "alice");
    }

    EXPECT_EQ(shares.share(10'000, ip("198.51.100.1")), kSmallestShare);
    EXPECT_EQ(shares.share(40, ip("198.51.100.1")), 10U);
    EXPECT_EQ(shares.share(2, ip("198.51.100.1")), kSmallestShareOfFewPorts);
}

TEST(SourceShares, OnlyScarcityBindsASourceToItsShare) {
    SourceShares shares;
    shares.add(ip("198.51.100.1"), "alice", 600);
    shares.add(ip("198.51.100.2"), "bob", 100);

    EXPECT_TRUE(shares.may_have_more(1000, 749, ip("198.51.100.1")));
    EXPECT_FALSE(shares.may_have_more(1000, 750, ip("198.51.100.1")));
    EXPECT_TRUE(shares.may_have_more(1000, 999, ip("198.51.100.2")));
}

TEST(SourceShares, AgreesWithCountingEverything) {
    auto rng = Rng::from_number(3);
    SourceShares shares;
    std::map<std::pair<net::IpAddress, std::string>, std::size_t> all;
    for (int i = 0; i < 5000; ++i) {
        const auto client = ip("198.51.100." + std::to_string(rng.below(5)));
        const auto user = std::string(1, static_cast<char>('a' + rng.below(3)));
        auto& mine = all[{client, user}];
        const std::size_t count = 1 + rng.below(3);
        if (rng.below(2) == 0) {
            shares.add(client, user, count);
            mine += count;
        } else if (mine >= count) {
            shares.remove(client, user, count);
            mine -= count;
        }

        std::map<net::IpAddress, std::size_t> sources;
        for (const auto& [whose, number] : all) {
            sources[whose.first] += number;
        }
        std::size_t most = 0;
        for (const auto& [source, number] : sources) {
            ASSERT_EQ(shares.count(source), number);
            most = std::max(most, number);
        }
        const auto largest = shares.largest();
        ASSERT_EQ(largest.has_value(), most > 0);
        if (largest) {
            ASSERT_EQ(largest->count, most);
            ASSERT_EQ(sources[largest->source], most);
            for (const auto& [whose, number] : all) {
                if (whose.first == largest->source) {
                    ASSERT_LE(number, (all[{largest->source, std::string{largest->user}}]));
                }
            }
        }
    }
}

}  // namespace
}  // namespace culvert::turn
