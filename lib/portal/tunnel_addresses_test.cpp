#include "culvert/portal/tunnel_addresses.h"

#include <set>

#include <gtest/gtest.h>

namespace culvert::portal {
namespace {

using net::Family;
using net::IpAddress;

TEST(TunnelAddresses, AreDrawnFromTheDeviceRange) {
    auto rng = Rng::from_number(3);
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
        for (int i = 0; i < 1000; ++i) {
            const auto address = allocate_tunnel_address(family, rng, [](const IpAddress&) { return false; });
            ASSERT_TRUE(address);
            EXPECT_TRUE(device_range(family).contains(*address)) << address->to_string();
        }
    }
}

TEST(TunnelAddresses, AreNeverGivenOutTwice) {
    auto rng = Rng::from_number(3);
    std::set<IpAddress> taken;
    for (int i = 0; i < 1000; ++i) {
        const auto address = allocate_tunnel_address(
            Family::kIpv4, rng, [&](const IpAddress& candidate) { return taken.contains(candidate); });
        ASSERT_TRUE(address);
        EXPECT_TRUE(taken.insert(*address).second);
    }
}

TEST(TunnelAddresses, LookUpwardsFirstAndThenDownwards) {
    auto rng = Rng::from_number(3);
    auto same = rng;
    const auto start = *allocate_tunnel_address(Family::kIpv4, rng, [](const IpAddress&) { return false; });

    const auto below =
        allocate_tunnel_address(Family::kIpv4, same, [&](const IpAddress& candidate) { return candidate >= start; });

    ASSERT_TRUE(below);
    EXPECT_EQ(load_be<std::uint32_t>(below->bytes()) + 1, load_be<std::uint32_t>(start.bytes()));
}

TEST(TunnelAddresses, KeepOffTheEndsOfTheRange) {
    auto rng = Rng::from_number(3);
    std::set<IpAddress> offered;
    const auto nothing = allocate_tunnel_address(Family::kIpv4, rng, [&](const IpAddress& candidate) {
        offered.insert(candidate);
        return true;
    });

    EXPECT_FALSE(nothing);
    EXPECT_EQ(offered.size(), (1U << 21U) - 3);
    EXPECT_EQ(offered.begin()->to_string(), "100.64.0.2");
    EXPECT_EQ(offered.rbegin()->to_string(), "100.95.255.254");
}

TEST(TunnelAddresses, LieInsideTheReservedRange) {
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
        EXPECT_TRUE(reserved_range(family).contains(device_range(family)));
    }
}

}  // namespace
}  // namespace culvert::portal
