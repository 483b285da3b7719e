#include "culvert/portal/control_plane_fixture.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class Devices : public ControlPlaneTest {
protected:
    void restart(const Limits& limits) { portal_.emplace(storage_, Rng::from_number(3), now_, limits); }
    void heartbeat(const Device& device) {
        send_text(device, R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})");
    }
    ConnectRequest with_key(const ConnectRequest& request, std::uint64_t key) {
        return with(request, "public_key", key_text(key));
    }
};

TEST_F(Devices, OfOneActorAreLimited) {
    restart({.devices_per_owner = 3});
    const auto token = client_token();
    for (std::uint64_t i = 1; i <= 3; ++i) {
        EXPECT_EQ(refusal(client_request(token, i)), 0U);
    }
    EXPECT_EQ(refusal(client_request(token, 4)), 503U);
    EXPECT_EQ(refusal(client_request(client_token(), 4)), 503U) << "another token of the same actor";
    EXPECT_EQ(refusal(client_request(token, 2)), 0U) << "it is known";
    EXPECT_EQ(refusal(gateway_request(gateway_token())), 0U);
}

TEST_F(Devices, ConnectionsWithOneTokenAreLimited) {
    restart({.sessions_per_token = 2});
    const auto token = client_token();
    const auto first = connect(client_request(token, 1));
    connect(client_request(token, 2));
    EXPECT_EQ(refusal(client_request(token, 3)), 503U);
    EXPECT_EQ(refusal(client_request(client_token(), 3)), 0U);

    disconnect(first);
    EXPECT_EQ(refusal(client_request(token, 1)), 0U);
}

TEST_F(Devices, ConnectTooOftenWithTheTokensOfOneActor) {
    const auto token = client_token();
    unsigned admitted = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto session = portal_->connect(client_request(token), now_, wall());
        if (session) {
            ++admitted;
            portal_->disconnect(*session, now_);
        } else {
            EXPECT_EQ(session.error().status, 503U);
            EXPECT_TRUE(session.error().retry_after);
        }
    }
    EXPECT_EQ(admitted, kConnects.burst);
    EXPECT_EQ(refusal(gateway_request(gateway_token())), 0U) << "somebody else";
    now_ += seconds{1};
    EXPECT_EQ(refusal(client_request(token)), 0U);
}

TEST_F(Devices, ThatAreTurnedAwayAreToldDifferentTimes) {
    const auto token = client_token();
    std::map<std::chrono::seconds, unsigned> told;
    for (int i = 0; i < 2000; ++i) {
        const auto session = portal_->connect(client_request(token), now_, wall());
        if (session) {
            portal_->disconnect(*session, now_);
        } else {
            ++told[session.error().retry_after.value()];
        }
    }
    EXPECT_GE(told.size(), 25U);
    for (const auto& [wait, devices] : told) {
        EXPECT_LE(devices, kConnects.per_second + 1) << wait.count() << " s";
    }

    told.clear();
    now_ += hours{1};
    for (int i = 0; i < 100; ++i) {
        storage_.calls_until_failure = 0;
        const auto session = portal_->connect(client_request(token), now_, wall());
        ASSERT_FALSE(session);
        EXPECT_EQ(session.error().code, "unavailable");
        ++told[session.error().retry_after.value()];
    }
    EXPECT_EQ(told.size(), 5U);
}

TEST_F(Devices, SayNoMoreOfTheirVersionThanOthersNeedToHear) {
    const auto token = client_token();
    const auto with_version = [&](const std::string& version) {
        auto request = client_request(token);
        request.user_agent = "Ubuntu/24.4.0 headless-client/" + version + " (x86_64)";
        return request;
    };
    const std::string longest = "1.5.12-" + std::string(kMaxVersionCharacters - 7, 'a');
    EXPECT_EQ(refusal(with_version(longest)), 0U);
    EXPECT_EQ(refusal(with_version(longest + "a")), 400U);
    EXPECT_EQ(refusal(with_version("1.5.12;x")), 400U);
    EXPECT_EQ(refusal(with_version("1.5")), 400U);
}

