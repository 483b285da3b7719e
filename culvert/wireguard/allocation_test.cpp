#include <gtest/gtest.h>

#include "culvert/base/testing/allocation_counter.h"
#include "culvert/wireguard/tunnel_test_pair.h"

namespace culvert::wireguard {
namespace {

using namespace testing_support;

TEST(HotPath, DataAllocatesNothingInEitherDirection) {
    TunnelPair pair;
    pair.establish();
    const auto packet = make_ip_packet(1280);
    Bytes datagram(packet.size() + kDataOverhead);
    std::size_t opened = 0;
    const auto before = culvert::testing_support::allocations.load();

    for (int n = 0; n < 10'000; ++n) {
        pair.now += 1us;
        const bool sealed = pair.i.tunnel.seal(packet, datagram, pair.now);
        const auto inner = pair.r.tunnel.handle_packet(datagram, pair.now);
        opened += sealed && inner && *inner ? 1U : 0U;
        (void)pair.r.tunnel.poll_transmit();
        (void)pair.r.tunnel.poll_timeout();
    }

    EXPECT_EQ(culvert::testing_support::allocations.load(), before);
    EXPECT_EQ(opened, 10'000U);
}

}  // namespace
}  // namespace culvert::wireguard
