#include "culvert/portal/control_plane.h"

#include "culvert/portal/control_plane_fixture.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::minutes;

using Connecting = ControlPlaneTest;
using Joining = ControlPlaneTest;

TEST_F(Connecting, WithoutATokenIs401) {
    EXPECT_EQ(refusal(with(client_request(""), "token", std::nullopt)), 401U);
    EXPECT_EQ(refusal(client_request("nonsense")), 401U);
}

TEST_F(Connecting, WithATokenOfAnotherRoleIs401) {
    EXPECT_EQ(refusal(gateway_request(client_token())), 401U);
    EXPECT_EQ(refusal(client_request(gateway_token())), 401U);
    EXPECT_EQ(refusal(relay_request(client_token())), 401U);
}

TEST_F(Connecting, WithARevokedTokenIs401) {
    const auto token = client_token();
    EXPECT_EQ(refusal(client_request(token)), 0U);

    storage_.erase(last_token_);

    EXPECT_EQ(refusal(client_request(token)), 401U);
}

TEST_F(Connecting, WithAnExpiredTokenIs401) {
    const auto token = client_token(wall_seconds() + minutes{1});
    EXPECT_EQ(refusal(client_request(token)), 0U);

    wait(minutes{1});

    EXPECT_EQ(refusal(client_request(token)), 401U);
}

TEST_F(Connecting, WithInvalidParametersIs400) {
    const auto good = client_request(client_token());
    EXPECT_EQ(refusal(with(good, "external_id", std::nullopt)), 400U);
    EXPECT_EQ(refusal(with(good, "public_key", std::nullopt)), 400U);
    EXPECT_EQ(refusal(with(good, "public_key", "short")), 400U);
    EXPECT_EQ(refusal(with(good, "name", std::string(256, 'n'))), 400U);
    EXPECT_EQ(refusal(with(good, "name", "a\x1b[2J")), 400U);
    EXPECT_EQ(refusal(with(good, "external_id", "a\nb")), 400U);
    EXPECT_EQ(refusal(with(good, "device_serial", "a\xc2\x9b")), 400U);
    EXPECT_EQ(refusal(with(good, "name", std::nullopt)), 0U);

    auto browser = good;
    browser.user_agent = "Mozilla/5.0";
    EXPECT_EQ(refusal(browser), 400U);
    browser.user_agent = "";
    EXPECT_EQ(refusal(browser), 400U);
    browser.user_agent = "Debian/12 headless-client/latest";
    EXPECT_EQ(refusal(browser), 400U);
}

TEST_F(Connecting, OfARelayNeedsAnAddressAndAPort) {
    const auto good = relay_request(relay_token());
    EXPECT_EQ(refusal(good), 0U);
    EXPECT_EQ(refusal(with(good, "ipv4", std::nullopt)), 0U);
    EXPECT_EQ(refusal(with(good, "port", std::nullopt)), 0U);
    EXPECT_EQ(refusal(with(with(good, "ipv4", std::nullopt), "ipv6", std::nullopt)), 400U);
    EXPECT_EQ(refusal(with(good, "ipv4", "2001:db8::1")), 400U);
    for (const auto* port : {"0", "65536", "-1", "x", "3478x"}) {
        EXPECT_EQ(refusal(with(good, "port", port)), 400U) << port;
    }
}

/// Not 4xx, which is the end for older devices: a new process has a new key.
TEST_F(Connecting, WithThePublicKeyOfAnotherDeviceIs503) {
    const auto token = gateway_token();
    EXPECT_EQ(refusal(gateway_request(token, 1)), 0U);
    EXPECT_EQ(refusal(with(gateway_request(token, 2), "public_key", key_text(1001))), 503U);

    const auto client = client_token();
    EXPECT_EQ(refusal(client_request(client, 1)), 0U);
    EXPECT_EQ(refusal(with(client_request(client, 2), "public_key", key_text(1))), 503U);
    EXPECT_EQ(refusal(with(client_request(client, 2), "public_key", key_text(1001))), 503U) << "a gateway's";

    const Actor mallory{ActorId::random(rng_), ActorType::kUser, "mallory", {}};
    storage_.put(mallory);
    const auto hostile = create_token({.type = TokenType::kClient, .actor = mallory.id});
    EXPECT_EQ(refusal(with(client_request(hostile, 1), "public_key", key_text(1))), 503U);
}

TEST_F(Connecting, AgainKeepsIdentityAndAddressesWhateverTheKey) {
    const auto token = client_token();
    const auto first = take_one<ClientInit>(join(client_request(token)));
    const auto again = take_one<ClientInit>(join(with(client_request(token), "public_key", key_text(99))));
    const auto other = take_one<ClientInit>(join(client_request(token, 2)));

    EXPECT_EQ(first.interface, again.interface);
    EXPECT_NE(first.interface, other.interface);
}

