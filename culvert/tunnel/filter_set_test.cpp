#include "culvert/tunnel/filter_set.h"

#include <bitset>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::icmp;
using test::tcp;
using test::udp;

constexpr Service tcp_port(std::uint16_t port) {
    return {Service::Protocol::kTcp, port};
}
constexpr Service udp_port(std::uint16_t port) {
    return {Service::Protocol::kUdp, port};
}
constexpr Service kPing{Service::Protocol::kIcmp, 0};
constexpr Service kGre{Service::Protocol::kOther, 0};

FilterSet filter_set(const std::vector<portal_api::Filter>& filters) {
    FilterSet set;
    set.add(filters);
    return set;
}

TEST(FilterSet, PermitsNothingWithoutAnyList) {
    EXPECT_FALSE(FilterSet{}.permits(tcp_port(80)));
    EXPECT_FALSE(FilterSet{}.permits(kPing));
}

TEST(FilterSet, PermitsEverythingForAnEmptyList) {
    const auto set = filter_set({});

    EXPECT_TRUE(set.permits(tcp_port(0)));
    EXPECT_TRUE(set.permits(udp_port(65535)));
    EXPECT_TRUE(set.permits(kPing));
    EXPECT_TRUE(set.permits(kGre));
}

TEST(FilterSet, SaysWhyItRefuses) {
    const auto set = filter_set({tcp(80, 80)});

    EXPECT_EQ(set.check(tcp_port(81)), Refusal::kTcpPort);
    EXPECT_EQ(set.check(udp_port(80)), Refusal::kUdpPort);
    EXPECT_EQ(set.check(kPing), Refusal::kIcmp);
    EXPECT_EQ(set.check(kGre), Refusal::kNoFilter);
}

TEST(FilterSet, IncludesBothEndsOfARange) {
    const auto set = filter_set({udp(53, 55), icmp()});

    EXPECT_FALSE(set.permits(udp_port(52)));
    EXPECT_TRUE(set.permits(udp_port(53)));
    EXPECT_TRUE(set.permits(udp_port(55)));
    EXPECT_FALSE(set.permits(udp_port(56)));
    EXPECT_TRUE(set.permits(kPing));
    EXPECT_FALSE(set.permits(kGre));
}

TEST(FilterSet, TakesAReversedRangeForAnEmptyOneButNotForAnEmptyList) {
    const auto set = filter_set({tcp(90, 80)});

    for (const auto port : {0, 79, 80, 85, 90, 91, 65535}) {
        EXPECT_FALSE(set.permits(tcp_port(static_cast<std::uint16_t>(port)))) << port;
    }
}

TEST(FilterSet, IsAUnion) {
    auto set = filter_set({tcp(80, 80)});
    set.add(std::vector{udp(53, 53)});

    EXPECT_TRUE(set.permits(tcp_port(80)));
    EXPECT_TRUE(set.permits(udp_port(53)));
    EXPECT_FALSE(set.permits(tcp_port(53)));

    set.add({});
    EXPECT_TRUE(set.permits(kGre));
}

TEST(FilterSet, AgreesWithASetOfPorts) {
    auto rng = Rng::from_number(7);
    for (int round = 0; round < 200; ++round) {
        FilterSet set;
        std::bitset<65536> model;
        for (int i = 0; i < 12; ++i) {
            // few distinct values, among them the ends, so that ranges touch and overlap
            const std::uint16_t values[] = {0, 1, 2, 3, 10, 11, 12, 20, 65533, 65534, 65535};
            const auto first = values[rng() % std::size(values)];
            const auto last = values[rng() % std::size(values)];
            set.add(std::vector{tcp(first, last)});
            for (std::uint32_t port = first; port <= last; ++port) {
                model.set(port);
            }
        }
        for (std::uint32_t port = 0; port < model.size(); port += port < 30 || port > 65500 ? 1 : 500) {
            ASSERT_EQ(set.permits(tcp_port(static_cast<std::uint16_t>(port))), model.test(port)) << port;
        }
    }
}

}  // namespace
}  // namespace culvert::tunnel
