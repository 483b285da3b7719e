#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "culvert/portal/control_plane_fixture.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using namespace std::chrono_literals;
using std::chrono::seconds;

class Conditions : public ControlPlaneTest {
protected:
    void set_conditions(PolicyConditions conditions) {
        policy_.conditions = std::move(conditions);
        storage_.put(policy_);
        announce_changes();
    }
    /// By another group of alice's, for the same resource.
    Policy add_policy(PolicyConditions conditions) {
        const Group group{GroupId::random(rng_), "others"};
        storage_.put(group);
        storage_.put(Membership{MembershipId::random(rng_), actor_.id, group.id});
        const Policy policy{.id = PolicyId::random(rng_),
                            .group = group.id,
                            .resource = resource_.id,
                            .conditions = std::move(conditions)};
        storage_.put(policy);
        announce_changes();
        return policy;
    }
    /// The day on which tests begin is a Thursday, and it is 09:53:20.
    static TimeCondition today(const std::string& ranges) { return {{*DayHours::parse("R/" + ranges + "/Etc/UTC")}}; }
    [[nodiscard]] UnixSeconds midnight() const { return std::chrono::floor<std::chrono::days>(wall_seconds()); }

    /// Takes everything down to the gateway's answer. Returns what the gateway was asked.
    AuthorizeFlow open_flow(const Device& client, const Device& gateway) {
        send(client, FromClient{CreateFlow{resource_.id, {}}});
        const auto asked = take_one<AuthorizeFlow>(gateway);
        send(gateway, FromGateway{FlowAuthorized{asked.ref}});
        EXPECT_EQ(take<FlowCreated>(client).size(), 1U);
        take_frames(gateway);
        return asked;
    }
    [[nodiscard]] ClientId client_id() { return storage_.list_clients(actor_.id, {}).rows.front().id; }
    void verify(bool is_verified) {
        storage_.set_verified(client_id(), is_verified ? std::optional{wall_seconds()} : std::nullopt);
    }
    ConnectRequest from(ConnectRequest request, const std::string& address) {
        request.remote_ip = *net::IpAddress::parse(address);
        return request;
    }

    static inline const RemoteIpCondition kOffice{true, {*net::IpNetwork::parse("203.0.113.0/24")}};
};

TEST_F(Conditions, HideAResourceFromWhomTheyDoNotLetThrough) {
    set_conditions({kOffice});
    const auto inside = join(client_request(client_token(), 1));
    EXPECT_EQ(take_one<ClientInit>(inside).resources.size(), 1U);

    const auto outside = join(from(client_request(client_token(), 2), "198.51.100.1"));
    EXPECT_TRUE(take_one<ClientInit>(outside).resources.empty());
}

TEST_F(Conditions, AreNamedToThoseWhoAskAllTheSame) {
    set_conditions({ClientVerifiedCondition{}, RemoteIpCondition{false, kOffice.networks}});
    add_policy({ClientVerifiedCondition{}, today("06:00-07:00")});
    const auto client = join(client_request(client_token()));
    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    const auto told = take_one<FlowCreationFailed>(client);
    EXPECT_EQ(told.reason, FlowFailure::kForbidden);
    EXPECT_THAT(told.violated_properties,
                testing::UnorderedElementsAre("client_verified", "remote_ip", "current_utc_datetime"));
}

TEST_F(Conditions, ThatEndBeforeTheListSaysSoCountAtOnce) {
    set_conditions({today("09:00-09:54"), AuthProviderCondition{false, {Uuid::random(rng_)}}});
    const auto client = join(client_request(client_token()));
    EXPECT_EQ(take_one<ClientInit>(client).resources.size(), 1U);

    now_ += 40s;  // the timer is late
    send(client, FromClient{CreateFlow{resource_.id, {}}});

    const auto told = take_one<FlowCreationFailed>(client);
    EXPECT_EQ(told.reason, FlowFailure::kForbidden);
    EXPECT_EQ(told.violated_properties, std::vector<std::string>{"current_utc_datetime"});
}