TEST_F(Joining, GivesAClientItsAddressesResourcesAndDns) {
    auto account = storage_.load_directory().account;
    account.search_domain = "corp.example";
    account.upstream_dns = {*net::SocketAddress::parse("203.0.113.53:53")};
    storage_.put(account);
    announce_changes();

    const auto client = connect(client_request(client_token()));
    join(client);
    const auto frames = take_frames(client);

    ASSERT_EQ(frames.size(), 2U);
    const auto reply = decode_to_device(Role::kClient, Dialect::kV1, frames[0]);
    EXPECT_TRUE(reply && std::holds_alternative<OkReply>(*reply)) << frames[0];

    join(client);
    const auto init = take_one<ClientInit>(client);
    EXPECT_TRUE(net::IpNetwork::parse("100.64.0.0/11")->contains(init.interface.ipv4));
    EXPECT_TRUE(net::IpNetwork::parse("fd00:2021:1111::/107")->contains(init.interface.ipv6));
    EXPECT_EQ(init.interface.search_domain, "corp.example");
    ASSERT_EQ(init.interface.upstream_dns.size(), 1U);
    ASSERT_EQ(init.resources.size(), 1U);
    const auto& lan = std::get<ClientCidrResource>(init.resources[0]);
    EXPECT_EQ(lan.id, resource_.id);
    EXPECT_EQ(lan.sites, std::vector<portal_api::Site>{site_});
}

TEST_F(Joining, WorksForAnActorThatWasCreatedAMomentAgo) {
    const Actor bob{ActorId::random(rng_), ActorType::kUser, "bob", std::nullopt};
    storage_.put(bob);
    storage_.put(Membership{MembershipId::random(rng_), bob.id, group_.id});

    const auto client = join(client_request(create_token({.type = TokenType::kClient, .actor = bob.id})));
    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());
    announce_changes();

    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client).size(), 1U);
}

TEST_F(Joining, AnotherTopicIsUnmatched) {
    const auto client = connect(client_request(client_token()));

    send_text(client, R"({"topic":"gateway","event":"phx_join","payload":null,"ref":0})");

    EXPECT_EQ(take_one<ErrorReply>(client).reason, ErrorReason::kUnmatchedTopic);
}

TEST_F(Joining, IsNeededBeforeAnythingElse) {
    const auto client = connect(client_request(client_token()));

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take_one<ErrorReply>(client).reason, ErrorReason::kUnmatchedTopic);
}

TEST_F(Joining, TwiceEndsTheFirstChannelAndStartsOver) {
    const auto client = join(client_request(client_token()));
    take_frames(client);

    join(client);
    const auto frames = take_frames(client);

    ASSERT_EQ(frames.size(), 3U);
    EXPECT_NE(frames[0].find("phx_close"), std::string::npos);
    EXPECT_NE(frames[1].find("phx_reply"), std::string::npos);
    EXPECT_NE(frames[2].find("init"), std::string::npos);
    EXPECT_EQ(portal_->statistics().clients_online, 1U);
}

TEST_F(Joining, WithoutAStampSecretFailsForRelays) {
    const auto relay = connect(relay_request(relay_token()));

    send_text(relay, R"({"topic":"relay","event":"phx_join","payload":{},"ref":0})");

    EXPECT_EQ(take<ErrorReply>(relay).size(), 1U);
    EXPECT_EQ(portal_->statistics().relays_online, 0U);
}

TEST_F(Joining, HeartbeatsAreAnsweredEvenBefore) {
    const auto client = connect(client_request(client_token()));

    send_text(client, R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":7})");

    const auto reply = take_one<OkReply>(client);
    EXPECT_EQ(reply.topic, "phoenix");
    EXPECT_EQ(reply.ref, 7U);
}

TEST_F(Joining, UnknownMessagesAreRefusedAndHarmless) {
    const auto client = join(client_request(client_token()));
    take_frames(client);

    send_text(client, R"({"topic":"client","event":"make_coffee","payload":{},"ref":6})");
    send_text(client, R"({"topic":"client","event":"create_flow","payload":{},"ref":8})");
    const auto replies = take<ErrorReply>(client);

    ASSERT_EQ(replies.size(), 2U);
    EXPECT_EQ(replies[0].text, "unknown_message");
    EXPECT_EQ(replies[0].ref, 6U);
    EXPECT_EQ(replies[1].text, "unknown_message");
    EXPECT_FALSE(is_closed(client));
}

TEST_F(Joining, GarbageClosesOnlyTheConnectionItCameFrom) {
    const auto token = client_token();
    for (const auto* garbage :
         {"", "{", "[]", "null", "7", "\xff\xfe", R"({"topic":"client","event":"x","payload":{}})",
          R"({"event":"x","payload":{},"ref":1})", R"(["1","1","client","phx_join",{}])"}) {
        const auto bad = join(client_request(token, 1));
        const auto good = join(client_request(token, 2));

        send_text(bad, garbage);

        EXPECT_TRUE(is_closed(bad)) << garbage;
        EXPECT_FALSE(is_closed(good)) << garbage;
        disconnect(good);
    }
}

TEST_F(Joining, ResourceWithoutSitesIsNotListed) {
    resource_.sites.clear();
    storage_.put(resource_);
    announce_changes();

    const auto client = join(client_request(client_token()));

    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());
}

TEST_F(Joining, AnActorOutsideTheGroupSeesNothing) {
    const Actor mallory{ActorId::random(rng_), ActorType::kUser, "mallory", std::nullopt};
    storage_.put(mallory);
    announce_changes();

    const auto client = join(client_request(create_token({.type = TokenType::kClient, .actor = mallory.id})));
    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kNotFound);
}

}  // namespace
}  // namespace culvert::portal
