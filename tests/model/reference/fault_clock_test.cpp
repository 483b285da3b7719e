#include "tests/model/reference/fault_clock.h"

#include <array>
#include <span>

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr GatewayNo kGateway{1};
constexpr GatewayNo kOtherGateway{2};

Setup one_client_two_gateways() {
    Setup setup;
    setup.clients.resize(1);
    setup.gateways.resize(2);
    return setup;
}

class FaultClockTest : public ::testing::Test {
protected:
    void SetUp() override {
        for (const Process process : {Process{kClient}, Process{kGateway}, Process{kOtherGateway}}) {
            see(ProcessChanged{process, ProcessState::kRunning});
        }
        for (const Device device : {Device{kClient}, Device{kGateway}, Device{kOtherGateway}}) {
            see(SessionOpened{device, {}, {}});
        }
        now += 60s;
    }
    template <typename Seen>
    void see(const Seen& seen) {
        clock.observe(seen, now);
    }
    [[nodiscard]] std::string_view reason(GatewayNo gateway = kGateway) const {
        const auto excuse = clock.data_path(kClient, gateway, now, now);
        return excuse ? excuse->reason : "";
    }

    Instant now = kCaseBegin;
    FaultClock clock{one_client_two_gateways()};
};

Bytes allocate_answer(bool is_granted) {
    // Header of a response, and ERROR-CODE 508.
    constexpr std::array<unsigned char, 28> kRefusal{0x01, 0x13, 0, 8, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0,
                                                     0,    0,    0, 0, 0,    0,    0,    9,    0, 4, 0, 0, 5, 8};
    auto bytes = to_bytes(std::as_bytes(std::span{kRefusal}));
    bytes[1] = is_granted ? std::byte{3} : bytes[1];
    return bytes;
}

TEST_F(FaultClockTest, ExcusesWhoARelayHasNoPortForUntilItHas) {
    const net::SocketAddress relay{net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, 1}}, 3478};
    const net::SocketAddress other_relay{net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, 2}}, 3478};
    const auto receive = [&](const net::SocketAddress& from, const Bytes& answer) {
        see(DatagramReceived{kClient, from, {}, answer, false});
    };
    receive(other_relay, allocate_answer(true));
    EXPECT_EQ(reason(), "");
    receive(relay, allocate_answer(false));
    receive(other_relay, allocate_answer(true));
    now += 600s;
    EXPECT_EQ(reason(), "a relay has no port left");
    receive(relay, allocate_answer(true));
    now += 26s;
    EXPECT_EQ(reason(), "");
}

class FullRelayTest : public FaultClockTest {
protected:
    void SetUp() override {
        FaultClockTest::SetUp();
        tell(portal_api::ClientInit{{}, {}, {kFull, kOther}});
        see(DatagramReceived{kClient, kFull.addr, {}, allocate_answer(false), false});
        now += 600s;
    }
    void tell(portal_api::ToClient message) {
        const portal_api::ToDevice to_device = std::move(message);
        see(MessageToDevice{kClient, to_device});
    }
    static portal_api::Relay relay(std::uint8_t number) {
        return {.id = RelayId{Uuid{{number}}},
                .addr = {net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, number}}, 3478},
                .username = {},
                .password = {},
                .expires_at = {}};
    }
    void expect_only_the_aftermath() {
        now += 25s;
        EXPECT_EQ(reason(), "a relay has no port left");
        now += 1ms;
        EXPECT_EQ(reason(), "");
    }

    const portal_api::Relay kFull = relay(1);
    const portal_api::Relay kOther = relay(2);
};

TEST_F(FullRelayTest, IsNoExcuseOnceItIsWithdrawn) {
    tell(portal_api::RelaysPresence{{kFull.id}, {}});
    expect_only_the_aftermath();
}

TEST_F(FullRelayTest, IsNoExcuseOnceItHasAnotherAddress) {
    auto moved = relay(3);
    moved.id = kFull.id;
    tell(portal_api::RelaysPresence{{}, {moved}});
    expect_only_the_aftermath();
}

TEST_F(FullRelayTest, StaysAnExcuseWhileAnotherIsWithdrawn) {
    tell(portal_api::RelaysPresence{{kOther.id}, {relay(3)}});
    now += 26s;
    EXPECT_EQ(reason(), "a relay has no port left");
}

TEST_F(FullRelayTest, StaysAnExcuseIfAListLacksIt) {
    tell(portal_api::ClientInit{{}, {}, {kOther}});
    now += 26s;
    EXPECT_EQ(reason(), "a relay has no port left");
}

TEST_F(FaultClockTest, IsSilentWhileNothingIsWrong) {
    EXPECT_EQ(reason(), "");
    EXPECT_FALSE(clock.portal_path(kClient, now, now));
}

TEST_F(FaultClockTest, ExcusesAFaultAndItsRecoveryButNoLonger) {
    see(FaultChanged{"link", kGateway, true});
    now += 100s;
    EXPECT_EQ(reason(), "link impaired");
    EXPECT_EQ(reason(kOtherGateway), "");

    see(FaultChanged{"link", kGateway, false});
    now += 25s;
    EXPECT_EQ(reason(), "link impaired");
    now += 1ms;
    EXPECT_EQ(reason(), "");
    EXPECT_EQ(clock.latest(kClient, kGateway, now)->rule, "LIV-5");
    EXPECT_FALSE(clock.latest(kClient, kGateway, now + 31s));
}

