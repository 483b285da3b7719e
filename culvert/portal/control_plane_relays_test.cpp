#include "culvert/portal/control_plane.h"

#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane_fixture.h"
#include "culvert/portal/derivations.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Relaying = ControlPlaneTest;

TEST_F(Relaying, DevicesGetTwoRelaysWithCredentialsOfTheirOwn) {
    const auto token = relay_token();
    for (std::uint8_t i = 1; i <= 3; ++i) {
        join(relay_request(token, i), "secret-" + std::to_string(i));
    }
    const auto expires_at = wall_seconds() + hours{1};

    const auto client = take_one<ClientInit>(join(client_request(client_token(expires_at)))).relays;
    const auto gateway = take_one<GatewayInit>(join(gateway_request(gateway_token()))).relays;

    ASSERT_EQ(client.size(), 4U);
    EXPECT_EQ(client[0].id, client[1].id);
    EXPECT_NE(client[1].id, client[2].id);
    EXPECT_TRUE(client[0].addr.is_v4());
    EXPECT_FALSE(client[1].addr.is_v4());
    EXPECT_EQ(client[0].expires_at, expires_at);
    ASSERT_EQ(gateway.size(), 4U);
    EXPECT_EQ(gateway[0].expires_at, kNever);
    const auto number = client[0].addr.ip.to_string().back() - '0';
    const auto expected =
        turn_credentials(*crypto::PublicKey::parse(key_text(1)), "secret-" + std::to_string(number), expires_at);
    EXPECT_EQ(client[0].username, expected.username);
    EXPECT_EQ(client[0].password, expected.password);
}

TEST_F(Relaying, ARelayThatComesBackInTimeWithItsSecretIsNotReported) {
    const auto token = relay_token();
    auto relay = join(relay_request(token), "same");
    const auto client = join(client_request(client_token()));
    take_frames(client);

    disconnect(relay);
    wait(milliseconds{2900});
    relay = join(relay_request(token), "same");
    wait(seconds{10});

    EXPECT_TRUE(take<RelaysPresence>(client).empty());
}

TEST_F(Relaying, ARelayThatComesBackWithAnotherSecretIsReportedAtOnce) {
    const auto token = relay_token();
    auto relay = join(relay_request(token), "old");
    const auto client = join(client_request(client_token()));
    const auto before = take_one<ClientInit>(client).relays;

    disconnect(relay);
    wait(milliseconds{100});
    EXPECT_TRUE(take<RelaysPresence>(client).empty());
    relay = join(relay_request(token), "new");
    const auto push = take_one<RelaysPresence>(client);

    EXPECT_EQ(push.disconnected_ids, std::vector{before[0].id});
    ASSERT_EQ(push.connected.size(), 2U);
    EXPECT_EQ(push.connected[0].id, before[0].id);
    EXPECT_NE(push.connected[0].password, before[0].password);
    wait(seconds{10});
    EXPECT_TRUE(take<RelaysPresence>(client).empty());
}

TEST_F(Relaying, ARelayThatStaysAwayIsReplacedAfterThreeSeconds) {
    const auto token = relay_token();
    std::map<std::string, Device> relays;
    for (std::uint8_t i = 1; i <= 3; ++i) {
        relays["203.0.113." + std::to_string(20 + i)] = join(relay_request(token, i), "s");
    }
    const auto gateway = join(gateway_request(gateway_token()));
    const auto before = take_one<GatewayInit>(gateway).relays;

    disconnect(relays.at(before[0].addr.ip.to_string()));
    wait(milliseconds{2999});
    EXPECT_TRUE(take<RelaysPresence>(gateway).empty());
    wait(milliseconds{1});
    const auto push = take_one<RelaysPresence>(gateway);

    EXPECT_EQ(push.disconnected_ids, std::vector{before[0].id});
    ASSERT_EQ(push.connected.size(), 4U);
    for (const auto& entry : push.connected) {
        EXPECT_NE(entry.id, before[0].id);
    }
}

