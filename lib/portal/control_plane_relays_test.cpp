#include "culvert/portal/control_plane.h"

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

}  // namespace
}  // namespace culvert::portal
