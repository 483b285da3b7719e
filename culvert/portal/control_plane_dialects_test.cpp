#include <gmock/gmock.h>

#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/control_plane_fixture.h"
#include "culvert/portal_api/ingest_token.h"

/// Devices of 2025 and of 2026 at one portal (spec/newer-dialect.md).
namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::hours;
using std::chrono::seconds;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

class Dialects : public ControlPlaneTest {
protected:
    ConnectRequest client_of(Dialect dialect, const std::string& token) {
        return dialect == Dialect::kV2 ? newer(client_request(token)) : client_request(token);
    }
    ConnectRequest gateway_of(Dialect dialect, const std::string& token) {
        return dialect == Dialect::kV2 ? newer(gateway_request(token)) : gateway_request(token);
    }
    static IngestClaims claims_of(const std::optional<std::string>& token) {
        const auto claims = decode_ingest_token(token.value_or(""));
        EXPECT_TRUE(claims) << token.value_or("no token");
        return claims.value_or(IngestClaims{});
    }
    void ask(const Device& client) { send(client, FromClient{CreateFlow{resource_.id, {}}}); }
};

constexpr std::array kBoth{Dialect::kV1, Dialect::kV2};

TEST_F(Dialects, EachIsGreetedInItsOwn) {
    const auto old_client = take_frames(join(client_request(client_token(), 1)));
    const auto new_client = take_frames(join(newer(client_request(client_token(), 2))));

    ASSERT_EQ(old_client.size(), 2U);
    EXPECT_THAT(old_client[1],
                AllOf(HasSubstr(R"("event":"init")"), HasSubstr(R"("gateway_groups")"), Not(HasSubstr(R"("sites")"))));
    ASSERT_EQ(new_client.size(), 2U);
    EXPECT_THAT(new_client[1],
                AllOf(HasSubstr(R"("event":"init")"), HasSubstr(R"("sites")"), Not(HasSubstr(R"("gateway_groups")"))));
}

TEST_F(Dialects, EveryInitSaysThatNoFlowLogsAreWanted) {
    for (const auto dialect : kBoth) {
        const auto client = take_one<ClientInit>(join(client_of(dialect, client_token()))).flow_logs;
        const auto gateway = take_one<GatewayInit>(join(gateway_of(dialect, gateway_token()))).flow_logs;
        ASSERT_TRUE(client && gateway);
        EXPECT_EQ(client->upload_interval_secs, 0U);
        EXPECT_EQ(gateway->upload_interval_secs, 0U);
        EXPECT_THAT(client->api_url, HasSubstr("https://"));
    }
}

TEST_F(Dialects, ClientsAndGatewaysOfAllComeTogether) {
    for (const auto of_client : kBoth) {
        for (const auto of_gateway : kBoth) {
            const auto gateway = join(gateway_of(of_gateway, gateway_token()));
            const auto client = join(client_of(of_client, client_token()));
            take_frames(client);
            ask(client);
            const auto asked = take_one<AuthorizeFlow>(gateway);
            send(gateway, FromGateway{FlowAuthorized{asked.ref}});
            EXPECT_EQ(take<OkReply>(gateway).size(), 1U);
            const auto told = take_one<FlowCreated>(client);

            EXPECT_EQ(told.preshared_key, asked.client.preshared_key);
            EXPECT_EQ(told.site_id, site_.id);
            disconnect(client);
            disconnect(gateway);
        }
    }
}

TEST_F(Dialects, BothEndsOfAFlowGetATokenThatDeclinesUploads) {
    const auto gateway = join(newer(gateway_request(gateway_token())));
    const auto client = join(newer(client_request(client_token(wall_seconds() + hours{2}))));
    take_frames(client);
    ask(client);
    const auto asked = take_one<AuthorizeFlow>(gateway);
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});
    const auto told = take_one<FlowCreated>(client);

    auto responder = claims_of(asked.flow_logs_ingest_token);
    const auto initiator = claims_of(told.flow_logs_ingest_token);
    EXPECT_FALSE(initiator.uploads_enabled);
    EXPECT_EQ(initiator.role, FlowRole::kInitiator);
    EXPECT_EQ(responder.role, FlowRole::kResponder);
    EXPECT_EQ(initiator.initiator_device, asked.client.id.uuid());
    EXPECT_EQ(initiator.responder_device, told.gateway_id.uuid());
    EXPECT_EQ(initiator.resource, resource_.id);
    EXPECT_EQ(initiator.resource_name, "lan");
    EXPECT_EQ(initiator.resource_address, "10.20.0.0/24");
    EXPECT_EQ(initiator.policy, policy_.id.uuid());
    EXPECT_EQ(initiator.policy_authorization, storage_.find_flows(told.gateway_id).at(0).id.uuid());
    EXPECT_EQ(initiator.initiator_actor_name, "alice");
    EXPECT_EQ(initiator.initiator_client_version, "1.5.12");
    EXPECT_EQ(initiator.expires_at, wall_seconds() + hours{2} + std::chrono::days{30});
    responder.role = FlowRole::kInitiator;
    EXPECT_EQ(responder, initiator) << "nothing else differs";
}

