#include "culvert/tunnel/address_ranges.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::ip;

TEST(AddressRanges, TellPeersFromProxiesAtTheEdges) {
    for (const auto* peer : {"100.64.0.0", "100.95.255.255", "fd00:2021:1111::", "fd00:2021:1111::1f:ffff"}) {
        EXPECT_TRUE(is_peer_address(ip(peer))) << peer;
        EXPECT_FALSE(is_proxy_address(ip(peer))) << peer;
    }
    for (const auto* proxy :
         {"100.96.0.0", "100.127.255.255", "fd00:2021:1111:8000::", "fd00:2021:1111:8000::1f:ffff"}) {
        EXPECT_TRUE(is_proxy_address(ip(proxy))) << proxy;
        EXPECT_FALSE(is_peer_address(ip(proxy))) << proxy;
    }
    for (const auto* other :
         {"100.63.255.255", "100.128.0.0", "fd00:2021:1111::20:0", "fd00:2021:1111:8000::20:0", "ff02::16"}) {
        EXPECT_FALSE(is_peer_address(ip(other))) << other;
        EXPECT_FALSE(is_proxy_address(ip(other))) << other;
    }
}

TEST(AddressRanges, PutOnlyTheIpv4SentinelsIntoTheProxyRange) {
    EXPECT_TRUE(is_sentinel_address(ip("100.100.111.1")));
    EXPECT_TRUE(is_proxy_address(ip("100.100.111.1")));
    EXPECT_TRUE(is_sentinel_address(ip("fd00:2021:1111:8000:100:100:111:1")));
    EXPECT_FALSE(is_proxy_address(ip("fd00:2021:1111:8000:100:100:111:1")));
    EXPECT_FALSE(is_sentinel_address(ip("100.100.112.0")));
}

TEST(AddressRanges, KeepTheWholeTunnelTogether) {
    for (const auto* inside : {"100.64.0.0", "100.95.255.255", "100.96.0.0", "100.100.111.1", "100.127.255.255",
                               "fd00:2021:1111::", "fd00:2021:1111::20:0", "fd00:2021:1111:8000::1",
                               "fd00:2021:1111:8000:100:100:111:1", "fd00:2021:1111:ffff:ffff:ffff:ffff:ffff"}) {
        EXPECT_TRUE(is_tunnel_address(ip(inside))) << inside;
    }
    for (const auto* outside : {"100.63.255.255", "100.128.0.0", "fd00:2021:1110:ffff::", "fd00:2021:1112::"}) {
        EXPECT_FALSE(is_tunnel_address(ip(outside))) << outside;
    }
}

TEST(AddressRanges, KnowWhatNoResourceHas) {
    for (const auto* reserved :
         {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255",
          "::", "::1", "ff02::1", "ff0e::1", "fe80::1", "febf::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(is_reserved(ip(reserved))) << reserved;
    }
    for (const auto* host : {"1.0.0.1", "10.0.0.255", "169.254.169.254", "192.0.2.1", "240.0.0.1", "2001:db8::1",
                             "fec0::1", "fd00:10::1", "64:ff9b::1"}) {
        EXPECT_FALSE(is_reserved(ip(host))) << host;
    }
}

TEST(AddressRanges, KnowWhatIsAlwaysDropped) {
    EXPECT_TRUE(is_always_dropped(ip("224.0.0.22")));
    EXPECT_TRUE(is_always_dropped(ip("ff02::2")));
    EXPECT_FALSE(is_always_dropped(ip("ff02::16")));
}

}  // namespace
}  // namespace culvert::tunnel