TEST_F(Relaying, ADeviceThatIsShortOfRelaysGetsThemAsTheyAppear) {
    const auto client = join(client_request(client_token()));
    EXPECT_TRUE(take_one<ClientInit>(client).relays.empty());
    const auto token = relay_token();

    join(relay_request(token, 1), "s");
    EXPECT_EQ(take_one<RelaysPresence>(client).connected.size(), 2U);
    join(relay_request(token, 2), "s");
    EXPECT_EQ(take_one<RelaysPresence>(client).connected.size(), 4U);
    join(relay_request(token, 3), "s");
    EXPECT_TRUE(take<RelaysPresence>(client).empty());
}

TEST_F(Relaying, AStaleConnectionOfARelayDoesNotDisturbTheNewOne) {
    const auto token = relay_token();
    const auto stale = join(relay_request(token), "same");
    const auto client = join(client_request(client_token()));
    join(relay_request(token), "same");
    take_frames(client);

    disconnect(stale);
    wait(seconds{10});

    EXPECT_TRUE(take<RelaysPresence>(client).empty());
    EXPECT_EQ(portal_->statistics().relays_online, 1U);
}

using std::chrono::days;

TEST_F(Relaying, CredentialsEndWithinSixtyDaysAndStayTheSameAtReconnects) {
    join(relay_request(relay_token()));
    const auto token = client_token();
    const auto first = take_one<ClientInit>(join(client_request(token))).relays.front();
    EXPECT_GE(first.expires_at, wall_seconds() + days{30});
    EXPECT_LE(first.expires_at, wall_seconds() + days{60});

    const auto late = take_one<ClientInit>(join(client_request(client_token(wall_seconds() + days{400}), 2)));
    EXPECT_EQ(late.relays.front().expires_at, first.expires_at);

    const auto end_of_period = first.expires_at - days{30};
    wait_coarsely(end_of_period - wall_seconds() - seconds{1});
    const auto again = take<ClientInit>(join(client_request(token)));
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(again.front().relays.front(), first);
}

