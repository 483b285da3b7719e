#include <algorithm>
#include <chrono>
#include <functional>

#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/control_plane_fixture.h"
#include "culvert/portal/derivations.h"

// Clients that reach each other: alice uses the pool "build hosts", which names two devices of bob.
namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::hours;
using std::chrono::seconds;

class Pools : public ControlPlaneTest {
protected:
    Pools() {
        storage_.put(bob_);
        put_pool({"client-2", "client-3"});
        storage_.put(may_use_pool_);
        announce_changes();
    }

    void put_pool(const std::vector<std::string>& external_ids, std::vector<ResourceFilter> filters = {}) {
        pool_.members.clear();
        for (const auto& id : external_ids) {
            pool_.members.push_back({bob_.id, id});
        }
        pool_.filters = std::move(filters);
        storage_.put(pool_);
    }
    static ConnectRequest of_version(ConnectRequest request, const std::string& version) {
        request.user_agent = "Ubuntu/24.4.0 headless-client/" + version + " (x86_64; 6.8.0)";
        return request;
    }
    Device join_alice(const std::string& version = "1.5.12", std::optional<UnixSeconds> expires_at = {}) {
        return join(of_version(client_request(client_token(expires_at), 1), version));
    }
    Device join_bob(std::uint64_t number = 2, const std::string& version = "1.5.12") {
        const auto token = create_token({.type = TokenType::kClient, .actor = bob_.id});
        return join(of_version(client_request(token, number), version));
    }
    /// Both have joined; alice asks for bob's device, and both have been told.
    void let_through() {
        alice_ = join_alice();
        bobs_ = join_bob();
        bobs_address_ = take_one<ClientInit>(bobs_).interface.ipv4;
        alices_id_ = {};
        ask(alice_, bobs_address_);
        const auto let_in = take_one<DeviceAccessAuthorized>(bobs_);
        alices_id_ = let_in.client_id;
        bobs_id_ = take<DeviceAccessAuthorized>(alice_).at(0).client_id;
    }
    void ask(const Device& who, const net::IpAddress& address) {
        CreateFlow request{.resource_id = pool_.id, .connected_gateway_ids = {}};
        (address.is_v4() ? request.ipv4 : request.ipv6) = address.to_string();
        send(who, FromClient{request});
    }
    std::optional<DeviceAccessRefusal> refusal_of(const Device& who) {
        const auto denials = take<DeviceAccessDenied>(who);
        return denials.size() == 1 ? std::optional{denials[0].reason} : std::nullopt;
    }

    Actor bob_{ActorId::random(rng_), ActorType::kUser, "bob", "bob@example.com"};
    Resource pool_{.id = ResourceId::random(rng_),
                   .type = ResourceType::kStaticDevicePool,
                   .name = "build hosts",
                   .address = {},
                   .filters = {},
                   .sites = {}};
    Policy may_use_pool_{.id = PolicyId::random(rng_), .group = group_.id, .resource = pool_.id};
    Device alice_;
    Device bobs_;
    net::IpAddress bobs_address_;
    ClientId alices_id_;
    ClientId bobs_id_;
};

TEST_F(Pools, AreToldToWhoMayUseThemAndKnowsWhatTheyAre) {
    const auto bobs = join_bob();
    const auto bob_init = take_one<ClientInit>(bobs);
    EXPECT_TRUE(bob_init.device_pools.empty()) << "is in it, but may not use it";

    const auto init = take_one<ClientInit>(join_alice());
    ASSERT_EQ(init.device_pools.size(), 1U);
    EXPECT_EQ(init.device_pools[0].name, "build hosts");
    ASSERT_EQ(init.device_pools[0].devices.size(), 1U) << "the other one has not connected yet";
    EXPECT_EQ(init.device_pools[0].devices[0].ipv4, bob_init.interface.ipv4);
    EXPECT_TRUE(init.authorizations.empty());

    EXPECT_TRUE(take_one<ClientInit>(join_alice("1.5.8")).device_pools.empty());
}