TEST_F(Conditions, OfAResourceThatNobodyMeantForTheClientAreNotNamed) {
    set_conditions({ClientVerifiedCondition{}});
    storage_.erase(membership_.id);
    announce_changes();
    const auto client = join(newer(client_request(client_token())));

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kNotFound);
}

TEST_F(Conditions, OnProvidersHaveTheNameOfTheDialect) {
    set_conditions({AuthProviderCondition{true, {Uuid::random(rng_)}}});
    const auto older_client = join(client_request(client_token(), 1));
    const auto newer_client = join(newer(client_request(client_token(), 2)));

    send(older_client, FromClient{CreateFlow{resource_.id, {}}});
    send(newer_client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_EQ(take_one<FlowCreationFailed>(older_client).violated_properties, std::vector<std::string>{"provider_id"});
    EXPECT_EQ(take_one<FlowCreationFailed>(newer_client).violated_properties,
              std::vector<std::string>{"auth_provider_id"});
}

TEST_F(Conditions, LetTheVerifiedThroughAndNobodyElse) {
    set_conditions({ClientVerifiedCondition{}});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());

    verify(true);
    announce_changes();
    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client).size(), 1U);
    open_flow(client, gateway);

    verify(false);
    announce_changes();
    EXPECT_EQ(take_one<RejectAccess>(gateway).resource_id, resource_.id);
    EXPECT_EQ(take_one<ResourceDeleted>(client).resource_id, resource_.id);
    EXPECT_TRUE(storage_.find_flows(storage_.list_gateways().front().id).empty());
}

TEST_F(Conditions, AVerificationThatWasTakenBackInTheMeantimeLeavesNoFlow) {
    set_conditions({ClientVerifiedCondition{}});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    verify(true);
    announce_changes();
    take_frames(client);

    verify(false);  // by another process, of which the portal has not heard
    open_flow(client, gateway);
    announce_changes();

    EXPECT_EQ(take_one<RejectAccess>(gateway).resource_id, resource_.id);
    EXPECT_EQ(take_one<ResourceDeleted>(client).resource_id, resource_.id);
    EXPECT_TRUE(storage_.find_flows(storage_.list_gateways().front().id).empty());
}

TEST_F(Conditions, ConditionsThatWereSetInTheMeantimeCount) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(newer(client_request(client_token())));
    take_frames(client);
    take_frames(gateway);
    policy_.conditions = {ClientVerifiedCondition{}};
    storage_.put(policy_);  // by another process, of which the portal has not heard

    send(client, FromClient{CreateFlow{resource_.id, {}}});

    EXPECT_TRUE(take<AuthorizeFlow>(gateway).empty());
    EXPECT_EQ(take_one<FlowCreationFailed>(client).violated_properties, std::vector<std::string>{"client_verified"});
}

TEST_F(Conditions, AClientThatComesBackFromElsewhereLosesWhatItHad) {
    set_conditions({kOffice});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto token = client_token();
    const auto client = join(client_request(token));
    open_flow(client, gateway);

    disconnect(client);
    EXPECT_TRUE(take_frames(gateway).empty()) << "its address is not known to be another one";
    const auto elsewhere = join(from(client_request(token), "198.51.100.1"));

    EXPECT_TRUE(take_one<ClientInit>(elsewhere).resources.empty());
    EXPECT_EQ(take_one<RejectAccess>(gateway).resource_id, resource_.id);
    EXPECT_TRUE(storage_.find_flows(storage_.list_gateways().front().id).empty());
}

