#include "culvert/portal/control_plane.h"

#include "culvert/base/overloaded.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane_fixture.h"
#include "culvert/portal/derivations.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::hours;

using Flows = ControlPlaneTest;

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

TEST_F(Flows, ThatExpireAreTakenBackFromAGatewayWithASlowClock) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token(wall_seconds() + hours{1})));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);

    wait(hours{1} - std::chrono::seconds{1});
    EXPECT_TRUE(take<RejectAccess>(gateway).empty());
    wait(std::chrono::minutes{2});

    EXPECT_EQ(take_one<RejectAccess>(gateway), (RejectAccess{asked.client.id, resource_.id}));
}

TEST_F(Flows, ThatExpireAreTakenBackWhenSomethingElseChanges) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token(wall_seconds() + hours{1})));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    take_frames(gateway);
    now_ += hours{1};

    announce_changes();

    EXPECT_EQ(take_one<RejectAccess>(gateway).resource_id, resource_.id);
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
    const auto token = gateway_token();
    join(gateway_request(token, 1, "1.3.9"));
    const auto client = join(client_request(client_token()));
    const auto ask = [&] {
        send(client, FromClient{CreateFlow{resource_.id, {}}});
        return take_one<FlowCreationFailed>(client).reason;
    };
    EXPECT_EQ(ask(), FlowFailure::kVersionMismatch);
    const auto too_new = join(gateway_request(token, 2, "1.7.0"));
    EXPECT_EQ(ask(), FlowFailure::kVersionMismatch);
    disconnect(too_new);

    const auto busy = join(gateway_request(token, 3));
    EXPECT_EQ(take<GatewayInit>(busy).size(), 1U);
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take<AuthorizeFlow>(busy).size(), 1U) << "one that fits is enough";
}

TEST_F(Flows, ThatCannotBeStoredFailAndCostNobodyTheConnection) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    storage_.is_locked = true;

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);
    EXPECT_FALSE(is_closed(client));
    EXPECT_TRUE(take<AuthorizeFlow>(gateway).empty());
    EXPECT_EQ(portal_->statistics().storage_errors, 1U);

    storage_.is_locked = false;
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
}

TEST_F(Flows, FailForAnUnknownResource) {
    join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));

    send(client, FromClient{CreateFlow{ResourceId::random(rng_), {}}});

    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kNotFound);
}

TEST_F(Flows, CiteAnotherPolicyIfOneWasDisabledAMomentAgo) {
    const Group others{GroupId::random(rng_), "others"};
    Policy other{.id = PolicyId::random(rng_), .group = others.id, .resource = resource_.id};
    storage_.put(others);
    storage_.put(Membership{MembershipId::random(rng_), actor_.id, others.id});
    storage_.put(other);
    announce_changes();
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    // Without the control plane having noticed.
    auto& first = other.id < policy_.id ? other : policy_;
    first.is_disabled = true;
    storage_.put(first);

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    EXPECT_TRUE(take<FlowCreationFailed>(client).empty());
}

TEST_F(Flows, OfOneOwnerAreBoundedHoweverManyItsConnections) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto token = client_token();
    for (std::uint64_t number = 1; number <= 20; ++number) {
        const auto client = join(client_request(token, number));
        for (std::uint32_t i = 0; i < kFlows.burst; ++i) {
            send(client, FromClient{CreateFlow{resource_.id, {}}});
        }
    }
    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), kOwnerFlows.burst);
}

TEST_F(Flows, CiteAPolicyThatReplacedAnotherAMomentAgo) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    // Without the control plane having noticed.
    storage_.erase(policy_.id);
    storage_.put(Policy{.id = PolicyId::random(rng_), .group = group_.id, .resource = resource_.id});

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    EXPECT_TRUE(take<FlowCreationFailed>(client).empty());
}

TEST_F(Flows, FailOnceIfTheOnlyPolicyWentAMomentAgo) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    storage_.erase(policy_.id);

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_TRUE(take<AuthorizeFlow>(gateway).empty());
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kNotFound);
}

TEST_F(Flows, AskedForWithATokenThatWasRevokedAMomentAgoEndTheSession) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    storage_.erase(last_token_);

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_TRUE(take<AuthorizeFlow>(gateway).empty());
    EXPECT_TRUE(is_closed(client));
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

