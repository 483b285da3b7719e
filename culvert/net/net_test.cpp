#include <map>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/prefix_table.h"
#include "culvert/net/socket_address.h"

namespace culvert::net {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
    EXPECT_EQ(IpAddress::parse("10.0.0.1")->to_string(), "10.0.0.1");
    EXPECT_EQ(IpAddress::parse("2001:DB8:0::1")->to_string(), "2001:db8::1");
    EXPECT_FALSE(IpAddress::parse("10.0.0"));
    EXPECT_FALSE(IpAddress::parse("10.0.0.1/8"));
    EXPECT_FALSE(IpAddress::parse("fe80::1%eth0"));
    EXPECT_FALSE(IpAddress::parse(""));
    EXPECT_FALSE(IpAddress::parse(std::string(1000, '1')));
}

TEST(IpAddress, KnowsSpecialRanges) {
    EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
    EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("224.0.0.22")->is_multicast());
    EXPECT_TRUE(IpAddress::parse("ff02::2")->is_multicast());
    EXPECT_TRUE(IpAddress::parse("169.254.1.1")->is_link_local());
    EXPECT_TRUE(IpAddress::parse("fe80::1")->is_link_local());
    EXPECT_TRUE(IpAddress::parse("255.255.255.255")->is_broadcast());
    EXPECT_FALSE(IpAddress::parse("100.64.0.1")->is_link_local());
}

TEST(IpAddress, OrdersByBytesInNetworkOrder) {
    const auto order = [](std::string_view a, std::string_view b) {
        return *IpAddress::parse(a) <=> *IpAddress::parse(b);
    };
    EXPECT_EQ(order("1.0.0.2", "2.0.0.1"), std::strong_ordering::less);
    EXPECT_EQ(order("1.0.0.2", "1.0.0.1"), std::strong_ordering::greater);
    EXPECT_EQ(order("2001:db8::2", "2001:db9::1"), std::strong_ordering::less);
    EXPECT_EQ(order("2001:db8::200", "2001:db8::1ff"), std::strong_ordering::greater);
    EXPECT_EQ(order("2001:db8::1", "2001:db8::1"), std::strong_ordering::equal);
    EXPECT_FALSE(*IpAddress::parse("2001:db8::1") == *IpAddress::parse("2001:db8::2"));
    EXPECT_FALSE(*IpAddress::parse("2001:db8::1") == *IpAddress::parse("2001:db9::1"));
}

TEST(IpAddress, OrdersV4BeforeV6) {
    EXPECT_LT(*IpAddress::parse("255.0.0.1"), *IpAddress::parse("::"));
}

TEST(SocketAddress, ParsesAndPrintsBothFamilies) {
    EXPECT_EQ(SocketAddress::parse("1.2.3.4:53")->to_string(), "1.2.3.4:53");
    EXPECT_EQ(SocketAddress::parse("[2001:db8::1]:65535")->to_string(), "[2001:db8::1]:65535");
    for (const auto* bad : {"1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "2001:db8::1:53", "[1.2.3.4]:53", ":53", "[]:1"}) {
        EXPECT_FALSE(SocketAddress::parse(bad)) << bad;
    }
}

TEST(IpNetwork, RequiresZeroHostBitsAndAPrefix) {
    EXPECT_EQ(IpNetwork::parse("10.0.0.0/8")->to_string(), "10.0.0.0/8");
    EXPECT_TRUE(IpNetwork::parse("0.0.0.0/0"));
    EXPECT_TRUE(IpNetwork::parse("2001:db8::/32"));
    for (const auto* bad : {"10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::1/64", "/8"}) {
        EXPECT_FALSE(IpNetwork::parse(bad)) << bad;
    }
}

TEST(IpNetwork, ContainsAddressesAndNetworksOfItsFamilyOnly) {
    const auto network = *IpNetwork::parse("100.64.0.0/11");
    EXPECT_TRUE(network.contains(*IpAddress::parse("100.95.255.255")));
    EXPECT_FALSE(network.contains(*IpAddress::parse("100.96.0.0")));
    EXPECT_FALSE(network.contains(*IpAddress::parse("::")));
    EXPECT_TRUE(network.contains(*IpNetwork::parse("100.64.0.0/24")));
    EXPECT_FALSE(network.contains(*IpNetwork::parse("100.0.0.0/8")));
    EXPECT_TRUE(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
}

TEST(PrefixTable, PrefersTheLongestPrefixLikeALinearSearch) {
    auto random = Rng::from_number(1);
    PrefixTable<int> table;
    std::map<IpNetwork, int> model;
    const auto random_address = [&] {
        // A small universe, so that prefixes nest often.
        return IpAddress{std::array<std::uint8_t, 4>{10, static_cast<std::uint8_t>(random() % 2),
                                                     static_cast<std::uint8_t>(random() % 4),
                                                     static_cast<std::uint8_t>(random() % 4)}};
    };
    for (int round = 0; round < 5000; ++round) {
        const IpNetwork network{random_address(), static_cast<unsigned>(random() % 33)};
        if (random() % 3 == 0) {
            EXPECT_EQ(table.erase(network), model.erase(network) > 0);
        } else {
            table.insert(network, round);
            model.insert_or_assign(network, round);
        }
        const auto address = random_address();
        std::optional<std::pair<IpNetwork, int>> best;
        for (const auto& [candidate, value] : model) {
            if (candidate.contains(address) && (!best || candidate.prefix() > best->first.prefix())) {
                best = {candidate, value};
            }
        }
        const auto match = table.match(address);
        ASSERT_EQ(match.has_value(), best.has_value());
        if (best) {
            ASSERT_EQ(match->network, best->first);
            ASSERT_EQ(*match->value, best->second);
        }
    }
}

}  // namespace
}  // namespace culvert::net