TEST_F(Pools, GainADeviceWhenItConnectsForTheFirstTime) {
    const auto alice = join_alice();
    EXPECT_TRUE(take_one<ClientInit>(alice).device_pools.at(0).devices.empty());

    const auto init = take_one<ClientInit>(join_bob());

    const auto update = take_one<DevicePoolCreatedOrUpdated>(alice);
    ASSERT_EQ(update.pool.devices.size(), 1U);
    EXPECT_EQ(update.pool.devices[0].ipv6, init.interface.ipv6);
    static_cast<void>(join_bob());
    EXPECT_TRUE(take<DevicePoolCreatedOrUpdated>(alice).empty()) << "is known by now";
}

TEST_F(Pools, LetThroughTheDeviceIsToldFirstAndBothGetTheSame) {
    alice_ = join_alice();
    bobs_ = join_bob();
    const auto address = take_one<ClientInit>(bobs_).interface.ipv6;
    const auto alices = take<ClientInit>(alice_).at(0).interface;

    ask(alice_, address);

    const auto let_in = take_one<DeviceAccessAuthorized>(bobs_);
    const auto let_through = take_one<DeviceAccessAuthorized>(alice_);
    EXPECT_EQ(let_in.client_ipv4, alices.ipv4);
    EXPECT_EQ(let_in.client_name, "laptop");
    EXPECT_EQ(let_in.resource, (PoolGrant{pool_.id, {}}));
    EXPECT_EQ(let_in.expires_at, kNever);
    EXPECT_EQ(let_through.client_ipv6, address);
    EXPECT_EQ(let_through.resource, std::nullopt) << "it may reach, and is not to be reached";
    EXPECT_EQ(let_through.preshared_key, let_in.preshared_key);
    EXPECT_EQ(let_through.local_ice_credentials, let_in.remote_ice_credentials);
    EXPECT_EQ(let_through.remote_ice_credentials, let_in.local_ice_credentials);
    EXPECT_NE(let_through.ice_role, let_in.ice_role);
    EXPECT_EQ(let_through.client_public_key.to_string(), key_text(2));
}

TEST_F(Pools, TheLowerIdLeadsWhoeverAsks) {
    let_through();
    ask(alice_, bobs_address_);
    const auto first = take_one<DeviceAccessAuthorized>(alice_);
    EXPECT_EQ(first.ice_role == IceRole::kControlling, alices_id_ < bobs_id_);
    static_cast<void>(take_frames(bobs_));

    // Bob may use a pool that alice's device is in.
    Resource other{.id = ResourceId::random(rng_),
                   .type = ResourceType::kStaticDevicePool,
                   .name = "laptops",
                   .address = {},
                   .filters = {},
                   .sites = {},
                   .members = {{actor_.id, "client-1"}}};
    const Group bobs_group{GroupId::random(rng_), "others"};
    storage_.put(bobs_group);
    storage_.put(Membership{MembershipId::random(rng_), bob_.id, bobs_group.id});
    storage_.put(other);
    storage_.put(Policy{.id = PolicyId::random(rng_), .group = bobs_group.id, .resource = other.id});
    announce_changes();
    const auto pools = take<DevicePoolCreatedOrUpdated>(bobs_);
    ASSERT_EQ(pools.size(), 1U);
    CreateFlow back{.resource_id = other.id, .connected_gateway_ids = {}};
    back.ipv4 = pools[0].pool.devices.at(0).ipv4.to_string();
    send(bobs_, FromClient{back});

    const auto second = take_one<DeviceAccessAuthorized>(alice_);
    EXPECT_EQ(second.resource->id, other.id);
    EXPECT_EQ(second.ice_role, first.ice_role);
    EXPECT_EQ(second.preshared_key, first.preshared_key);
    EXPECT_EQ(second.local_ice_credentials, first.local_ice_credentials);
}