TEST_F(Conditions, AClientThatComesBackFromElsewhereKeepsWhatAnotherPolicyGrants) {
    set_conditions({kOffice});
    const auto other = add_policy({today("08:00-12:00")});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto token = client_token();
    const auto client = join(client_request(token));
    open_flow(client, gateway);
    EXPECT_EQ(storage_.find_flows(storage_.list_gateways().front().id).front().policy, policy_.id)
        << "the one without end is the better one";

    disconnect(client);
    const auto elsewhere = join(from(client_request(token), "198.51.100.1"));

    EXPECT_EQ(take_one<ClientInit>(elsewhere).resources.size(), 1U);
    EXPECT_TRUE(take<RejectAccess>(gateway).empty());
    const auto flows = storage_.find_flows(storage_.list_gateways().front().id);
    ASSERT_EQ(flows.size(), 1U);
    EXPECT_EQ(flows.front().policy, other.id);
    EXPECT_EQ(flows.front().expires_at, midnight() + 12h);
}

TEST_F(Conditions, EndWithTheWindowToTheSecond) {
    set_conditions({today("08:00-12:00")});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    EXPECT_EQ(open_flow(client, gateway).expires_at, midnight() + 12h);

    wait(midnight() + 12h - wall_seconds() - 1s);
    EXPECT_TRUE(take<RejectAccess>(gateway).empty());
    EXPECT_TRUE(take<ResourceDeleted>(client).empty());

    wait(1s);
    EXPECT_EQ(take_one<RejectAccess>(gateway).resource_id, resource_.id);
    EXPECT_EQ(take_one<ResourceDeleted>(client).resource_id, resource_.id);
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kForbidden);
}

TEST_F(Conditions, BeginWithTheWindowToTheSecondAlsoAfterARestart) {
    set_conditions({today("12:00-13:00")});
    portal_.emplace(storage_, Rng::from_number(3), now_);
    const auto client = join(client_request(client_token()));
    EXPECT_TRUE(take_one<ClientInit>(client).resources.empty());

    wait(midnight() + 12h - wall_seconds() - 1s);
    EXPECT_TRUE(take<ResourceCreatedOrUpdated>(client).empty());

    wait(1s);
    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client).size(), 1U);
}

TEST_F(Conditions, NobodyIsWokenForTimesThatNoPolicyNames) {
    EXPECT_EQ(portal_->poll_timeout(), now_ + 60s) << "housekeeping";
    set_conditions({kOffice, ClientVerifiedCondition{}});
    EXPECT_EQ(portal_->poll_timeout(), now_ + 60s);
    set_conditions({today("09:00-09:54")});
    EXPECT_EQ(portal_->poll_timeout(), now_ + 40s);
    policy_.is_disabled = true;
    storage_.put(policy_);
    announce_changes();
    EXPECT_EQ(portal_->poll_timeout(), now_ + 60s);
}

TEST_F(Conditions, ThePolicyThatLastsLongestGrants) {
    set_conditions({today("09:00-11:00")});
    const auto longest = add_policy({today("08:00-12:00")});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));

    EXPECT_EQ(open_flow(client, gateway).expires_at, midnight() + 12h);

    EXPECT_EQ(storage_.find_flows(storage_.list_gateways().front().id).front().policy, longest.id);
    wait(midnight() + 11h - wall_seconds());
    EXPECT_TRUE(take<RejectAccess>(gateway).empty());
    EXPECT_TRUE(take<ResourceDeleted>(client).empty());
}

TEST_F(Conditions, ATokenThatEndsSoonerEndsTheFlow) {
    set_conditions({today("09:00-11:00")});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto ends = wall_seconds() + 600s;
    const auto client = join(client_request(client_token(ends)));

    EXPECT_EQ(open_flow(client, gateway).expires_at, ends);
}

TEST_F(Conditions, AWindowThatOpensAgainWithTheOldFlowOverGrantsAgain) {
    set_conditions({today("09:00-10:00,10:30-11:00")});
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    open_flow(client, gateway);
    wait(midnight() + 10h - wall_seconds());
    EXPECT_EQ(take<RejectAccess>(gateway).size(), 1U);
    take_frames(client);
    wait(30min);
    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client).size(), 1U);

    EXPECT_EQ(open_flow(client, gateway).expires_at, midnight() + 11h);
}

}  // namespace
}  // namespace culvert::portal