/// Changed ones would interrupt what it relays.
TEST_F(Relaying, CredentialsOfAGatewayNeverChangeUnlessItsTokenEnds) {
    const auto relay = join(relay_request(relay_token()));
    const auto token = gateway_token();
    const auto first = take_one<GatewayInit>(join(gateway_request(token))).relays.front();
    EXPECT_EQ(first.expires_at, UnixSeconds{seconds{2'145'916'800}});
    wait_coarsely(days{80});
    const auto again = take<GatewayInit>(join(gateway_request(token)));
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(again.front().relays.front(), first);

    const auto end = wall_seconds() + days{400};
    const auto limited = create_token({.type = TokenType::kGateway, .site = site_.id}, end);
    EXPECT_EQ(take_one<GatewayInit>(join(gateway_request(limited, 2))).relays.front().expires_at, end);

    take_frames(relay);
    EXPECT_TRUE(storage_.erase(last_token_));
    announce_changes();
    const auto told = take_one<TurnUsers>(relay);
    ASSERT_EQ(told.revoked.size(), 1U);
    EXPECT_EQ(told.revoked[0].until, end) << "as long as its user name counts";
}

TEST_F(Relaying, CredentialsOfAConnectedDeviceAreExtendedAtOurRelaysAndReplacedForOthers) {
    const auto ours = join(relay_request(relay_token(), 1));
    const auto foreign = connect(relay_request(relay_token(), 2));
    send_text(foreign, R"({"topic":"relay","event":"phx_join","ref":0,"payload":{"stamp_secret":"foreign"}})");
    const auto client = join(client_request(client_token()));
    const auto given = take_one<ClientInit>(client).relays;
    ASSERT_EQ(given.size(), 4U);
    const auto expires_at = given.front().expires_at;
    take_frames(ours);

    wait_coarsely(expires_at - wall_seconds() - days{4});
    EXPECT_TRUE(take<TurnUsers>(ours).empty());
    wait_coarsely(days{2});
    const auto told = take_one<TurnUsers>(ours);
    ASSERT_EQ(told.extended.size(), 1U);
    EXPECT_EQ(told.extended[0].salt, turn_salt(*crypto::PublicKey::parse(key_text(1))));
    EXPECT_GE(told.extended[0].until, expires_at + days{20});
    EXPECT_TRUE(take<RelaysPresence>(client).empty()) << "its allocations are left alone";

    wait_coarsely(days{2} - std::chrono::minutes{30});
    const auto push = take_one<RelaysPresence>(client);
    EXPECT_TRUE(push.disconnected_ids.empty());
    ASSERT_EQ(push.connected.size(), 4U);
    int unchanged = 0;
    for (const auto& relay : push.connected) {
        unchanged += static_cast<int>(std::ranges::count(given, relay));
        EXPECT_TRUE(std::ranges::count(given, relay) == 1 || relay.expires_at > expires_at + days{20});
    }
    EXPECT_EQ(unchanged, 2) << "those of our relay";

    // A relay that comes back is told all that counts.
    const auto back = join(relay_request(relay_token(), 1));
    EXPECT_EQ(take_one<TurnUsers>(back).extended, told.extended);
    wait(hours{1});
    EXPECT_FALSE(is_closed(client));
}

TEST_F(Relaying, WhoLosesHisTokenIsRevokedAtOurRelays) {
    const auto relay = join(relay_request(relay_token()));
    take_frames(relay);
    const auto token = client_token();
    const auto id = last_token_;
    join(client_request(token));
    const auto salt = turn_salt(*crypto::PublicKey::parse(key_text(1)));
    announce_changes();
    EXPECT_TRUE(take<TurnUsers>(relay).empty());

    storage_.erase(id);
    announce_changes();

    const auto told = take_one<TurnUsers>(relay);
    ASSERT_EQ(told.revoked.size(), 1U);
    EXPECT_EQ(told.revoked[0].salt, salt);
    EXPECT_GE(told.revoked[0].until, turn_expiry(Role::kClient, wall_seconds(), std::nullopt))
        << "as long as its user name counts";
    EXPECT_TRUE(told.extended.empty());
    announce_changes();
    EXPECT_TRUE(take<TurnUsers>(relay).empty()) << "once is enough";
}

TEST_F(Relaying, ARevocationWhileThePortalWasDownReachesRelaysThatJoin) {
    take_frames(join(client_request(client_token())));
    const auto id = last_token_;
    const auto relay_text = relay_token();
    storage_.erase(id);
    portal_.emplace(storage_, Rng::from_number(3), now_);

    const auto told = take_one<TurnUsers>(join(relay_request(relay_text)));

    EXPECT_EQ(told.revoked.size(), 1U);
    const auto old = connect(relay_request(relay_text, 2));
    send_text(old, R"({"topic":"relay","event":"phx_join","ref":0,"payload":{"stamp_secret":"foreign"}})");
    EXPECT_TRUE(take<TurnUsers>(old).empty()) << "it would not understand";
}

TEST_F(Relaying, ADeviceThatShowsAnotherTokenIsNoLongerRevoked) {
    const auto relay = join(relay_request(relay_token()));
    join(client_request(client_token()));
    storage_.erase(last_token_);
    announce_changes();
    EXPECT_EQ(take_one<TurnUsers>(relay).revoked.size(), 1U);

    connect(client_request(client_token()));
    announce_changes();

    const auto told = take_one<TurnUsers>(relay);
    EXPECT_TRUE(told.revoked.empty());
    ASSERT_EQ(told.extended.size(), 1U);
    EXPECT_EQ(told.extended[0].salt, turn_salt(*crypto::PublicKey::parse(key_text(1))));
}

TEST_F(Relaying, LongListsOfRevokedUsersComeInParts) {
    constexpr std::size_t kUsers = 2 * kMaxTurnUserRules + 1;
    const auto token = client_token();
    const auto id = last_token_;
    for (std::size_t i = 0; i < kUsers; ++i) {
        storage_.put(TurnUser{std::to_string(i), id, Uuid::random(rng_), wall_seconds() + hours{1}});
    }
    storage_.erase(id);
    announce_changes();

    const auto told = take<TurnUsers>(join(relay_request(relay_token())));

    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0].revoked.size() + told[1].revoked.size() + told[2].revoked.size(), kUsers);
}

}  // namespace
}  // namespace culvert::portal