TEST_F(Pools, SayWhyNot) {
    alice_ = join_alice();
    const auto bobs = join_bob();
    const auto address = take_one<ClientInit>(bobs).interface.ipv4;
    static_cast<void>(take_frames(alice_));

    ask(alice_, *net::IpAddress::parse("100.64.255.1"));
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kForbidden);
    send(alice_, FromClient{CreateFlow{pool_.id, {}}});
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kMissingAddress);
    send(alice_, FromClient{CreateFlow{pool_.id, {}, "1.2.3", {}}});
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kInvalidAddress);
    send(alice_, FromClient{CreateFlow{pool_.id, {}, "100.64.0.1", "fd00:2021:1111::1"}});
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kAmbiguousAddress);

    portal_->set_congested(bobs.session, true);
    ask(alice_, address);
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kOffline) << "it would not be told in time";
    disconnect(bobs);
    ask(alice_, address);
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kOffline);

    static_cast<void>(join_bob(2, "1.5.6"));
    ask(alice_, address);
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kVersionMismatch);
    static_cast<void>(join_bob(2, "1.6.0"));
    ask(alice_, address);
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kVersionMismatch) << "another minor version";
}

TEST_F(Pools, AreOpenToNobodyElse) {
    const auto bobs = join_bob();
    const auto other = join_bob(3);
    const auto address = take_one<ClientInit>(other).interface.ipv4;

    ask(bobs, address);
    EXPECT_EQ(take_one<FlowCreationFailed>(bobs).reason, FlowFailure::kNotFound) << "is in it, but may not use it";
    EXPECT_TRUE(take_frames(other).empty());
}

TEST_F(Pools, DoNotLeadToTheOneWhoAsks) {
    pool_.members = {{actor_.id, "client-1"}};
    storage_.put(pool_);
    announce_changes();
    alice_ = join_alice();
    const auto address = take<ClientInit>(alice_).at(0).interface.ipv4;

    ask(alice_, address);
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kForbidden);
}

TEST_F(Pools, PassCandidatesOnOnceSomebodyIsLetIn) {
    alice_ = join_alice();
    bobs_ = join_bob();
    const auto init = take_one<ClientInit>(bobs_);
    const auto pool = take<DevicePoolCreatedOrUpdated>(alice_).at(0).pool;
    const auto bobs = pool.devices.at(0).client_id;

    send(alice_, FromClient{BroadcastClientIceCandidates{{bobs}, {"candidate:1"}}});
    EXPECT_TRUE(take_frames(bobs_).empty()) << "nothing was granted yet";

    ask(alice_, init.interface.ipv4);
    const auto alices = take_one<DeviceAccessAuthorized>(bobs_).client_id;
    send(alice_, FromClient{BroadcastClientIceCandidates{{bobs}, {"candidate:1"}}});
    EXPECT_EQ(take_one<ClientIceCandidates>(bobs_), (ClientIceCandidates{alices, {"candidate:1"}}));
    static_cast<void>(take_frames(alice_));
    send(bobs_, FromClient{BroadcastInvalidatedClientIceCandidates{{alices}, {"candidate:2"}}});
    EXPECT_EQ(take_one<InvalidateClientIceCandidates>(alice_), (InvalidateClientIceCandidates{bobs, {"candidate:2"}}));

    const auto other = join_bob(3);
    static_cast<void>(take_frames(other));
    static_cast<void>(take_frames(alice_));
    send(other, FromClient{BroadcastClientIceCandidates{{alices}, {"candidate:3"}}});
    EXPECT_TRUE(take_frames(alice_).empty()) << "nobody asked for that one";
}

TEST_F(Pools, PassNoCandidatesOnAfterTheEnd) {
    const auto until = wall_seconds() + hours{1};
    alice_ = join_alice("1.5.12", until);
    bobs_ = join_bob();
    ask(alice_, take_one<ClientInit>(bobs_).interface.ipv4);
    const auto let_in = take_one<DeviceAccessAuthorized>(bobs_);
    EXPECT_EQ(let_in.expires_at, until) << "lasts as long as the token";

    now_ += hours{1};
    send(bobs_, FromClient{BroadcastClientIceCandidates{{let_in.client_id}, {"candidate:1"}}});
    EXPECT_TRUE(take<ClientIceCandidates>(alice_).empty());
}

