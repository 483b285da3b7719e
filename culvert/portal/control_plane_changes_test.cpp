#include "culvert/portal/control_plane.h"
#include "culvert/portal/control_plane_fixture.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// A client that has access to the resource through a gateway.
class Changes : public ControlPlaneTest {
protected:
    Changes() {
        gateway_ = join(gateway_request(gateway_token()));
        gateway_token_ = last_token_;
        client_ = join(client_request(client_token(expires_at_)));
        client_token_ = last_token_;
        open_flow();
    }

    void open_flow() {
        take_frames(gateway_);
        send(client_, FromClient{CreateFlow{resource_.id, {}}});
        const auto asked = take_one<AuthorizeFlow>(gateway_);
        send(gateway_, FromGateway{FlowAuthorized{asked.ref}});
        client_id_ = asked.client.id;
        gateway_id_ = take_one<FlowCreated>(client_).gateway_id;
        take_frames(gateway_);
    }

    void expect_rejected() {
        const auto rejected = take_one<RejectAccess>(gateway_);
        EXPECT_EQ(rejected.client_id, client_id_);
        EXPECT_EQ(rejected.resource_id, resource_.id);
    }

    /// Another way to the same resource.
    Policy add_second_policy() {
        const Group everyone{GroupId::random(rng_), "everyone"};
        const Policy second{.id = PolicyId::random(rng_), .group = everyone.id, .resource = resource_.id};
        storage_.put(everyone);
        storage_.put(Membership{MembershipId::random(rng_), actor_.id, everyone.id});
        storage_.put(second);
        return second;
    }

    UnixSeconds expires_at_ = wall_seconds() + hours{2};
    Device gateway_;
    Device client_;
    TokenId gateway_token_;
    TokenId client_token_;
    ClientId client_id_;
    GatewayId gateway_id_;
};

TEST_F(Changes, ThatDoNotConcernDevicesAreNotSent) {
    storage_.put(Site{SiteId::random(rng_), "elsewhere"});
    storage_.put(Actor{ActorId::random(rng_), ActorType::kUser, "bob", std::nullopt});
    announce_changes();
    announce_changes();

    EXPECT_TRUE(take_frames(client_).empty());
    EXPECT_TRUE(take_frames(gateway_).empty());
}

TEST_F(Changes, PolicyRemovedTakesAccessBack) {
    storage_.erase(policy_.id);
    announce_changes();

    expect_rejected();
    EXPECT_EQ(take_one<ResourceDeleted>(client_).resource_id, resource_.id);

    send(client_, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client_).reason, FlowFailure::kNotFound);
    EXPECT_TRUE(take_frames(gateway_).empty());
}

TEST_F(Changes, PolicyDisabledTakesAccessBackAndEnabledGivesIt) {
    policy_.is_disabled = true;
    storage_.put(policy_);
    announce_changes();
    expect_rejected();
    EXPECT_EQ(take<ResourceDeleted>(client_).size(), 1U);

    policy_.is_disabled = false;
    storage_.put(policy_);
    announce_changes();
    EXPECT_TRUE(take_frames(gateway_).empty());
    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client_).size(), 1U);
    open_flow();
}

TEST_F(Changes, PolicyRemovedWhileAnotherGrantsKeepsTheConnection) {
    add_second_policy();
    announce_changes();
    EXPECT_TRUE(take_frames(gateway_).empty());

    storage_.erase(policy_.id);
    announce_changes();

    const auto extended = take_one<AccessAuthorizationExpiryUpdated>(gateway_);
    EXPECT_EQ(extended.client_id, client_id_);
    EXPECT_EQ(extended.resource_id, resource_.id);
    EXPECT_EQ(extended.expires_at, expires_at_);
    EXPECT_TRUE(take_frames(client_).empty());
}

TEST_F(Changes, ThatCannotBeRenewedForWantOfTheDatabaseTakeAccessBack) {
    add_second_policy();
    announce_changes();
    take_frames(gateway_);
    storage_.is_locked = true;
    storage_.erase(policy_.id);
    announce_changes();

    expect_rejected();
}

TEST_F(Changes, AfterARenewalTheSecondPolicyCounts) {
    const auto second = add_second_policy();
    storage_.erase(policy_.id);
    announce_changes();
    take_frames(gateway_);

    storage_.erase(second.id);
    announce_changes();

    expect_rejected();
}

