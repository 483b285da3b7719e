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

}  // namespace
}  // namespace culvert::turn::test