/// One transaction at a time: whoever exceeds a limit must not make all others wait for his.
TEST_F(Devices, BeyondALimitDoNotLockTheDatabase) {
    restart({.sessions_per_token = 1});
    const auto token = client_token();
    const auto gateway_text = gateway_token();
    const auto relay_text = relay_token();
    connect(client_request(token));
    connect(gateway_request(gateway_text));
    connect(relay_request(relay_text));
    const auto before = storage_.transactions;

    EXPECT_EQ(refusal(client_request(token, 2)), 503U);
    EXPECT_EQ(refusal(gateway_request(gateway_text)), 503U);
    EXPECT_EQ(refusal(relay_request(relay_text)), 503U);
    EXPECT_EQ(refusal(with(client_request(client_token()), "public_key", "none")), 400U);
    EXPECT_EQ(storage_.transactions, before);

    restart({});
    join(with_key(client_request(token), 1));
    join(with_key(client_request(token), 2));
    while (refusal(relay_request(relay_text)) == 0) {
    }
    const auto later = storage_.transactions;
    EXPECT_EQ(refusal(with_key(client_request(token), 1)), 503U) << "there may be two machines";
    EXPECT_EQ(refusal(relay_request(relay_text)), 503U) << "too often";
    EXPECT_EQ(storage_.transactions, later);
}

TEST_F(Devices, AreForgottenWhenTheyAreNotSeenForLongButNeverWhileTheyAreConnected) {
    restart({.forget_devices_after = days{7}});
    const auto connected = join(client_request(client_token(), 1));
    const auto gateway = join(gateway_request(gateway_token()));
    const auto visit = [&] {
        const auto device = join(client_request(client_token(), 2));
        const auto interface = take_one<ClientInit>(device).interface;
        disconnect(device);
        return interface;
    };
    const auto before = visit();
    wait_coarsely(days{6});
    EXPECT_EQ(visit(), before);
    wait_coarsely(days{8});
    EXPECT_NE(visit().ipv4, before.ipv4);

    EXPECT_FALSE(is_closed(connected));
    EXPECT_FALSE(is_closed(gateway));
}

TEST_F(Devices, ThatComeBackTakeThePlaceOfTheirOldConnection) {
    const auto token = client_token();
    const auto old = join(client_request(token));
    const auto same_process = join(client_request(token));
    EXPECT_TRUE(is_closed(old));
    const auto after_reset = join(with_key(client_request(token), 50));
    EXPECT_TRUE(is_closed(same_process));
    const auto after_another = join(with_key(client_request(token), 51));
    EXPECT_TRUE(is_closed(after_reset));
    EXPECT_FALSE(is_closed(after_another));
}

/// A process that lost its network often leaves connections behind, and makes itself a new key each time.
TEST_F(Devices, ThatFlapAreNeverTakenForTwo) {
    const auto token = client_token();
    for (std::uint64_t i = 0; i < 200; ++i) {
        join(with_key(client_request(token), 100 + i / 3));
        now_ += seconds{i % 7};
    }
    EXPECT_EQ(refusal(with_key(client_request(token), 999)), 0U);
}

TEST_F(Devices, TwoMachinesWithOneIdDoNotFight) {
    const auto token = client_token();
    const auto original = join(with_key(client_request(token), 1));
    const auto copy = join(with_key(client_request(token), 2));
    EXPECT_TRUE(is_closed(original));

    // The original comes back at once, as devices do. It may be what remains of a machine, so nothing is certain.
    EXPECT_EQ(refusal(with_key(client_request(token), 1)), 503U);
    now_ += seconds{10};
    heartbeat(copy);
    // Both are there.
    EXPECT_EQ(refusal(with_key(client_request(token), 1)), 409U);
    EXPECT_FALSE(is_closed(copy));
    // Started again by its supervisor, it has another key.
    now_ += seconds{5};
    EXPECT_EQ(refusal(with_key(client_request(token), 3)), 503U);
    for (int i = 0; i < 100; ++i) {
        now_ += seconds{29};
        heartbeat(copy);
        EXPECT_EQ(refusal(with_key(client_request(token), 4)), 503U);
    }
    EXPECT_FALSE(is_closed(copy));

    disconnect(copy);
    EXPECT_EQ(refusal(with_key(client_request(token), 4)), 0U) << "the other one is gone";
}

TEST_F(Devices, AMachineIsNotKeptOutByItsOwnOldConnection) {
    const auto token = client_token();
    join(with_key(client_request(token), 1));
    const auto frozen = join(with_key(client_request(token), 2));
    // A virtual machine went back to a snapshot: an old key, and nobody behind the newer connection.
    EXPECT_EQ(refusal(with_key(client_request(token), 1)), 503U);
    now_ += seconds{40};
    EXPECT_EQ(refusal(with_key(client_request(token), 1)), 503U);
    now_ += seconds{6};
    join(with_key(client_request(token), 1));
    EXPECT_TRUE(is_closed(frozen));
}