TEST_F(Changes, OneOfSeveralFlowsRemovedUpdatesTheExpiry) {
    const auto longer = wall_seconds() + hours{5};
    const auto second_device = join(client_request(client_token(longer)));
    send(second_device, FromClient{CreateFlow{resource_.id, {}}});
    take_frames(gateway_);

    // The same device signed in with another token: the flow of the first one goes.
    storage_.erase(client_token_);
    announce_changes();

    EXPECT_EQ(take_one<AccessAuthorizationExpiryUpdated>(gateway_).expires_at, longer);
    EXPECT_TRUE(is_closed(client_));
    EXPECT_FALSE(is_closed(second_device));
}

TEST_F(Changes, MembershipRemovedTakesAccessBack) {
    storage_.erase(membership_.id);
    announce_changes();

    expect_rejected();
    EXPECT_EQ(take<ResourceDeleted>(client_).size(), 1U);
}

TEST_F(Changes, MembershipAddedGivesResources) {
    const Group group{GroupId::random(rng_), "operators"};
    Resource other = resource_;
    other.id = ResourceId::random(rng_);
    other.name = "other";
    storage_.put(group);
    storage_.put(other);
    storage_.put(Policy{.id = PolicyId::random(rng_), .group = group.id, .resource = other.id});
    announce_changes();
    EXPECT_TRUE(take_frames(client_).empty());

    storage_.put(Membership{MembershipId::random(rng_), actor_.id, group.id});
    announce_changes();

    const auto created = take_one<ResourceCreatedOrUpdated>(client_);
    EXPECT_EQ(std::get<ClientCidrResource>(created.resource).id, other.id);
}

TEST_F(Changes, TokenRevokedClosesTheConnection) {
    storage_.erase(client_token_);
    announce_changes();

    EXPECT_TRUE(is_closed(client_));
    EXPECT_FALSE(is_closed(gateway_));
    expect_rejected();
    EXPECT_EQ(portal_->statistics().clients_online, 0U);
}

TEST_F(Changes, GatewayTokenRevokedClosesTheGateway) {
    storage_.erase(gateway_token_);
    announce_changes();

    EXPECT_TRUE(is_closed(gateway_));
    EXPECT_FALSE(is_closed(client_));
    send(client_, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take_one<FlowCreationFailed>(client_).reason, FlowFailure::kOffline);
}

TEST_F(Changes, ARevokedClientIsCutOffAndStaysOut) {
    EXPECT_TRUE(storage_.revoke(client_id_, wall_seconds()));
    announce_changes();

    EXPECT_TRUE(is_closed(client_));
    expect_rejected();
    EXPECT_EQ(refusal(client_request(client_token())), 401U) << "whatever token it brings";

    EXPECT_TRUE(storage_.erase(client_id_));
    EXPECT_EQ(refusal(client_request(client_token())), 0U);
}

TEST_F(Changes, ADeletedClientIsCutOff) {
    EXPECT_TRUE(storage_.erase(client_id_));
    announce_changes();

    EXPECT_TRUE(is_closed(client_));
    expect_rejected();
}

TEST_F(Changes, ClientsLeaveAGatewayThatIsRevoked) {
    const auto other = join(gateway_request(gateway_token(), 2));
    take_frames(client_);
    EXPECT_TRUE(storage_.revoke(gateway_id_, wall_seconds()));
    announce_changes();

    EXPECT_TRUE(is_closed(gateway_));
    EXPECT_EQ(refusal(gateway_request(gateway_token())), 401U);
    const auto frames = take_frames(client_);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_NE(frames[0].find("resource_deleted"), std::string::npos);
    EXPECT_NE(frames[1].find("resource_created_or_updated"), std::string::npos);

    send(client_, FromClient{CreateFlow{resource_.id, {gateway_id_}}});
    EXPECT_EQ(take<AuthorizeFlow>(other).size(), 1U);
}

TEST_F(Changes, ClientsLeaveAGatewayWhoseTokenIsRevoked) {
    take_frames(client_);
    storage_.erase(gateway_token_);
    announce_changes();

    EXPECT_TRUE(is_closed(gateway_));
    EXPECT_EQ(take_frames(client_).size(), 2U);
}

