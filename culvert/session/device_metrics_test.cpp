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

    ShardFigures first_figures;
    ShardFigures second_figures;
    first_figures.set({.connecting = 1, .direct = 2, .relayed = 3, .relays = 2, .allocations = 1, .established = 7});
    second_figures.set({.direct = 40, .failed = 5});
    tunnel::DroppedPackets report;
    for (int i = 0; i < 100; ++i) {
        report.add({.reason = "unknown peer"});
    }
    report.add({.reason = "not WireGuard"});
    first_figures.add(report);
    second_figures.add(report);

    const auto page =
        render_metrics(std::array{ShardMetrics{&first, &first_figures}, ShardMetrics{&second, &second_figures}});

    EXPECT_THAT(page, HasSubstr("culvert_udp_datagrams_total{direction=\"transmit\"} 7\n"));
    EXPECT_THAT(page, HasSubstr("culvert_udp_datagrams_total{direction=\"receive\"} 0\n"));
    EXPECT_THAT(page, HasSubstr("culvert_tun_dropped_packets_total{direction=\"write\"} 5\n"));
    EXPECT_THAT(page, HasSubstr("# TYPE culvert_connections gauge\n"));
    EXPECT_THAT(page, HasSubstr("culvert_connections{path=\"none\"} 1\n"));
    EXPECT_THAT(page, HasSubstr("culvert_connections{path=\"direct\"} 42\n"));
    EXPECT_THAT(page, HasSubstr("culvert_connections{path=\"relayed\"} 3\n"));
    EXPECT_THAT(page, HasSubstr("culvert_connections_established_total 7\n"));
    EXPECT_THAT(page, HasSubstr("culvert_connections_failed_total 5\n"));
    EXPECT_THAT(page, HasSubstr("culvert_relays_allocated 1\n"));
    EXPECT_THAT(page, HasSubstr("culvert_dropped_datagrams_total{reason=\"unknown peer\"} 200\n"));
    EXPECT_THAT(page, HasSubstr("culvert_dropped_datagrams_total{reason=\"not WireGuard\"} 2\n"));
}

}  // namespace
}  // namespace culvert::session