TEST_F(Devices, ThatSendAtFullSpeedAreReadSlowly) {
    const auto client = join(client_request(client_token()));
    const auto text = encode_heartbeat(1);
    Duration pause{};
    for (std::uint32_t i = 0; i < 2 * kClientFrames.session.burst; ++i) {
        pause = portal_->handle_frame(client.session, text, now_, wall());
    }
    EXPECT_GT(pause, seconds{5});
    now_ += pause + seconds{60};
    EXPECT_EQ(portal_->handle_frame(client.session, text, now_, wall()), Duration{});
}

TEST_F(Devices, ThatSendLongFramesAreReadAsIfTheyWereMany) {
    const auto client = join(client_request(client_token()));
    auto text = encode_heartbeat(1);
    text.resize(portal_api::max_device_frame_size(portal_api::Role::kClient), ' ');
    now_ += seconds{60};
    Duration pause{};
    for (std::uint32_t i = 0; i < kClientFrames.session.burst / 16; ++i) {
        pause = portal_->handle_frame(client.session, text, now_, wall());
        EXPECT_EQ(pause, Duration{}) << i;
    }
    pause = portal_->handle_frame(client.session, text, now_, wall());
    EXPECT_GT(pause, Duration{}) << "16 times 4 KiB";
    EXPECT_LT(pause, seconds{1});
    EXPECT_FALSE(is_closed(client));
}

TEST_F(Devices, OfACrowdedOwnerAreToldToComeBackLater) {
    const auto token = client_token();
    const auto gateway = gateway_request(gateway_token());
    const auto known = join(client_request(token, 1));
    const auto is_crowded = [&](const Uuid& owner) { return owner == actor_.id.uuid(); };

    const auto refused = portal_->connect(client_request(token, 2), now_, wall(), is_crowded);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 503U);
    EXPECT_TRUE(refused.error().retry_after);
    EXPECT_TRUE(portal_->connect(gateway, now_, wall(), is_crowded)) << "another owner";
    EXPECT_FALSE(is_closed(known));
}

TEST_F(Devices, OfOneActorShareWhatIsReadOfThem) {
    const auto token = client_token();
    std::vector<Device> clients;
    for (std::uint64_t i = 0; i < 50; ++i) {
        clients.push_back(join(client_request(token, i)));
    }
    const auto gateway = join(gateway_request(gateway_token()));
    const auto text = encode_heartbeat(1);
    Duration pause{};
    for (std::uint32_t i = 0; i < 200; ++i) {
        for (const auto& client : clients) {
            pause = std::max(pause, portal_->handle_frame(client.session, text, now_, wall()));
        }
    }
    EXPECT_EQ(pause, kLongestOwnerPause) << "each alone is slow enough, and a heartbeat still gets through";
    EXPECT_EQ(portal_->handle_frame(gateway.session, text, now_, wall()), Duration{});
}

TEST_F(Devices, AskAGatewayNoMoreOftenThanItCanBear) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    for (int i = 0; i < 5000; ++i) {
        send(client, FromClient{CreateFlow{resource_.id, {}}});
    }
    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), kFlows.burst);
    now_ += seconds{1};
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
    EXPECT_FALSE(is_closed(gateway));
}

TEST_F(Devices, ThatDoNotReadAreSpared) {
    const auto gateway = join(gateway_request(gateway_token(), 1));
    const auto client = join(client_request(client_token()));
    portal_->set_congested(gateway.session, true);
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_TRUE(take<AuthorizeFlow>(gateway).empty());
    EXPECT_EQ(take_one<FlowCreationFailed>(client).reason, FlowFailure::kOffline);

    portal_->set_congested(gateway.session, false);
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    EXPECT_EQ(take<AuthorizeFlow>(gateway).size(), 1U);
}

TEST_F(Devices, ThatJoinOverAndOverAreClosed) {
    const auto client = connect(client_request(client_token()));
    for (std::uint32_t i = 0; i < kJoins.burst; ++i) {
        join(client);
    }
    EXPECT_FALSE(is_closed(client));
    join(client);
    EXPECT_TRUE(is_closed(client));
}

}  // namespace
}  // namespace culvert::portal