TEST_F(Changes, ARevokedOrDeletedRelayIsCutOff) {
    const RelayReport report{.name = {}, .ipv4 = net::IpAddress::parse("203.0.113.21"), .ipv6 = {}, .last_seen = {}};
    const auto relay = join(relay_request(relay_token()));
    const auto id = storage_.register_relay(report, rng_)->id;
    EXPECT_TRUE(storage_.revoke(id, wall_seconds()));
    announce_changes();
    EXPECT_TRUE(is_closed(relay));
    EXPECT_EQ(refusal(relay_request(relay_token())), 401U);

    EXPECT_TRUE(storage_.erase(id));
    const auto again = join(relay_request(relay_token()));
    EXPECT_FALSE(is_closed(again));
    EXPECT_TRUE(storage_.erase(storage_.register_relay(report, rng_)->id));
    announce_changes();
    EXPECT_TRUE(is_closed(again));
}

TEST_F(Changes, TokenThatExpiresClosesTheConnectionThen) {
    // Between two of the portal's ticks, the next of which would close it anyway.
    const auto client = join(client_request(client_token(wall_seconds() + seconds{90}), 2));
    wait(seconds{89});
    EXPECT_FALSE(is_closed(client));

    wait(seconds{1});
    EXPECT_TRUE(is_closed(client));
}

TEST_F(Changes, FlowsThatExpireAreForgottenAndTakenBackOnce) {
    take_frames(gateway_);

    wait(hours{2} + minutes{4});

    EXPECT_EQ(take_frames(gateway_).size(), 1U) << "its clock may be slow";
    EXPECT_TRUE(storage_.find_flows(gateway_id_).empty());
}

TEST_F(Changes, ActorRemovedClosesItsClients) {
    storage_.erase(actor_.id);
    announce_changes();

    EXPECT_TRUE(is_closed(client_));
    expect_rejected();
}

TEST_F(Changes, ActorDisabledIsCutOffAndReachesNothingWithWhateverToken) {
    actor_.is_disabled = true;
    storage_.put(actor_);
    announce_changes();

    EXPECT_TRUE(is_closed(client_));
    expect_rejected();
    TimeWindows windows;
    EXPECT_TRUE(find_grants(storage_.load_directory(), actor_.id, {}, resource_.id, windows).empty());

    actor_.is_disabled = false;
    storage_.put(actor_);
    EXPECT_FALSE(find_grants(storage_.load_directory(), actor_.id, {}, resource_.id, windows).empty());
}

TEST_F(Changes, SiteRemovedClosesItsGatewaysAndTakesResourcesAway) {
    storage_.erase(site_.id);
    announce_changes();

    EXPECT_TRUE(is_closed(gateway_));
    EXPECT_EQ(take<ResourceDeleted>(client_).size(), 1U);
}

TEST_F(Changes, ResourceRemovedTakesAccessBack) {
    storage_.erase(resource_.id);
    announce_changes();

    expect_rejected();
    EXPECT_EQ(take<ResourceDeleted>(client_).size(), 1U);
}

TEST_F(Changes, ResourceAddressChangedTakesAccessBackEvenThoughItWouldBeGranted) {
    resource_.address = "10.21.0.0/24";
    storage_.put(resource_);
    announce_changes();

    expect_rejected();
    const auto updated = take_one<ResourceCreatedOrUpdated>(client_);
    EXPECT_EQ(std::get<ClientCidrResource>(updated.resource).address.to_string(), "10.21.0.0/24");
    EXPECT_TRUE(storage_.find_flows(gateway_id_).empty());
    open_flow();
}

TEST_F(Changes, ResourceFiltersChangedAreToldToBothSides) {
    resource_.filters = {{FilterProtocol::kTcp, {{443, 443}, {8000, 8100}}}, {FilterProtocol::kIcmp, {}}};
    storage_.put(resource_);
    announce_changes();

    const std::vector<Filter> expected = {
        {FilterProtocol::kTcp, 443, 443}, {FilterProtocol::kTcp, 8000, 8100}, {FilterProtocol::kIcmp, 0, 65535}};
    auto frames = take<ResourceUpdated>(gateway_);
    ASSERT_EQ(frames.size(), 1U);
    const auto& at_gateway = std::get<GatewayCidrResource>(frames[0].resource).filters;
    ASSERT_EQ(at_gateway.size(), 3U);
    EXPECT_EQ(at_gateway[0], expected[0]);
    EXPECT_EQ(at_gateway[1], expected[1]);
    EXPECT_EQ(at_gateway[2].protocol, FilterProtocol::kIcmp);
    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client_).size(), 1U);
}

