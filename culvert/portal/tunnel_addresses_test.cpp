#include "culvert/portal/tunnel_addresses.h"

#include <gtest/gtest.h>

namespace culvert::portal {
namespace {

using net::Family;

TEST(TunnelAddresses, LieInsideTheReservedRange) {
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
        EXPECT_TRUE(reserved_range(family).contains(device_range(family)));
    }
}

TEST(TunnelAddresses, AreKnownByTheirOffset) {
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
        for (const auto offset : {kFirstTunnelOffset, 70'000U, kLastTunnelOffset}) {
            const auto address = tunnel_address(family, offset);
            EXPECT_TRUE(device_range(family).contains(address)) << address.to_string();
            EXPECT_EQ(tunnel_offset(address), offset);
        }
    }
    EXPECT_EQ(tunnel_address(Family::kIpv4, kLastTunnelOffset).to_string(), "100.95.255.254");
}

TEST(TunnelAddresses, KeepOffTheEndsOfTheRangeAndWhatLiesOutside) {
    for (const auto* text : {"100.64.0.0", "100.64.0.1", "100.95.255.255", "100.96.0.5", "10.0.0.5",
                             "fd00:2021:1111::1", "fd00:2021:1111::20:0"}) {
        EXPECT_FALSE(tunnel_offset(*net::IpAddress::parse(text))) << text;
    }
}

}  // namespace
}  // namespace culvert::portal