/// A client whose connection to the portal breaks while it waits.
class Gap : public Flows {
protected:
    Gap()
        : token_{client_token()},
          gateway_{join(gateway_request(gateway_token()))},
          client_{join(client_request(token_))} {
        send(client_, FromClient{CreateFlow{resource_.id, {}}});
        asked_ = take_one<AuthorizeFlow>(gateway_);
        disconnect(client_);
        send(gateway_, FromGateway{FlowAuthorized{asked_.ref}});
        EXPECT_EQ(take<OkReply>(gateway_).size(), 1U);
        send(gateway_, FromGateway{BroadcastClientIceCandidates{{asked_.client.id}, {"candidate:1", "candidate:2"}}});
        send(gateway_, FromGateway{BroadcastInvalidatedClientIceCandidates{{asked_.client.id}, {"candidate:2"}}});
    }

    std::string token_;
    Device gateway_;
    Device client_;
    AuthorizeFlow asked_;
};

TEST_F(Gap, EndsWithWhatWasAnsweredMeanwhile) {
    wait(std::chrono::seconds{14});
    const auto again = join(client_request(token_));

    std::vector<std::string> order;
    std::vector<std::string> candidates;
    for (const auto& text : take_frames(again)) {
        const auto frame = decode_to_device(again.role, again.dialect, text);
        if (const auto* message = std::get_if<MessageFrame>(&*frame)) {
            std::visit(overloaded{[&](const ClientInit&) { order.emplace_back("init"); },
                                  [&](const FlowCreated& told) {
                                      order.emplace_back("told");
                                      EXPECT_EQ(told.preshared_key, asked_.client.preshared_key);
                                  },
                                  [&](const GatewayIceCandidates& told) {
                                      order.emplace_back("candidates");
                                      candidates = told.candidates;
                                  },
                                  [](const auto&) {}},
                       std::get<ToClient>(message->message));
        }
    }
    EXPECT_EQ(order, (std::vector<std::string>{"init", "told", "candidates"}));
    EXPECT_EQ(candidates, std::vector<std::string>{"candidate:1"});

    disconnect(again);
    EXPECT_TRUE(take<FlowCreated>(join(client_request(token_))).empty()) << "once";
}

TEST_F(Gap, ThatIsLongerThanAnybodyWaitsEndsWithNothing) {
    wait(kAuthorizationAnswer);
    EXPECT_TRUE(take<FlowCreated>(join(client_request(token_))).empty());
}

TEST_F(Gap, OfAClientWithAnotherKeyEndsWithNothing) {
    const auto again = join(with(client_request(token_), "public_key", key_text(50)));
    EXPECT_TRUE(take<FlowCreated>(again).empty());
}

TEST_F(Gap, EndsWithNothingIfAccessWasTakenBackMeanwhile) {
    storage_.erase(policy_.id);
    announce_changes();
    ASSERT_EQ(take<RejectAccess>(gateway_).size(), 1U);
    storage_.put(policy_);
    announce_changes();

    EXPECT_TRUE(take<FlowCreated>(join(client_request(token_))).empty()) << "the gateway has forgotten it";
}

TEST_F(Gap, EndsWithNothingIfTheGatewayIsGone) {
    disconnect(gateway_);
    EXPECT_TRUE(take<FlowCreated>(join(client_request(token_))).empty());
}

TEST_F(Flows, ThatOneGatewayIsNotAskedForAnyMoreFailInTime) {
    const auto gateway = join(gateway_request(gateway_token()));
    std::uint64_t number = 1;
    for (int i = 0; i < 3; ++i) {
        const Actor other{ActorId::random(rng_), ActorType::kServiceAccount, "robot", {}};
        storage_.put(other);
        storage_.put(Membership{MembershipId::random(rng_), other.id, group_.id});
        announce_changes();
        const auto token = create_token({.type = TokenType::kClient, .actor = other.id});
        for (int j = 0; j < 15; ++j) {
            const auto client = join(client_request(token, ++number));
            for (std::uint32_t k = 0; k < kFlows.burst; ++k) {
                send(client, FromClient{CreateFlow{resource_.id, {}}});
            }
        }
    }
    ASSERT_EQ(take<AuthorizeFlow>(gateway).size(), kAsked.burst);
    const auto client = join(client_request(client_token()));
    take_frames(client);

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_TRUE(take<AuthorizeFlow>(gateway).empty());
    wait(kAuthorizationAnswer);

    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);
}