TEST_F(Changes, ResourceNameChangedIsToldToTheClientOnly) {
    resource_.name = "network";
    resource_.address_description = "the one downstairs";
    storage_.put(resource_);
    announce_changes();

    EXPECT_EQ(take<ResourceCreatedOrUpdated>(client_).size(), 1U);
    EXPECT_TRUE(take_frames(gateway_).empty());
}

TEST_F(Changes, ResourceMovedToAnotherSiteIsDeletedAndCreated) {
    const Site other{SiteId::random(rng_), "branch"};
    storage_.put(other);
    resource_.sites = {other.id};
    storage_.put(resource_);
    announce_changes();

    expect_rejected();
    const auto frames = take_frames(client_);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_NE(frames[0].find("resource_deleted"), std::string::npos);
    EXPECT_NE(frames[1].find("resource_created_or_updated"), std::string::npos);
}

TEST_F(Changes, DeletionsComeBeforeCreations) {
    Resource replacement = resource_;
    replacement.id = ResourceId::random(rng_);
    storage_.erase(resource_.id);
    storage_.put(replacement);
    storage_.put(Policy{.id = PolicyId::random(rng_), .group = group_.id, .resource = replacement.id});
    announce_changes();

    const auto frames = take_frames(client_);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_NE(frames[0].find("resource_deleted"), std::string::npos);
    EXPECT_NE(frames[1].find("resource_created_or_updated"), std::string::npos);
}

TEST_F(Changes, SiteRenamedIsAnUpdateForClientsThatCanTakeIt) {
    auto request = client_request(client_token(), 2);
    request.user_agent = "Ubuntu/22.4.0 headless-client/1.5.4";
    const auto old_client = join(request);
    take_frames(old_client);

    storage_.put(Site{site_.id, "headquarters"});
    announce_changes();

    EXPECT_EQ(take_frames(client_).size(), 1U);
    const auto frames = take_frames(old_client);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_NE(frames[0].find("resource_deleted"), std::string::npos);
    EXPECT_TRUE(take_frames(gateway_).empty());
}

TEST_F(Changes, DnsSettingsReachClients) {
    auto account = storage_.load_directory().account;
    account.upstream_dns = {*net::SocketAddress::parse("[2001:db8::53]:53")};
    storage_.put(account);
    announce_changes();

    EXPECT_EQ(take_one<ConfigChanged>(client_).interface.upstream_dns.size(), 1U);

    account.upstream_dns = {};
    account.upstream_doh = {"https://dns.example/dns-query"};
    storage_.put(account);
    announce_changes();
    EXPECT_EQ(take_one<ConfigChanged>(client_).interface.upstream_doh, account.upstream_doh);
    EXPECT_TRUE(take_frames(gateway_).empty());
}

TEST_F(Changes, SlugReachesGatewaysInAnInitWithTheirAuthorizations) {
    auto account = storage_.load_directory().account;
    account.slug = "acme";
    storage_.put(account);
    announce_changes();

    const auto init = take_one<GatewayInit>(gateway_);
    EXPECT_EQ(init.account_slug, "acme");
    ASSERT_EQ(init.authorizations.size(), 1U);
    EXPECT_EQ(init.authorizations[0].client_id, client_id_);
    EXPECT_TRUE(take_frames(client_).empty());
}

TEST_F(Changes, WhileTheClientIsAwayTakeItsFlowsWhenItReturns) {
    disconnect(client_);
    resource_.sites.clear();
    storage_.put(resource_);
    announce_changes();
    expect_rejected();

    client_ = join(client_request(client_token()));

    EXPECT_TRUE(take_one<ClientInit>(client_).resources.empty());
}

TEST_F(Changes, WhileTheGatewayIsAwayAreInItsNextInit) {
    disconnect(gateway_);
    storage_.erase(policy_.id);
    announce_changes();

    gateway_ = join(gateway_request(gateway_token()));

    EXPECT_TRUE(take_one<GatewayInit>(gateway_).authorizations.empty());
}

TEST_F(Changes, WhilePortalIsDownAreSeenByTheNextOne) {
    storage_.erase(policy_.id);
    portal_.emplace(storage_, Rng::from_number(3), now_);

    gateway_ = join(gateway_request(gateway_token()));
    client_ = join(client_request(client_token()));

    EXPECT_TRUE(take_one<GatewayInit>(gateway_).authorizations.empty());
    EXPECT_TRUE(take_one<ClientInit>(client_).resources.empty());
}

}  // namespace
}  // namespace culvert::portal
