// Whose an allocation is, and what the portal says about single users.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/turn/server/server_fixture.h"

namespace culvert::turn::test {
namespace {

using ::testing::IsEmpty;

const auto kAlice = at("198.51.100.1:1000");
const auto kBob = at("198.51.100.2:2000");

std::string user_name(int expires_in, std::string_view salt) {
    return std::to_string(1'763'000'000 + expires_in) + ":" + std::string{salt};
}

TEST(ServerUsers, RevocationEndsAllAllocationsOfTheUserAtOnceAndNoOthers) {
    Relay relay{only_v4()};
    relay.username = user_name(1000, "alice");
    relay.request(allocate(), kAlice);
    relay.request(bind(0x4000, "192.0.2.1:1"), kAlice);
    relay.username = user_name(500, "alice");
    relay.request(allocate(), at("198.51.100.7:7"));
    relay.username = user_name(1000, "bob");
    relay.request(allocate(), kBob);
    relay.request(bind(0x4000, "192.0.2.1:1"), kBob);

    relay.server.revoke_user("alice", relay.wall_now + 300s);

    EXPECT_EQ(Relay::effects(relay.drain()).size(), 3U) << "a channel and two ports";
    EXPECT_EQ(relay.server.allocations(), 1U);
    EXPECT_EQ(relay.send_data(0x4000, 10, kAlice), "dropped");
    EXPECT_NE(relay.send_data(0x4000, 10, kBob), "dropped");
}

TEST(ServerUsers, RevokedUsersAreUnauthorizedUntilTheRevocationEnds) {
    Relay relay;
    relay.server.revoke_user("salt", relay.wall_now + 300s);

    for (const auto expires_in : {1000, 2000}) {
        relay.username = user_name(expires_in, "salt");
        const auto commands = relay.request(allocate(), kAlice);
        EXPECT_EQ(Relay::code(commands), 401);
        EXPECT_TRUE(relay.is_signed(commands));
        EXPECT_THAT(Relay::effects(commands), IsEmpty());
    }
    relay.username = user_name(1000, "other");
    EXPECT_EQ(Relay::code(relay.request(allocate(), kBob)), 0);

    relay.advance(301s);
    relay.username = user_name(1000, "salt");
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0);
}

TEST(ServerUsers, ExtendedUsersGoOnWithTheirOldNames) {
    Relay relay;
    relay.username = user_name(100, "alice");
    relay.server.extend_user("alice", relay.wall_now + 500s);
    relay.advance(200s);

    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0);
    relay.username = user_name(100, "bob");
    EXPECT_EQ(Relay::code(relay.request(allocate(), kBob)), 401);

    relay.username = user_name(100, "alice");
    relay.advance(301s);
    EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 401);
}

TEST(ServerUsers, AnExtensionDoesNotReplaceThePassword) {
    Relay relay;
    relay.username = user_name(-100, "alice");
    relay.key = stun::long_term_key(relay.username, "firezone", "guess");
    relay.server.extend_user("alice", relay.wall_now + 500s);

    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 401);
}

TEST(ServerUsers, AnExtensionLiftsARevocation) {
    Relay relay;
    relay.server.revoke_user("salt", relay.wall_now + 300s);
    relay.server.extend_user("salt", relay.wall_now + 300s);

    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0);
}

std::uint32_t lifetime_of(const std::vector<Command>& commands) {
    return stun::Message::parse(Relay::only_response(commands)->payload)->u32(AttributeType::kLifetime).value();
}

TEST(ServerUsers, AnothersAllocationIsNotToBeRefreshedDeletedOrBound) {
    Relay relay{only_v4()};
    relay.username = user_name(1000, "alice");
    relay.request(allocate(100), kAlice);
    relay.request(bind(0x4000, "192.0.2.1:1"), kAlice);
    relay.username = user_name(1000, "mallory");

    for (const auto& spec : {refresh(0), refresh(3600), bind(0x4001, "192.0.2.2:2"), bind(0x4000, "192.0.2.1:1")}) {
        const auto commands = relay.request(spec, kAlice);
        EXPECT_EQ(Relay::code(commands), 441);
        EXPECT_TRUE(relay.is_signed(commands));
        EXPECT_THAT(Relay::effects(commands), IsEmpty());
    }
    EXPECT_EQ(relay.server.allocations(), 1U);
    EXPECT_NE(relay.send_data(0x4000, 10, kAlice), "dropped");
    EXPECT_EQ(relay.send_data(0x4001, 10, kAlice), "dropped");
    relay.advance(100s);
    relay.time_out();
    EXPECT_EQ(relay.server.allocations(), 0U) << "nor did its lifetime change";
}