/// A client that lost nothing but its connection to the portal does not ask again (spec/newer-dialect.md section 9.5).
TEST_F(Flows, AnsweredAfterTheClientCameBackWithItsKeyAreTold) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto token = client_token();
    const auto old = join(client_request(token));
    send(old, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);

    disconnect(old);
    const auto again = join(client_request(token));
    EXPECT_TRUE(take_frames(gateway).empty()) << "which is none of its business";
    take_frames(again);
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});

    EXPECT_EQ(take_one<FlowCreated>(again).resource_id, resource_.id);
}

TEST_F(Flows, AnsweredAfterTheClientCameBackWithAnotherKeyAreForgotten) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto token = client_token();
    const auto old = join(client_request(token));
    send(old, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);

    const auto again = join(with(client_request(token), "public_key", key_text(50)));
    take_frames(again);
    send(gateway, FromGateway{FlowAuthorized{asked.ref}});

    EXPECT_TRUE(take_frames(again).empty()) << "its secrets are of the old key";
    EXPECT_EQ(take<OkReply>(gateway).size(), 1U);
}

TEST_F(Flows, ThatNoGatewayAnswersInTimeFail) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto first = take_one<AuthorizeFlow>(gateway);
    std::string last;
    for (int i = 0; i < 7; ++i) {
        wait(std::chrono::seconds{2});
        send(client, FromClient{CreateFlow{resource_.id, {}}});
        last = take_one<AuthorizeFlow>(gateway).ref;
    }
    take_frames(client);
    wait(std::chrono::milliseconds{999});
    EXPECT_TRUE(take_frames(client).empty());

    wait(std::chrono::milliseconds{1});
    const auto failed = take_one<FlowCreationFailed>(client);
    EXPECT_EQ(failed.reason, FlowFailure::kOffline);
    EXPECT_EQ(failed.resource_id, resource_.id);
    for (const auto& late : {first.ref, last}) {
        send(gateway, FromGateway{FlowAuthorized{late}});
        EXPECT_EQ(take<OkReply>(gateway).size(), 1U) << "it is not to blame";
    }
    EXPECT_TRUE(take_frames(client).empty());

    send(client, FromClient{CreateFlow{resource_.id, {}}});
    send(gateway, FromGateway{FlowAuthorized{take_one<AuthorizeFlow>(gateway).ref}});
    EXPECT_EQ(take<FlowCreated>(client).size(), 1U);
    wait(std::chrono::minutes{1});
    EXPECT_TRUE(take_frames(client).empty());
}

TEST_F(Flows, ThatFailedAtOnceDoNotFailAgain) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    ASSERT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    take_frames(client);
    disconnect(gateway);
    wait(std::chrono::seconds{2});
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);

    wait(kAuthorizationAnswer);
    EXPECT_TRUE(take_frames(client).empty()) << "it waits for nothing any more";
}

TEST_F(Flows, OfAResourceThatIsGoneAreNotWaitedFor) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    ASSERT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    storage_.erase(policy_.id);
    announce_changes();
    take_frames(client);

    wait(kAuthorizationAnswer);
    EXPECT_TRUE(take_frames(client).empty());
}

TEST_F(Flows, ThatAFormerKeyAskedForFailInSilence) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto token = client_token();
    const auto old = join(client_request(token));
    send(old, FromClient{CreateFlow{resource_.id, {}}});
    ASSERT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    wait(std::chrono::seconds{10});
    const auto again = join(with(client_request(token), "public_key", key_text(50)));
    take_frames(again);

    wait(kAuthorizationAnswer);
    EXPECT_TRUE(take_frames(again).empty()) << "it has not asked yet";
}

TEST_F(Flows, ThatNoGatewayAnswersFailInSilenceIfTheClientIsGone) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    disconnect(client);
    take_frames(client);

    wait(std::chrono::minutes{1});

    EXPECT_TRUE(take_frames(client).empty());
    EXPECT_TRUE(take<FlowCreationFailed>(gateway).empty());
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

TEST_F(Flows, FiltersOfWhatStaysAllowedAreRepeatedWhenAGatewayIsBack) {
    const auto token = gateway_token();
    auto gateway = join(gateway_request(token));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    ASSERT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    disconnect(gateway);
    const ResourceFilter filter{FilterProtocol::kUdp, {{443, 536}}};
    resource_.filters = {filter};
    storage_.put(resource_);
    announce_changes();

    gateway = join(gateway_request(token));

    const auto updated = take_one<ResourceUpdated>(gateway);
    EXPECT_EQ(std::get<portal_api::GatewayCidrResource>(updated.resource).filters,
              (std::vector<portal_api::Filter>{{portal_api::FilterProtocol::kUdp, 443, 536}}));
}