TEST_F(Pools, AreRememberedWhenADeviceComesBack) {
    let_through();
    disconnect(bobs_);
    bobs_ = join_bob();

    EXPECT_EQ(take_one<ClientInit>(bobs_).authorizations, (std::vector<Authorization>{{alices_id_, pool_.id, kNever}}));
    send(alice_, FromClient{BroadcastClientIceCandidates{{bobs_id_}, {"candidate:1"}}});
    EXPECT_EQ(take<ClientIceCandidates>(bobs_).size(), 1U);
}

TEST_F(Pools, AreRememberedByAPortalThatStartsAnew) {
    let_through();
    portal_.emplace(storage_, Rng::from_number(3), now_);
    EXPECT_EQ(take_one<ClientInit>(join_bob()).authorizations.size(), 1U);
}

TEST_F(Pools, ThatLoseADeviceTellBothEnds) {
    let_through();
    put_pool({"client-3"});
    announce_changes();

    EXPECT_EQ(take_one<RejectAccess>(bobs_), (RejectAccess{alices_id_, pool_.id}));
    const auto frames = take_frames(alice_);
    ASSERT_EQ(frames.size(), 2U);
    const auto decode = [&](const std::string& text) {
        const auto frame = decode_to_device(Role::kClient, Dialect::kV1, text);
        return std::get<ToClient>(std::get<MessageFrame>(*frame).message);
    };
    const auto denied = std::get<DeviceAccessDenied>(decode(frames[0]));
    EXPECT_EQ(denied.reason, DeviceAccessRefusal::kForbidden);
    EXPECT_EQ(denied.ipv4, bobs_address_);
    EXPECT_TRUE(denied.ipv6);
    EXPECT_TRUE(std::get<DevicePoolCreatedOrUpdated>(decode(frames[1])).pool.devices.empty());
}

TEST_F(Pools, LoseADeviceThatIsDeletedOrRevoked) {
    let_through();
    EXPECT_TRUE(storage_.revoke(bobs_id_, wall_seconds()));
    announce_changes();
    EXPECT_TRUE(is_closed(bobs_));
    EXPECT_EQ(refusal_of(alice_), DeviceAccessRefusal::kForbidden);

    EXPECT_TRUE(storage_.erase(bobs_id_));
    bobs_ = join_bob();
    EXPECT_TRUE(take_one<ClientInit>(bobs_).authorizations.empty()) << "is another device now";
}

TEST_F(Pools, TellADeviceOfAClientThatIsGone) {
    let_through();
    EXPECT_TRUE(storage_.erase(alices_id_));
    announce_changes();

    EXPECT_EQ(take_one<RejectAccess>(bobs_), (RejectAccess{alices_id_, pool_.id}));
}

TEST_F(Pools, EndWithTheirPolicyMembershipAndToken) {
    const std::vector<std::function<void()>> ends = {
        [&] { storage_.erase(may_use_pool_.id); },
        [&] { storage_.erase(membership_.id); },
        [&] {
            auto disabled = may_use_pool_;
            disabled.is_disabled = true;
            storage_.put(disabled);
        },
        [&] { storage_.erase(pool_.id); },
    };
    for (std::size_t i = 0; i < ends.size(); ++i) {
        storage_.put(membership_);
        storage_.put(pool_);
        storage_.put(may_use_pool_);
        announce_changes();
        let_through();
        ends[i]();
        announce_changes();

        EXPECT_EQ(take_one<RejectAccess>(bobs_), (RejectAccess{alices_id_, pool_.id})) << i;
        const auto deleted = take<ResourceDeleted>(alice_);
        EXPECT_EQ(std::ranges::count(deleted, pool_.id, &ResourceDeleted::resource_id), 1) << i;
        disconnect(alice_);
        disconnect(bobs_);
    }
    storage_.put(pool_);
    storage_.put(may_use_pool_);
    announce_changes();
    alice_ = join_alice();
    const auto token = last_token_;
    bobs_ = join_bob();
    ask(alice_, take_one<ClientInit>(bobs_).interface.ipv4);
    static_cast<void>(take_frames(bobs_));
    EXPECT_TRUE(storage_.erase(token));
    announce_changes();
    EXPECT_EQ(take<RejectAccess>(bobs_).size(), 1U);
}

