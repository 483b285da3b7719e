#include "culvert/session/device_metrics.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::session {
namespace {

using ::testing::HasSubstr;

TEST(DeviceMetrics, AreThoseOfAllShardsTogether) {
    io::ShardCounters first;
    io::ShardCounters second;
    first.udp_datagrams_sent = 3;
    second.udp_datagrams_sent = 4;
    second.tun_packets_refused = 5;

    const auto page = render_metrics(std::array<const io::ShardCounters*, 2>{&first, &second});

    EXPECT_THAT(page, HasSubstr("culvert_udp_datagrams_total{direction=\"transmit\"} 7\n"));
    EXPECT_THAT(page, HasSubstr("culvert_udp_datagrams_total{direction=\"receive\"} 0\n"));
    EXPECT_THAT(page, HasSubstr("culvert_tun_dropped_packets_total{direction=\"write\"} 5\n"));
}

}  // namespace
}  // namespace culvert::session