TEST_F(Dialects, ARequestThatIsRepeatedIsStillTheSameAuthorization) {
    const auto gateway = join(newer(gateway_request(gateway_token())));
    const auto client = join(newer(client_request(client_token())));
    ask(client);
    const auto first = claims_of(take_one<AuthorizeFlow>(gateway).flow_logs_ingest_token);
    ask(client);
    const auto second = claims_of(take_one<AuthorizeFlow>(gateway).flow_logs_ingest_token);
    EXPECT_EQ(first.policy_authorization, second.policy_authorization);
}

TEST_F(Dialects, ANameOfTheOtherIsUnknownAndHarmless) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto old_client = join(client_request(client_token(), 1));
    const auto new_client = join(newer(client_request(client_token(), 2)));
    take_frames(gateway);
    for (const auto& [client, event] : {std::pair{old_client, "request_authorization"}, {new_client, "create_flow"}}) {
        take_frames(client);
        send_text(client, R"({"topic":"client","ref":6,"event":")" + std::string{event} +
                              R"(","payload":{"connected_gateway_ids":[],"resource_id":")" + resource_.id.to_string() +
                              R"("}})");
        EXPECT_EQ(take_one<ErrorReply>(client).text, "unknown_message");
        EXPECT_FALSE(is_closed(client));
    }
    EXPECT_TRUE(take_frames(gateway).empty());
}

// --- Candidates, relays, capabilities ---

/// As clients of the years between send them, on the old path (section 1).
TEST_F(Dialects, CandidatesForOneGatewayArePassedOnWhateverThePath) {
    const auto gateway = join(gateway_request(gateway_token()));
    for (const auto dialect : kBoth) {
        const auto client = join(client_of(dialect, client_token()));
        take_frames(gateway);
        ask(client);
        send(gateway, FromGateway{FlowAuthorized{take_one<AuthorizeFlow>(gateway).ref}});
        const auto id = take_one<FlowCreated>(client).gateway_id;
        take_frames(gateway);
        const auto say = [&](const std::string& event) {
            send_text(client, R"({"topic":"client","ref":6,"event":")" + event + R"(","payload":{"gateway_id":")" +
                                  id.to_string() + R"(","candidates":["candidate:1 what ever"]}})");
        };
        say("new_gateway_ice_candidates");
        EXPECT_EQ(take_one<ClientIceCandidates>(gateway).candidates, std::vector<std::string>{"candidate:1 what ever"});
        say("invalidate_gateway_ice_candidates");
        EXPECT_EQ(take<InvalidateClientIceCandidates>(gateway).size(), 1U);
        EXPECT_TRUE(take_frames(client).empty()) << "nothing is replied";
    }
}

TEST_F(Dialects, WhoHasNoRelaysIsTold) {
    const auto client = join(newer(client_request(client_token())));
    const auto gateway = join(gateway_request(gateway_token()));
    take_frames(client);
    send(client, FromClient{NoRelays{}});
    const auto none = take_one<RelaysPresence>(client);
    EXPECT_TRUE(none.connected.empty());
    EXPECT_TRUE(none.disconnected_ids.empty());

    join(relay_request(relay_token()));
    const auto pushed = take_one<RelaysPresence>(client);
    EXPECT_EQ(pushed.connected.size(), 2U);
    send(client, FromClient{NoRelays{}});
    EXPECT_EQ(take_one<RelaysPresence>(client), pushed);

    const auto given = take_one<RelaysPresence>(gateway);
    send(gateway, FromGateway{NoRelays{}});
    EXPECT_EQ(take_one<RelaysPresence>(gateway), given);
}

TEST_F(Dialects, WhoAsksForRelaysAllTheTimeIsNotToldAllTheTime) {
    const auto gateway = join(newer(gateway_request(gateway_token())));
    take_frames(gateway);
    for (int i = 0; i < 100; ++i) {
        send(gateway, FromGateway{NoRelays{}});
    }
    EXPECT_EQ(take<RelaysPresence>(gateway).size(), kRelayRequests.burst);
    wait(seconds{1});
    send(gateway, FromGateway{NoRelays{}});
    EXPECT_EQ(take<RelaysPresence>(gateway).size(), 1U);
}