TEST_F(Pools, GoOnWhenAnotherPolicyGrantsThem) {
    const Group others{GroupId::random(rng_), "others"};
    storage_.put(others);
    storage_.put(Membership{MembershipId::random(rng_), actor_.id, others.id});
    storage_.put(Policy{.id = PolicyId::random(rng_), .group = others.id, .resource = pool_.id});
    announce_changes();
    let_through();

    storage_.erase(may_use_pool_.id);
    announce_changes();

    EXPECT_TRUE(take<RejectAccess>(bobs_).empty());
    disconnect(bobs_);
    EXPECT_EQ(take_one<ClientInit>(join_bob()).authorizations.size(), 1U);
}

TEST_F(Pools, AreRecordedAsTheirPolicySays) {
    const auto uploads = [this](const std::optional<std::string>& token) {
        const auto claims = portal_api::verify_ingest_token(token.value_or(""), storage_.ingest_key(rng_), {});
        return claims && claims->uploads_enabled;
    };
    auto account = storage_.load_directory().account;
    account.flow_logging.is_on = true;
    storage_.put(account);
    announce_changes();
    alice_ = join_alice();
    bobs_ = join_bob();
    bobs_address_ = take_one<ClientInit>(bobs_).interface.ipv4;
    ask(alice_, bobs_address_);
    const auto let_in = take_one<DeviceAccessAuthorized>(bobs_);
    EXPECT_TRUE(uploads(let_in.flow_logs_ingest_token));
    EXPECT_TRUE(uploads(take_one<DeviceAccessAuthorized>(alice_).flow_logs_ingest_token));
    const auto claims = portal_api::decode_ingest_token(*let_in.flow_logs_ingest_token);
    EXPECT_EQ(claims->role, portal_api::FlowRole::kResponder);
    EXPECT_EQ(claims->initiator_device, let_in.client_id.uuid());
    EXPECT_EQ(claims->policy, may_use_pool_.id.uuid());

    may_use_pool_.logs_flows = false;
    storage_.put(may_use_pool_);
    announce_changes();
    EXPECT_EQ(take<RejectAccess>(bobs_).size(), 1U) << "its token says that flows are wanted";
    const auto frames = take_frames(alice_);
    ASSERT_EQ(frames.size(), 2U) << "so that it asks again";
    EXPECT_NE(frames[0].find(R"("resource_deleted")"), std::string::npos);
    EXPECT_NE(frames[1].find(R"("resource_created_or_updated")"), std::string::npos);
    ask(alice_, bobs_address_);
    EXPECT_FALSE(uploads(take_one<DeviceAccessAuthorized>(bobs_).flow_logs_ingest_token));
    EXPECT_FALSE(uploads(take_one<DeviceAccessAuthorized>(alice_).flow_logs_ingest_token));
}

TEST_F(Pools, TellBothEndsOfNewFilters) {
    let_through();
    put_pool({"client-2", "client-3"}, {{FilterProtocol::kTcp, {{22, 22}}}});
    announce_changes();

    const std::vector<Filter> filters = {{FilterProtocol::kTcp, 22, 22}};
    EXPECT_EQ(take_one<ResourceFiltersUpdated>(bobs_).resource, (PoolGrant{pool_.id, filters}));
    EXPECT_EQ(take_one<DevicePoolCreatedOrUpdated>(alice_).pool.filters, filters);
    const auto other = join_bob(3);
    put_pool({"client-2", "client-3"});
    announce_changes();
    EXPECT_TRUE(take<ResourceFiltersUpdated>(other).empty()) << "nobody was let in there";
}

