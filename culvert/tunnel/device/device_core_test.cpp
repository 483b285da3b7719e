#include "culvert/tunnel/device/device_core.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1h};

class Core : public ::testing::Test {
protected:
    void drain() {
        core.drain_connections([](const auto&) {});
    }

    DeviceCore core{connectivity::Role::kClient, Rng::from_number(1), kNow, WallTime{}};
    DeviceCore::Peer peer{
        .id = test::id<GatewayId>(1).uuid(), .key = {}, .preshared_key = {}, .local = {}, .remote = {}};
    net::SocketAddress ours = socket("192.0.2.1:52625");
    net::SocketAddress theirs = socket("198.51.100.1:52625");
};

TEST_F(Core, IsDueOnceAfterAnInput) {
    EXPECT_EQ(core.poll_timeout(), std::nullopt);

    core.note_input(kNow);
    EXPECT_EQ(core.poll_timeout(), kNow);

    core.handle_timeout(kNow);
    EXPECT_EQ(core.poll_timeout(), std::nullopt);
}

TEST_F(Core, ReportsTogetherWhatItDropped) {
    Bytes garbage(40, std::byte{0xff});
    Bytes too_long(1317);
    EXPECT_FALSE(core.receive(ours, theirs, garbage, kNow));
    EXPECT_FALSE(core.receive(ours, theirs, too_long, kNow));

    const auto report = core.poll_drops();
    ASSERT_TRUE(report);
    ASSERT_EQ(report->packets.size(), 2U);
    EXPECT_EQ(report->packets[0].reason, "not a WireGuard packet");
    EXPECT_EQ(report->packets[0].from, theirs);
    EXPECT_EQ(report->packets[1].reason, "datagram is too long");
    EXPECT_EQ(report->packets[1].bytes, 1317U);
    EXPECT_FALSE(core.poll_drops());
}

TEST_F(Core, AsksThePortalForRelaysWhenItCannotConnectForWantOfThem) {
    EXPECT_EQ(core.connect(peer, kNow), std::nullopt);
    EXPECT_EQ(core.connect(peer, kNow), std::nullopt);

    const auto event = core.poll_event();
    ASSERT_TRUE(event);
    EXPECT_TRUE(std::holds_alternative<AskForRelays>(*event));
    EXPECT_FALSE(core.poll_event()) << "once";
}

TEST_F(Core, TellsOfTheInterfaceBeforeAnythingElse) {
    core.send_to_portal(portal_api::CreateFlow{});
    core.set_tun_config({.ipv4 = ip("100.64.0.1"), .ipv6 = ip("fd00:2021:1111::1")});

    EXPECT_TRUE(std::holds_alternative<TunInterfaceUpdated>(*core.poll_event()));
    EXPECT_TRUE(std::holds_alternative<SendToPortal>(*core.poll_event()));
    EXPECT_FALSE(core.poll_event());
    EXPECT_TRUE(core.is_own_address(ip("100.64.0.1")));
    EXPECT_FALSE(core.is_own_address(ip("100.64.0.2")));
}

TEST_F(Core, ForgetsOnAResetWhatThePortalWasToHear) {
    const auto key = core.public_key();
    core.send_to_portal(portal_api::CreateFlow{});

    core.reset(kNow);
    drain();

    EXPECT_FALSE(core.poll_event());
    EXPECT_NE(core.public_key(), key);
    EXPECT_EQ(core.poll_timeout(), kNow);
}

}  // namespace
}  // namespace culvert::tunnel::test