TEST_F(FaultClockTest, GivesACrashMoreTimeThanAGracefulStop) {
    const auto recovers_after = [&](bool is_crash, Duration wait) {
        see(ProcessChanged{kGateway, ProcessState::kStopped, is_crash});
        now += 5s;
        see(ProcessChanged{kGateway, ProcessState::kRunning});
        now += wait;
        return reason().empty();
    };
    EXPECT_TRUE(recovers_after(false, 4s));
    EXPECT_FALSE(recovers_after(true, 24s));
    EXPECT_TRUE(recovers_after(true, 26s));
}

TEST_F(FaultClockTest, AnIdleConnectionRecoversFromItsFirstPacketOn) {
    see(FaultChanged{"nat", kGateway, true});
    see(FaultChanged{"nat", kGateway, false});
    const auto before = now - 1s;
    now += 100s;
    const auto excuse = [&](Duration later) {
        return clock.data_path(kClient, kGateway, now + later, now + later, {before, now}).has_value();
    };

    EXPECT_TRUE(excuse(0s));
    EXPECT_TRUE(excuse(25s));
    EXPECT_FALSE(excuse(25s + 1ms));
    EXPECT_FALSE(clock.data_path(kClient, kOtherGateway, now, now, {before, now}));
}

TEST_F(FaultClockTest, AGatewayThatWasNotReachedStillHasItsHalfWhenTheClientComesBack) {
    see(FaultChanged{"nat", kClient, true});
    see(FaultChanged{"nat", kClient, false});
    const auto first = now;
    const auto excuse = [&](Instant at, std::vector<Instant> attempts) {
        return clock.data_path(kClient, kGateway, at, at, attempts).has_value();
    };
    const auto later = first + 60s;
    EXPECT_TRUE(excuse(later + 7s, {first, later}));
    EXPECT_FALSE(excuse(later + 7s + 1ms, {first, later}));
    // Traffic that went on had found out before.
    EXPECT_FALSE(excuse(first + 26s, {first, first + 20s, first + 26s}));
}

TEST_F(FaultClockTest, AMoveEndsWithTheNewNetwork) {
    const Step step{.at = 0ms, .action = Roam{kClient, {}, 10s}};
    see(ActionTaken{step, true});
    now += 10s;
    EXPECT_EQ(reason(), "roaming");

    see(HostAttached{kClient, {}, std::get<Roam>(step.action).access});
    now += 6s;
    EXPECT_EQ(reason(), "");
}

TEST_F(FaultClockTest, ThePortalIsOutOfReachUntilASessionIsOpen) {
    see(SessionClosed{kClient, ""});
    now += 60s;
    EXPECT_EQ(clock.portal_path(kClient, now, now)->reason, "no session with the portal");
    EXPECT_EQ(reason(), "");

    see(SessionOpened{kClient, {}, {}});
    now += 4s;
    EXPECT_FALSE(clock.portal_path(kClient, now, now));
}

TEST_F(FaultClockTest, OnlyAFloodOfHandshakesDelaysHonestOnes) {
    const auto attack = [&](std::uint16_t count) {
        see(ActionTaken{{.at = 0ms, .action = Attack{kGateway, Spoof::kHandshakeGoodMac, count}}, true});
    };
    attack(79);
    EXPECT_EQ(reason(), "");
    attack(1);
    EXPECT_EQ(reason(), "flooded with handshakes");
    EXPECT_EQ(reason(kOtherGateway), "");

    now += 8s;
    EXPECT_EQ(reason(), "");
}

TEST_F(FaultClockTest, AConnectionThatBeginsAfterPortalTroubleMayFindNobody) {
    const auto begin = [&] {
        clock.begin_connection(kClient, kGateway, now);
        return reason();
    };
    EXPECT_EQ(begin(), "");

    now += 60s;
    see(FaultChanged{"portal", kGateway, true});
    see(FaultChanged{"portal", kGateway, false});
    EXPECT_EQ(begin(), "portal was out of reach while a connection began");
    EXPECT_EQ(reason(kOtherGateway), "");
    now += 26s;
    EXPECT_EQ(reason(), "");
}

TEST_F(FaultClockTest, CandidatesMayGetLostWithThePortal) {
    const auto connection_then_outage_after = [&](Duration wait) {
        now += 60s;
        clock.begin_connection(kClient, kGateway, now);
        now += wait;
        see(FaultChanged{"portal", kClient, true});
        see(FaultChanged{"portal", kClient, false});
        return reason();
    };
    EXPECT_EQ(connection_then_outage_after(3s), "");
    EXPECT_EQ(connection_then_outage_after(1s), "portal was out of reach while a connection began");
    now += 25s;
    EXPECT_EQ(reason(), "");
}

}  // namespace
}  // namespace culvert::model
