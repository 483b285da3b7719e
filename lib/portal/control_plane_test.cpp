#include "culvert/portal/control_plane.h"

#include "culvert/portal/control_plane_fixture.h"
#include "culvert/portal/derivations.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using Connecting = ControlPlaneTest;
using Joining = ControlPlaneTest;
using Flows = ControlPlaneTest;
using Relaying = ControlPlaneTest;

ConnectRequest with(ConnectRequest request, const std::string& name, const std::optional<std::string>& value) {
    std::erase_if(request.parameters, [&](const auto& pair) { return pair.first == name; });
    if (value) {
        request.parameters.emplace_back(name, *value);
    }
    return request;
}

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

TEST_F(Connecting, WithInvalidParametersIs422) {
    const auto good = client_request(client_token());
    EXPECT_EQ(refusal(with(good, "external_id", std::nullopt)), 422U);
    EXPECT_EQ(refusal(with(good, "public_key", std::nullopt)), 422U);
    EXPECT_EQ(refusal(with(good, "public_key", "short")), 422U);
    EXPECT_EQ(refusal(with(good, "name", std::string(256, 'n'))), 422U);
    EXPECT_EQ(refusal(with(good, "name", std::nullopt)), 0U);

    auto browser = good;
    browser.user_agent = "Mozilla/5.0";
    EXPECT_EQ(refusal(browser), 422U);
    browser.user_agent = "";
    EXPECT_EQ(refusal(browser), 422U);
    browser.user_agent = "Debian/12 headless-client/latest";
    EXPECT_EQ(refusal(browser), 422U);
}

TEST_F(Connecting, OfARelayNeedsAnAddressAndAPort) {
    const auto good = relay_request(relay_token());
    EXPECT_EQ(refusal(good), 0U);
    EXPECT_EQ(refusal(with(good, "ipv4", std::nullopt)), 0U);
    EXPECT_EQ(refusal(with(good, "port", std::nullopt)), 0U);
    EXPECT_EQ(refusal(with(with(good, "ipv4", std::nullopt), "ipv6", std::nullopt)), 422U);
    EXPECT_EQ(refusal(with(good, "ipv4", "2001:db8::1")), 422U);
    for (const auto* port : {"0", "65536", "-1", "x", "3478x"}) {
        EXPECT_EQ(refusal(with(good, "port", port)), 422U) << port;
    }
}

TEST_F(Connecting, WithThePublicKeyOfAnotherDeviceIs422) {
    const auto token = gateway_token();
    EXPECT_EQ(refusal(gateway_request(token, 1)), 0U);
    EXPECT_EQ(refusal(with(gateway_request(token, 2), "public_key", key_text(1001))), 422U);

    const auto client = client_token();
    EXPECT_EQ(refusal(client_request(client, 1)), 0U);
    EXPECT_EQ(refusal(with(client_request(client, 2), "public_key", key_text(1))), 422U);
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
    const auto reply = decode_to_device(Role::kClient, frames[0]);
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

TEST_F(Joining, PolicyWithConditionsGrantsNothing) {
    policy_.conditions = R"([{"property":"remote_ip","operator":"is_in_cidr","values":["0.0.0.0/0"]}])";
    storage_.put(policy_);
    announce_changes();

    const auto client = join(client_request(client_token()));

    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());
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

TEST_F(Flows, AreAuthorizedByTheGatewayAndThenTold) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    const auto client_init = take_one<ClientInit>(client);
    const auto gateway_init = take_one<GatewayInit>(gateway);

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);
    EXPECT_TRUE(take_frames(client).empty());
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});
    EXPECT_EQ(take<OkReply>(gateway).size(), 1U);
    const auto told = take_one<FlowCreated>(client);

    EXPECT_EQ(std::get<GatewayCidrResource>(asked.resource).id, resource_.id);
    EXPECT_EQ(asked.client.ipv4, client_init.interface.ipv4);
    EXPECT_EQ(asked.client.public_key.to_string(), key_text(1));
    EXPECT_EQ(asked.client.device_os_name, "Ubuntu");
    EXPECT_EQ(asked.client.version, "1.5.5");
    EXPECT_EQ(asked.subject.actor_email, "alice@example.com");
    EXPECT_EQ(told.resource_id, resource_.id);
    EXPECT_EQ(told.site_id, site_.id);
    EXPECT_EQ(told.gateway_ipv4, gateway_init.interface.ipv4);
    EXPECT_EQ(told.gateway_public_key.to_string(), key_text(1001));
    EXPECT_EQ(told.preshared_key, asked.client.preshared_key);
    EXPECT_EQ(told.client_ice_credentials, asked.client_ice_credentials);
    EXPECT_EQ(told.gateway_ice_credentials, asked.gateway_ice_credentials);
    const auto expected =
        ice_credentials(asked.client.id, asked.client.public_key, told.gateway_id, told.gateway_public_key);
    EXPECT_EQ(told.client_ice_credentials, expected.client);
}