TEST_F(Dialects, CapabilitiesAreTakenAndNobodyIsToldToDoWithoutIce) {
    const auto gateway = join(newer(gateway_request(gateway_token())));
    const auto client = join(newer(client_request(client_token())));
    take_frames(gateway);
    take_frames(client);
    send(gateway, FromGateway{SnownetCapabilities{true}});
    send(client, FromClient{SnownetCapabilities{true}});
    EXPECT_TRUE(take_frames(gateway).empty());
    EXPECT_TRUE(take_frames(client).empty());

    ask(client);
    auto frames = take_frames(gateway);
    EXPECT_THAT(frames, Each(Not(HasSubstr(R"("use_iceless":true)"))));
    const auto frame = decode_to_device(Role::kGateway, Dialect::kV2, frames.at(0));
    send(gateway, FromGateway{FlowAuthorized{
                      std::get<AuthorizeFlow>(std::get<ToGateway>(std::get<MessageFrame>(*frame).message)).ref}});
    frames = take_frames(client);
    EXPECT_EQ(frames.size(), 1U);
    EXPECT_THAT(frames, Each(Not(HasSubstr(R"("use_iceless":true)"))));
}

TEST_F(Dialects, AHeartbeatIsAnsweredBeforeTheJoin) {
    const auto client = connect(newer(client_request(client_token())));
    send_text(client, encode_heartbeat(5));
    EXPECT_EQ(take_one<OkReply>(client).ref, 5U);
}

// --- Endings (section 4) ---

TEST_F(Dialects, WhoseTokenIsGoneIsToldSo) {
    const auto client = join(newer(client_request(client_token())));
    const auto of_client = last_token_;
    const auto gateway = join(gateway_request(gateway_token()));
    const auto of_gateway = last_token_;
    const auto relay = join(relay_request(relay_token()));
    const auto of_relay = last_token_;
    for (const auto& token : {of_client, of_gateway, of_relay}) {
        storage_.erase(token);
    }
    for (const auto& device : {client, gateway, relay}) {
        take_frames(device);
    }
    announce_changes();

    for (const auto& device : {client, gateway, relay}) {
        const auto frames = take_frames(device);
        EXPECT_TRUE(is_closed(device));
        ASSERT_GE(frames.size(), 2U);
        EXPECT_THAT(frames[frames.size() - 2], HasSubstr(R"("reason":"token_expired")"));
        EXPECT_THAT(frames.back(), HasSubstr("phx_close"));
    }
}

TEST_F(Dialects, WhoseTokenExpiresIsToldSo) {
    const auto client = join(newer(client_request(client_token(wall_seconds() + seconds{90}))));
    take_frames(client);
    wait(seconds{90});
    EXPECT_EQ(take_one<Disconnect>(client).reason, "token_expired");
    EXPECT_TRUE(is_closed(client));
}

/// Else two machines with one identity would sign each other out.
TEST_F(Dialects, NobodyElseLosesHisToken) {
    const auto token = client_token();
    const auto older = join(newer(client_request(token)));
    const auto newest = join(newer(with(client_request(token), "public_key", key_text(50))));
    EXPECT_TRUE(is_closed(older));
    EXPECT_THAT(take_frames(older), Each(Not(HasSubstr("token_expired"))));

    const auto first = join(newer(gateway_request(gateway_token())));
    const auto second = join(newer(with(gateway_request(gateway_token()), "public_key", key_text(51))));
    EXPECT_TRUE(is_closed(first));
    EXPECT_FALSE(is_closed(second));
    EXPECT_THAT(take_frames(first), Each(Not(HasSubstr("token_expired"))));

    ask(newest);
    storage_.erase(take_one<AuthorizeFlow>(second).client.id);
    announce_changes();
    EXPECT_TRUE(is_closed(newest));
    EXPECT_THAT(take_frames(newest), Each(Not(HasSubstr("token_expired")))) << "it may come back";
}

// --- Grants (sections 5.2 and 8) ---

class Grants : public Dialects {
protected:
    void SetUp() override {
        gateway_text = gateway_token();
        gateway = join(newer(gateway_request(gateway_text)));
        client = join(newer(client_request(client_token(expires_at))));
        first_token = last_token_;
        open();
    }
    void open() {
        take_frames(gateway);
        take_frames(client);
        ask(client);
        asked = take_one<AuthorizeFlow>(gateway);
        send(gateway, FromGateway{FlowAuthorized{asked.ref}});
        EXPECT_EQ(take<FlowCreated>(client).size(), 1U);
        take_frames(gateway);
    }