/// A client and a gateway that was told to let it in.
class Candidates : public Flows {
protected:
    void SetUp() override {
        Flows::SetUp();
        gateway = join(gateway_request(gateway_token()));
        client = join(client_request(client_token()));
        send(client, FromClient{CreateFlow{resource_.id, {}}});
        asked = take_one<AuthorizeFlow>(gateway);
        send(gateway, FromGateway{FlowAuthorized{asked.ref}});
        gateway_id = take_one<FlowCreated>(client).gateway_id;
        take_frames(gateway);
    }

    Device gateway;
    Device client;
    AuthorizeFlow asked;
    GatewayId gateway_id;
};

TEST_F(Candidates, ArePassedOnVerbatimInBothDirections) {
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

TEST_F(Candidates, DoNotFillThePeersConnection) {
    send(client, FromClient{BroadcastGatewayIceCandidates{{gateway_id}, std::vector<std::string>(10'000, "c")}});
    EXPECT_EQ(take_one<ClientIceCandidates>(gateway).candidates.size(), kCandidateBurst);
    send(client, FromClient{BroadcastGatewayIceCandidates{{gateway_id}, {"one more"}}});
    EXPECT_TRUE(take<ClientIceCandidates>(gateway).empty());
}

TEST_F(Candidates, AreNotPassedOnIfTheyAreLong) {
    const std::string longest(kMaxCandidateLength, 'c');

    send(client, FromClient{BroadcastGatewayIceCandidates{{gateway_id}, {longest + "c", longest}}});
    EXPECT_EQ(take_one<ClientIceCandidates>(gateway).candidates, std::vector{longest});
    send(client, FromClient{BroadcastGatewayIceCandidates{{gateway_id}, {longest + "c"}}});
    EXPECT_TRUE(take_frames(gateway).empty());
}

TEST_F(Candidates, AreNotMultiplied) {
    send(client, FromClient{BroadcastGatewayIceCandidates{std::vector(1000, gateway_id), {"candidate:1"}}});

    EXPECT_EQ(take_frames(gateway).size(), 1U);
}

TEST_F(Candidates, AreWithdrawnWhenTheirGatewayComesBackAsAnotherProcess) {
    const auto request = gateway_request(gateway_token());
    send(gateway, FromGateway{BroadcastClientIceCandidates{{asked.client.id}, {"candidate:1", "candidate:2"}}});
    send(gateway, FromGateway{BroadcastInvalidatedClientIceCandidates{{asked.client.id}, {"candidate:2"}}});
    take_frames(client);

    disconnect(gateway);
    const auto same = join(request);
    EXPECT_TRUE(take<InvalidateGatewayIceCandidates>(client).empty()) << "it still has its connections";

    disconnect(same);
    join(with(request, "public_key", key_text(4711)));
    const auto gone = take_one<InvalidateGatewayIceCandidates>(client);
    EXPECT_EQ(gone.gateway_id, gateway_id);
    EXPECT_EQ(gone.candidates, (std::vector<std::string>{"candidate:1"}));
}

TEST_F(Candidates, AreWithdrawnIfTheyWerePassedOn) {
    const std::vector<std::string> many(10 * kCandidateBurst, "candidate:1");
    send(gateway, FromGateway{BroadcastClientIceCandidates{{asked.client.id}, many}});
    send(gateway, FromGateway{BroadcastClientIceCandidates{{asked.client.id}, {"one too many"}}});
    take_frames(client);
    disconnect(gateway);
    join(with(gateway_request(gateway_token()), "public_key", key_text(4711)));
    EXPECT_EQ(take_one<InvalidateGatewayIceCandidates>(client).candidates, (std::vector<std::string>{"candidate:1"}));
}

TEST_F(Candidates, ForAClientThatTheirGatewayDoesNotLetInAreNotRemembered) {
    storage_.erase(policy_.id);
    announce_changes();
    send(gateway, FromGateway{BroadcastClientIceCandidates{{asked.client.id}, {"candidate:1"}}});
    EXPECT_EQ(take<GatewayIceCandidates>(client).size(), 1U);
    disconnect(gateway);
    join(with(gateway_request(gateway_token()), "public_key", key_text(4711)));
    EXPECT_TRUE(take<InvalidateGatewayIceCandidates>(client).empty());
}

}  // namespace
}  // namespace culvert::portal