TEST_F(Flows, AskedForTwiceCarryTheSameSecrets) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto first = take_one<AuthorizeFlow>(gateway);

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto second = take_one<AuthorizeFlow>(gateway);

    EXPECT_EQ(first.client.preshared_key, second.client.preshared_key);
    EXPECT_EQ(first.client_ice_credentials, second.client_ice_credentials);
    EXPECT_NE(first.ref, second.ref);
}

TEST_F(Flows, AskedForOverAndOverAreStoredOnce) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    for (int i = 0; i < 10; ++i) {
        send(client, FromClient{CreateFlow{resource_.id, {}}});
    }
    const auto asked = take<AuthorizeFlow>(gateway);
    ASSERT_EQ(asked.size(), 10U);
    send(gateway, FromGateway{FlowAuthorized{asked[3].ref}});

    EXPECT_EQ(storage_.find_flows(take_one<FlowCreated>(client).gateway_id).size(), 1U);
}

TEST_F(Flows, ExpireWithTheClientsToken) {
    const auto expires_at = wall_seconds() + hours{2};
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token(expires_at)));

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take_one<AuthorizeFlow>(gateway).expires_at, expires_at);
}

TEST_F(Flows, FailWhileNoGatewayIsOnline) {
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);

    const auto gateway = join(gateway_request(gateway_token()));
    disconnect(gateway);

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);
}

TEST_F(Flows, FailWithAGatewayOfAnotherSite) {
    const Site other{SiteId::random(rng_), "branch"};
    storage_.put(other);
    announce_changes();
    join(gateway_request(create_token({.type = TokenType::kGateway, .site = other.id})));
    const auto client = join(client_request(client_token()));

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);
}

TEST_F(Flows, FailWithAnIncompatibleGateway) {
    join(gateway_request(gateway_token(), 1, "1.3.9"));
    const auto client = join(client_request(client_token()));

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);
}

TEST_F(Flows, FailForAnUnknownResource) {
    join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));

    send(client, FromClient{CreateFlow{ResourceId::random(rng_), {}}});

    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kNotFound);
}

TEST_F(Flows, StayWithTheGatewayTheClientIsConnectedTo) {
    const auto token = gateway_token();
    std::vector<Device> gateways;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        gateways.push_back(join(gateway_request(token, i)));
        take_frames(gateways.back());
    }
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    std::optional<GatewayId> connected;
    for (const auto& gateway : gateways) {
        for (const auto& asked : take<AuthorizeFlow>(gateway)) {
            send(gateway, FromGateway{FlowAuthorized{asked.ref}});
            connected = take_one<FlowCreated>(client).gateway_id;
        }
    }
    ASSERT_TRUE(connected);

    for (int i = 0; i < 20; ++i) {
        send(client, FromClient{CreateFlow{resource_.id, {GatewayId::random(rng_), *connected}}});
        for (const auto& gateway : gateways) {
            for (const auto& asked : take<AuthorizeFlow>(gateway)) {
                send(gateway, FromGateway{FlowAuthorized{asked.ref}});
            }
        }
        EXPECT_EQ(take_one<FlowCreated>(client).gateway_id, connected);
    }
}

TEST_F(Flows, GoToTheNewestConnectionOfAGateway) {
    const auto token = gateway_token();
    const auto stale = join(gateway_request(token));
    const auto fresh = join(with(gateway_request(token), "public_key", key_text(77)));
    const auto client = join(client_request(client_token()));
    take_frames(stale);
    take_frames(fresh);

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_TRUE(take<AuthorizeFlow>(stale).empty());
    const auto asked = take_one<AuthorizeFlow>(fresh);
    send(fresh, FromGateway{FlowAuthorized{asked.ref}});
    EXPECT_EQ(take_one<FlowCreated>(client).gateway_public_key.to_string(), key_text(77));
}