    UnixSeconds expires_at = wall_seconds() + hours{2};
    std::string gateway_text;
    Device gateway;
    Device client;
    TokenId first_token;
    AuthorizeFlow asked;
};

TEST_F(Grants, AreAllListedToAGatewayAfterTheirPortalStartedAgain) {
    const auto forever = join(newer(client_request(client_token(), 2)));
    ask(forever);
    ASSERT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    portal_.emplace(storage_, Rng::from_number(3), now_);

    const auto frames = take_frames(join(newer(gateway_request(gateway_text))));
    const auto init = take_one<GatewayInit>(join(newer(gateway_request(gateway_text))));

    ASSERT_EQ(init.authorizations.size(), 2U);
    std::set<UnixSeconds> ends;
    for (const auto& grant : init.authorizations) {
        EXPECT_EQ(grant.resource_id, resource_.id);
        ends.insert(grant.expires_at);
    }
    EXPECT_EQ(ends, (std::set{expires_at, UnixSeconds{seconds{2'145'916'800}}}));
    EXPECT_THAT(frames.at(1), Not(HasSubstr(R"("expires_at":null)")));
}

TEST_F(Grants, ThatGoWhileAnotherPolicyGrantsAreRenewedWithoutTheClient) {
    const Group everyone{GroupId::random(rng_), "everyone"};
    storage_.put(everyone);
    storage_.put(Membership{MembershipId::random(rng_), actor_.id, everyone.id});
    const Policy second{.id = PolicyId::random(rng_), .group = everyone.id, .resource = resource_.id};
    storage_.put(second);
    storage_.erase(policy_.id);
    announce_changes();

    const auto frames = take_frames(gateway);
    ASSERT_EQ(frames.size(), 1U) << "access is not taken back meanwhile";
    const auto frame = decode_to_device(Role::kGateway, Dialect::kV2, frames[0]);
    const auto again = std::get<AuthorizeFlow>(std::get<ToGateway>(std::get<MessageFrame>(*frame).message));
    EXPECT_EQ(again.client, asked.client) << "with the same secrets, so the connection stays";
    EXPECT_EQ(again.client_ice_credentials, asked.client_ice_credentials);
    EXPECT_EQ(again.expires_at, expires_at);
    EXPECT_EQ(claims_of(again.flow_logs_ingest_token).policy, second.id.uuid());

    send(gateway, FromGateway{FlowAuthorized{again.ref}});
    EXPECT_EQ(take<OkReply>(gateway).size(), 1U);
    EXPECT_TRUE(take_frames(client).empty());
}

TEST_F(Grants, OfClientsThatAreNotHereAreRenewedInOneList) {
    disconnect(client);
    const Group everyone{GroupId::random(rng_), "everyone"};
    storage_.put(everyone);
    storage_.put(Membership{MembershipId::random(rng_), actor_.id, everyone.id});
    storage_.put(Policy{.id = PolicyId::random(rng_), .group = everyone.id, .resource = resource_.id});
    storage_.erase(policy_.id);
    take_frames(gateway);
    announce_changes();

    // A message for each would make a connection again that is not there.
    const auto init = take_one<GatewayInit>(gateway);
    ASSERT_EQ(init.authorizations.size(), 1U);
    EXPECT_EQ(init.authorizations[0].expires_at, expires_at);
}

TEST_F(Grants, EndEarlierAtAGatewayThatTakesNoDatesIfTheLongerOneGoes) {
    const auto longer = wall_seconds() + hours{5};
    client = join(newer(client_request(client_token(longer))));
    open();
    EXPECT_EQ(asked.expires_at, longer);

    storage_.erase(last_token_);
    announce_changes();

    const auto authorizations = take_one<GatewayInit>(gateway).authorizations;
    ASSERT_EQ(authorizations.size(), 1U);
    EXPECT_EQ(authorizations[0].expires_at, expires_at);
}

TEST_F(Grants, LastLongerAtAGatewayThatTakesNoDatesIfTheShorterOneGoes) {
    const auto longer = wall_seconds() + hours{5};
    client = join(newer(client_request(client_token(longer))));
    open();
    storage_.erase(first_token);
    announce_changes();

    EXPECT_EQ(take_one<AuthorizeFlow>(gateway).expires_at, longer);
}

TEST_F(Grants, OutliveTheirClientsConnection) {
    disconnect(client);
    announce_changes();
    wait(std::chrono::minutes{5});
    EXPECT_TRUE(take_frames(gateway).empty());
    EXPECT_EQ(take_one<GatewayInit>(join(newer(gateway_request(gateway_text)))).authorizations.size(), 1U);
}

// --- What both kinds of device are told alike ---

TEST_F(Dialects, ClientsFilterAsGatewaysDo) {
    resource_.filters = {{FilterProtocol::kTcp, {{443, 443}, {8000, 8100}}}, {FilterProtocol::kIcmp, {}}};
    storage_.put(resource_);
    announce_changes();
    const auto gateway = join(newer(gateway_request(gateway_token())));
    const auto client = join(newer(client_request(client_token())));
    const auto init = take_one<ClientInit>(client);
    ask(client);
    const auto asked = take_one<AuthorizeFlow>(gateway);

    const auto& at_client = std::get<ClientCidrResource>(init.resources.at(0)).filters;
    EXPECT_EQ(at_client, std::get<GatewayCidrResource>(asked.resource).filters);
    EXPECT_EQ(at_client.size(), 3U);

    resource_.filters = {{FilterProtocol::kUdp, {}}};
    storage_.put(resource_);
    announce_changes();
    const auto updated = take_one<ResourceCreatedOrUpdated>(client);
    EXPECT_EQ(std::get<ClientCidrResource>(updated.resource).filters,
              std::get<GatewayCidrResource>(take_one<ResourceUpdated>(gateway).resource).filters);
}

TEST_F(Dialects, ServersWithoutAPortAreNamedInBothWays) {
    auto account = storage_.load_directory().account;
    account.upstream_dns = {*net::SocketAddress::parse("9.9.9.9:53"), *net::SocketAddress::parse("[2620:fe::fe]:53")};
    storage_.put(account);
    announce_changes();
    const auto client = join(newer(client_request(client_token())));
    const auto init = take_one<ClientInit>(client);
    EXPECT_EQ(init.interface.upstream_dns.size(), 2U);
    EXPECT_EQ(init.interface.upstream_do53,
              (std::vector{*net::IpAddress::parse("9.9.9.9"), *net::IpAddress::parse("2620:fe::fe")}));

    account.upstream_dns.push_back(*net::SocketAddress::parse("192.0.2.53:5353"));
    storage_.put(account);
    announce_changes();
    const auto changed = take_one<ConfigChanged>(client).interface;
    EXPECT_EQ(changed.upstream_dns.size(), 3U);
    EXPECT_TRUE(changed.upstream_do53.empty()) << "it has no ports";
}

// --- Logging in (section 3) ---

TEST_F(Dialects, RefusalsSayWhatDevicesGoBy) {
    const auto refusal = [&](const ConnectRequest& request) {
        const auto session = portal_->connect(request, now_, wall());
        return session ? Refusal{} : session.error();
    };
    const auto missing = refusal(with(newer(client_request("")), "token", std::nullopt));
    EXPECT_EQ(missing.status, 401U);
    EXPECT_EQ(missing.code, "missing_token");
    const auto unknown = refusal(newer(client_request("nonsense")));
    EXPECT_EQ(unknown.status, 401U);
    EXPECT_EQ(unknown.code, "invalid_token");

    auto empty = newer(client_request(client_token()));
    std::erase_if(empty.parameters, [](const auto& parameter) { return parameter.first != "token"; });
    empty.parameters.emplace_back("public_key", "short");
    const auto invalid = refusal(empty);
    EXPECT_EQ(invalid.status, 400U);
    EXPECT_EQ(invalid.code, "invalid_connect_params");
    EXPECT_EQ(invalid.text, "external_id can't be blank; public_key must be 32 bytes in base64");

    const auto good = newer(client_request(client_token()));
    storage_.calls_until_failure = 0;
    const auto failed = refusal(good);
    EXPECT_EQ(failed.status, 503U) << "a database that is down costs nobody his token";
    EXPECT_TRUE(failed.retry_after);
}

TEST_F(Dialects, AnIdentityMayHaveTheNameThatTheReferenceTakesAsWell) {
    const auto token = client_token();
    const auto usual = take_one<ClientInit>(join(client_request(token))).interface;
    auto other = with(client_request(token), "external_id", std::nullopt);
    other.parameters.emplace_back("firezone_id", "client-1");
    EXPECT_EQ(take_one<ClientInit>(join(other)).interface, usual);
}

}  // namespace
}  // namespace culvert::portal