TEST(ServerUsers, WhoInsistsIsToldAMismatchWhichAllDevicesUnderstand) {
    Relay relay{only_v4()};
    relay.username = user_name(1000, "alice");
    relay.request(allocate(), kAlice);
    relay.username = user_name(1000, "bob");
    for (unsigned i = 0; i < kMaxWrongCredentials; ++i) {
        EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 441);
    }

    EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 437);
    EXPECT_EQ(relay.server.allocations(), 1U);
}

TEST(ServerUsers, RenewedCredentialsAreTheSameUsers) {
    Relay relay{only_v4()};
    relay.request(allocate(), kAlice);
    relay.username = user_name(5000, "salt");

    EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "192.0.2.1:1"), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 437);
}

TEST(ServerUsers, WhoHasTheAddressNowGetsAnAllocationThere) {
    Relay relay{with_ports(only_v4(), 50000, 50000)};
    relay.username = user_name(1000, "alice");
    relay.request(allocate(), kAlice);
    relay.request(bind(0x4000, "192.0.2.1:1"), kAlice);
    relay.username = user_name(1000, "bob");

    const auto commands = relay.request(allocate(), kAlice);

    EXPECT_EQ(Relay::code(commands), 0) << "even if all ports are taken, since one becomes free";
    EXPECT_EQ(relay.server.allocations(), 1U);
    EXPECT_EQ(relay.server.bound_channels(), 0U) << "alice's channels are not bob's";
    EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 0);
}

TEST(ServerUsers, AllocationsAreCountedPerUserAndNotPerAddress) {
    auto config = only_v4();
    config.max_allocations_per_user = 3;
    Relay relay{config};
    const auto mine = [](std::uint16_t port) { return net::SocketAddress{ip("198.51.100.66"), port}; };
    for (std::uint16_t port = 1; port <= 3; ++port) {
        relay.username = user_name(1000 + port, "mallory");
        EXPECT_EQ(Relay::code(relay.request(allocate(), mine(port))), 0);
    }

    const auto commands = relay.request(allocate(), mine(4));

    EXPECT_EQ(Relay::code(commands), 486);
    EXPECT_TRUE(relay.is_signed(commands));
    EXPECT_EQ(Relay::code(relay.request(refresh(), mine(1))), 0);
    relay.username = user_name(1000, "alice");
    EXPECT_EQ(Relay::code(relay.request(allocate(), kAlice)), 0) << "others are not concerned";
    relay.username = user_name(1000, "mallory");
    relay.request(refresh(0), mine(1));
    EXPECT_EQ(Relay::code(relay.request(allocate(), mine(4))), 0);
}

TEST(ServerUsers, ChannelsAreCountedPerUserAndNotPerAllocation) {
    auto config = only_v4();
    config.max_channels_per_user = 4;
    Relay relay{config};
    const auto second = at("198.51.100.1:1001");
    relay.request(allocate(3600), kAlice);
    relay.request(allocate(3600), second);
    for (std::uint16_t i = 0; i < 2; ++i) {
        const auto channel = static_cast<std::uint16_t>(0x4000 + i);
        EXPECT_EQ(Relay::code(relay.request(bind(channel, "192.0.2.1:" + std::to_string(i + 1)), kAlice)), 0);
        EXPECT_EQ(Relay::code(relay.request(bind(channel, "192.0.2.1:" + std::to_string(i + 1)), second)), 0);
    }

    EXPECT_EQ(Relay::code(relay.request(bind(0x4002, "192.0.2.1:3"), kAlice)), 508);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4002, "192.0.2.1:3"), second)), 508);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "192.0.2.1:1"), kAlice)), 0) << "a refresh needs no room";
    relay.username = user_name(1000, "bob");
    relay.request(allocate(), kBob);
    EXPECT_EQ(Relay::code(relay.request(bind(0x4000, "192.0.2.1:3"), kBob)), 0) << "others are not concerned";

    relay.username = user_name(5000, "salt");
    relay.advance(899s);
    relay.time_out();
    EXPECT_EQ(Relay::code(relay.request(bind(0x4002, "192.0.2.1:3"), kAlice)), 508) << "cool-down takes memory as well";
    relay.advance(1s);
    relay.time_out();
    EXPECT_EQ(Relay::code(relay.request(bind(0x4002, "192.0.2.1:3"), kAlice)), 0);
}