TEST_F(Pools, TellOfNewFiltersWhoWasAwayWhenTheyCame) {
    let_through();
    disconnect(bobs_);
    put_pool({"client-2"}, {{FilterProtocol::kTcp, {{22, 22}}}});
    announce_changes();

    bobs_ = join_bob();
    EXPECT_EQ(take_one<ResourceFiltersUpdated>(bobs_).resource,
              (PoolGrant{pool_.id, std::vector<Filter>{{FilterProtocol::kTcp, 22, 22}}}));
}

TEST_F(Pools, AskedForOverAndOverAreStoredOnce) {
    let_through();
    for (int i = 0; i < 5; ++i) {
        ask(alice_, bobs_address_);
    }
    EXPECT_EQ(storage_.find_device_flows(bobs_id_).size(), 1U);
    EXPECT_EQ(take<DeviceAccessAuthorized>(bobs_).size(), 5U) << "either end may have lost its state";
}

TEST_F(Pools, ThatTheDatabaseTookAwayAMomentAgoAreNotGranted) {
    alice_ = join_alice();
    bobs_ = join_bob();
    const auto address = take_one<ClientInit>(bobs_).interface.ipv4;
    static_cast<void>(take_frames(alice_));
    put_pool({"client-3"});  // and nobody has told the portal

    ask(alice_, address);

    EXPECT_TRUE(take<DeviceAccessAuthorized>(bobs_).empty());
    EXPECT_FALSE(take<DeviceAccessDenied>(alice_).empty());
}

TEST_F(Pools, OfOneAreAskedOnlySoOften) {
    let_through();
    for (unsigned i = 0; i < 400; ++i) {
        ask(alice_, bobs_address_);
    }
    EXPECT_LE(take<DeviceAccessAuthorized>(bobs_).size(), 200U);
    wait(std::chrono::minutes{1});
    ask(alice_, bobs_address_);
    EXPECT_EQ(take<DeviceAccessAuthorized>(bobs_).size(), 1U);
}

TEST_F(Pools, OfOneThatIsAskedTooOftenRefuseWhoHasNoConnection) {
    bobs_ = join_bob();
    bobs_address_ = take_one<ClientInit>(bobs_).interface.ipv4;
    alice_ = join_alice();
    for (unsigned i = 0; i < 400; ++i) {
        ask(alice_, bobs_address_);
    }
    EXPECT_TRUE(take<DeviceAccessDenied>(alice_).empty()) << "which would end the connection";

    const auto second = join(of_version(client_request(client_token(), 9), "1.5.12"));
    take_frames(second);
    ask(second, bobs_address_);
    EXPECT_EQ(refusal_of(second), DeviceAccessRefusal::kOffline) << "the same owner's";
}

TEST_F(Pools, AskedForByOneOwnerAllTheTimeAreThereForOthers) {
    let_through();
    for (unsigned i = 0; i < 400; ++i) {
        ask(alice_, bobs_address_);
    }
    take_frames(bobs_);
    const Actor carol{ActorId::random(rng_), ActorType::kServiceAccount, "carol", {}};
    storage_.put(carol);
    storage_.put(Membership{MembershipId::random(rng_), carol.id, group_.id});
    announce_changes();
    const auto token = create_token({.type = TokenType::kClient, .actor = carol.id});
    const auto carols = join(of_version(client_request(token, 7), "1.5.12"));

    ask(carols, bobs_address_);

    EXPECT_EQ(take<DeviceAccessAuthorized>(bobs_).size(), 1U);
}

TEST_F(Pools, ThatExpireAreTakenBackFromADeviceWithASlowClock) {
    bobs_ = join_bob();
    bobs_address_ = take_one<ClientInit>(bobs_).interface.ipv4;
    alice_ = join_alice("1.5.12", wall_seconds() + std::chrono::hours{1});
    ask(alice_, bobs_address_);
    ASSERT_EQ(take<DeviceAccessAuthorized>(bobs_).size(), 1U);

    wait(std::chrono::hours{1} + std::chrono::minutes{2});

    EXPECT_EQ(take_one<RejectAccess>(bobs_).resource_id, pool_.id);
}

}  // namespace
}  // namespace culvert::portal
