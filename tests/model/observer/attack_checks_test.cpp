#include "tests/model/observer/attack_checks.h"

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr ClientNo kClient{1};
constexpr RelayNo kRelay{1};

net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}

class AttackChecksTest : public testing::Test {
protected:
    void see(const Observation& observation) { checks.observe(observation, now); }
    void attack(Device host, ByteSpan payload = {}, bool is_authentic = false) {
        see(DatagramReceived{host, kUser, at("198.18.0.1:1"), payload, true, is_authentic});
    }
    void speak(Process process, log::Level level, std::string_view target = "wireguard") {
        see(LogLine{process, level, target, "no such session", {}});
    }
    void handled(Device host, const DeviceState& before, const DeviceState& after) {
        see(AttackHandled{host, before, after, now});
    }
    [[nodiscard]] std::size_t violations() const { return verdict.violations().size(); }

    static tunnel::ClientState client(Instant created_at, std::optional<std::string_view> path) {
        connectivity::ConnectionState connection;
        connection.created_at = created_at;
        if (path) {
            connection.socket = {at("10.0.0.1:52625"), at(*path)};
        }
        return {{}, {{Uuid{}, connection}}};
    }
    static turn::ServerAllocations users(std::initializer_list<std::string_view> addresses) {
        turn::ServerAllocations allocations;
        for (const auto address : addresses) {
            allocations.emplace(at(address), turn::ServerAllocation{});
        }
        return allocations;
    }

    static inline const net::SocketAddress kUser = at("198.51.100.1:7");
    static inline const Bytes kAnswer{std::byte{0x01}, std::byte{0x01}};
    Instant now = kCaseBegin + 60s;
    Situation situation{model::Setup{.clients = {{}}, .gateways = {}, .relays = {{}}}};
    Verdict verdict;
    AttackChecks checks{situation, verdict};
};

TEST_F(AttackChecksTest, HearsNoise) {
    attack(kClient);
    speak(kClient, log::Level::kDebug);
    handled(kClient, tunnel::ClientState{}, tunnel::ClientState{});
    EXPECT_EQ(violations(), 0U);
    EXPECT_EQ(verdict.checks().at("SEC-9"), 1U);

    attack(kClient);
    speak(kClient, log::Level::kInfo);
    handled(kClient, tunnel::ClientState{}, tunnel::ClientState{});
    EXPECT_EQ(violations(), 1U);
}

TEST_F(AttackChecksTest, HearNoNoiseOfOthersOrOfAnotherCause) {
    attack(kClient);
    speak(kRelay, log::Level::kInfo);
    speak(kClient, log::Level::kInfo, "portal_channel");
    see(SessionClosed{kClient, {}});
    speak(kClient, log::Level::kInfo);
    handled(kClient, tunnel::ClientState{}, tunnel::ClientState{});
    speak(kClient, log::Level::kInfo);

    EXPECT_EQ(violations(), 0U);
}

TEST_F(AttackChecksTest, WantPathsKept) {
    const auto old = client(now - 1min, "192.0.2.1:1");
    attack(kClient);
    handled(kClient, old, client(now - 1min, "192.0.2.2:2"));
    EXPECT_EQ(violations(), 1U);

    attack(kClient);
    handled(kClient, old, tunnel::ClientState{});
    EXPECT_EQ(violations(), 2U);
}

TEST_F(AttackChecksTest, KnowWhatProtocolsCannotPrevent) {
    const auto moved = client(now - 1min, "192.0.2.2:2");
    attack(kClient);
    speak(kClient, log::Level::kInfo);
    handled(kClient, client(now - 1min, std::nullopt), moved);
    attack(kClient, kAnswer);
    handled(kClient, client(now - 1min, "192.0.2.1:1"), moved);
    attack(kClient);
    handled(kClient, client(now - 4s, "192.0.2.1:1"), client(now - 4s, "192.0.2.2:2"));

    EXPECT_EQ(violations(), 0U);
    EXPECT_EQ(verdict.tolerances().at(to_string(Excuse::kRecordedCheck)), 2U);
    EXPECT_EQ(verdict.tolerances().at(to_string(Excuse::kRecordedAnswer)), 1U);
}

TEST_F(AttackChecksTest, FindWhatAStrangerChangedAtARelay) {
    attack(kRelay);
    handled(kRelay, users({"198.51.100.1:7"}), users({"198.51.100.1:7"}));
    EXPECT_EQ(violations(), 0U);

    attack(kRelay);
    handled(kRelay, users({"198.51.100.1:7"}), users({}));
    EXPECT_EQ(violations(), 1U);
}

TEST_F(AttackChecksTest, LetUsersChangeWhatIsTheirOwn) {
    attack(kRelay, {}, true);
    speak(kRelay, log::Level::kInfo);
    handled(kRelay, users({}), users({"198.51.100.1:7"}));
    EXPECT_EQ(violations(), 0U);

    attack(kRelay, {}, true);
    handled(kRelay, users({}), users({"198.51.100.1:7", "198.51.100.2:7"}));
    EXPECT_EQ(violations(), 1U);
}

}  // namespace
}  // namespace culvert::model