TEST(ServerUsers, ARecordedDeletionDeletesNothingASecondTime) {
    Relay relay{only_v4()};
    relay.request(allocate(), kAlice);
    const auto deletion = relay.encode(refresh(0));
    EXPECT_EQ(Relay::code(relay.receive(deletion, kAlice)), 0);
    relay.request(allocate(), kAlice);
    relay.request(bind(0x4000, "192.0.2.1:1"), kAlice);

    const auto commands = relay.receive(deletion, kAlice);

    EXPECT_EQ(Relay::code(commands), 0) << "a retransmission gets the answer it got before";
    EXPECT_EQ(lifetime_of(commands), 0U);
    EXPECT_TRUE(relay.is_signed(commands));
    EXPECT_THAT(Relay::effects(commands), IsEmpty());
    EXPECT_NE(relay.send_data(0x4000, 10, kAlice), "dropped");
    EXPECT_EQ(relay.server.statistics().repeated_requests, 1U);
}

TEST(ServerUsers, NoRecordedRequestChangesAnythingAsLongAsItsNonceLives) {
    Relay relay{only_v4()};
    relay.username = "9999999999:salt";
    std::vector<Bytes> recorded;
    const auto send = [&](const RequestSpec& spec) {
        recorded.push_back(relay.encode(spec));
        return Relay::code(relay.receive(recorded.back(), kAlice));
    };
    EXPECT_EQ(send(refresh()), 437);
    EXPECT_EQ(send(allocate(3600)), 0);
    EXPECT_EQ(send(refresh(1)), 0);
    EXPECT_EQ(send(refresh(3600)), 0);
    EXPECT_EQ(send(bind(0x4000, "192.0.2.1:1")), 0);
    EXPECT_EQ(send(bind(0x4000, "192.0.2.1:2")), 400);
    EXPECT_EQ(send(bind(0x4001, "127.0.0.1:2")), 403);
    EXPECT_EQ(send(refresh(0)), 0);
    EXPECT_EQ(send(allocate(3600)), 0);
    EXPECT_EQ(send(refresh(3600)), 0);
    for (auto passed = 0s; passed <= kNonceLifetime + 2min; passed += 2min) {
        const auto before = relay.server.allocations();
        for (const auto& request : recorded) {
            EXPECT_THAT(Relay::effects(relay.receive(request, kAlice)), IsEmpty());
        }
        EXPECT_EQ(relay.server.allocations(), before);
        relay.advance(2min);
        relay.time_out();
    }
    EXPECT_EQ(relay.server.allocations(), 0U) << "nor did a replay prolong it";
}

TEST(ServerUsers, AnswersToStrangersAreLimitedPerNetwork) {
    Relay relay{dual_stack()};
    relay.request(allocate(), kAlice);
    const auto flood = [&](const Bytes& request, std::string_view network) {
        unsigned answers = 0;
        for (unsigned i = 0; i < 2 * kUnprovenAnswersBurst; ++i) {
            const net::SocketAddress from{ip(std::string{network} + std::to_string(i % 250)),
                                          static_cast<std::uint16_t>(2000 + i % 1000)};
            answers += relay.receive(request, from).empty() ? 0 : 1;
        }
        return answers;
    };
    const auto binding = relay.encode_anonymous({.method = Method::kBinding});

    EXPECT_LE(flood(binding, "198.51.100."), kUnprovenAnswersBurst);
    EXPECT_EQ(flood(relay.encode_anonymous(allocate()), "198.51.100."), 0U) << "they share one limit";
    EXPECT_LE(flood(relay.encode_anonymous(allocate()), "198.51.101."), kUnprovenAnswersBurst);
    EXPECT_LE(flood(hex("00030008 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 00170004 03000000"), "198.51.102."),
              kUnprovenAnswersBurst);
    relay.key = stun::long_term_key(relay.username, "firezone", "guess");
    EXPECT_LE(flood(relay.encode(allocate(), "00000000-0000-0000-0000-000000000001"), "198.51.103."),
              kUnprovenAnswersBurst);
    relay.key.reset();
    EXPECT_GE(relay.server.statistics().rate_limited, 6 * kUnprovenAnswersBurst);

    EXPECT_EQ(Relay::code(relay.receive(binding, kAlice)), 0) << "who has an allocation is known to be there";
    EXPECT_EQ(Relay::code(relay.request(refresh(), kAlice)), 0);
    EXPECT_EQ(Relay::code(relay.receive(relay.encode(refresh(), "00000000-0000-0000-0000-000000000001"), kAlice)), 438);
}

}  // namespace
}  // namespace culvert::turn::test