TEST_F(Flows, AnsweredWithAWrongRefAreNotTold) {
    const auto token = gateway_token();
    const auto gateway = join(gateway_request(token, 1));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);
    const auto intruder = join(gateway_request(token, 2));
    take_frames(intruder);
    take_frames(client);

    send(gateway, FromGateway{FlowAuthorized{"made-up"}});
    send(intruder, FromGateway{FlowAuthorized{asked.ref}});

    EXPECT_EQ(take_one<ErrorReply>(gateway).text, "invalid_ref");
    EXPECT_EQ(take_one<ErrorReply>(intruder).text, "invalid_ref");
    EXPECT_TRUE(take_frames(client).empty());

    send(gateway, FromGateway{FlowAuthorized{asked.ref}});
    EXPECT_EQ(take<FlowCreated>(client).size(), 1U);
}

TEST_F(Flows, AnsweredAfterTheClientLeftAreForgotten) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);

    disconnect(client);
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});

    EXPECT_EQ(take<OkReply>(gateway).size(), 1U);
}

TEST_F(Flows, AreListedToAGatewayThatComesBack) {
    const auto token = gateway_token();
    const auto expires_at = wall_seconds() + hours{2};
    auto gateway = join(gateway_request(token));
    EXPECT_TRUE(take_one<GatewayInit>(gateway).authorizations.empty());
    const auto client = join(client_request(client_token(expires_at)));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take<AuthorizeFlow>(gateway);

    disconnect(gateway);
    gateway = join(gateway_request(token));
    const auto init = take_one<GatewayInit>(gateway);

    EXPECT_TRUE(init.ipv4_masquerade_enabled);
    EXPECT_EQ(init.account_slug, "default");
    ASSERT_EQ(init.authorizations.size(), 1U);
    EXPECT_EQ(init.authorizations[0].client_id, asked[0].client.id);
    EXPECT_EQ(init.authorizations[0].resource_id, resource_.id);
    EXPECT_EQ(init.authorizations[0].expires_at, expires_at);
}

TEST_F(Flows, CandidatesArePassedOnVerbatimInBothDirections) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});
    const auto gateway_id = take_one<FlowCreated>(client).gateway_id;
    take_frames(gateway);

    send(client, FromClient{BroadcastGatewayIceCandidates{{gateway_id}, {"candidate:1", "what ever"}}});
    send(client, FromClient{BroadcastGatewayIceCandidates{{}, {"to nobody"}}});
    send(client, FromClient{BroadcastGatewayIceCandidates{{GatewayId::random(rng_)}, {"to a stranger"}}});
    const auto at_gateway = take_one<ClientIceCandidates>(gateway);
    EXPECT_EQ(at_gateway.client_id, asked.client.id);
    EXPECT_EQ(at_gateway.candidates, (std::vector<std::string>{"candidate:1", "what ever"}));
    send(client, FromClient{BroadcastInvalidatedGatewayIceCandidates{{gateway_id}, {"candidate:1"}}});
    EXPECT_EQ(take_one<InvalidateClientIceCandidates>(gateway).candidates, std::vector<std::string>{"candidate:1"});

    send(gateway, FromGateway{BroadcastClientIceCandidates{{asked.client.id}, {"candidate:2"}}});
    EXPECT_EQ(take_one<GatewayIceCandidates>(client).gateway_id, gateway_id);
    send(gateway, FromGateway{BroadcastInvalidatedClientIceCandidates{{asked.client.id}, {"candidate:2"}}});
    EXPECT_EQ(take_one<InvalidateGatewayIceCandidates>(client).gateway_id, gateway_id);
}

TEST_F(Flows, CandidatesAreNotMultiplied) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});
    const auto gateway_id = take_one<FlowCreated>(client).gateway_id;
    take_frames(gateway);

    send(client, FromClient{BroadcastGatewayIceCandidates{std::vector(1000, gateway_id), {"candidate:1"}}});

    EXPECT_EQ(take_frames(gateway).size(), 1U);
}

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
