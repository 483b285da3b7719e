// Rules about datagrams to and from relays.

#include "tests/model/wire/checker_fixture.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

class RelayedTraffic : public CheckerTest {
protected:
    void SetUp() override { sleep(1s); }

    /// A check from the client's relayed address, which has a relayed candidate's priority.
    [[nodiscard]] static Bytes relayed_check() { return make({.priority = 1849687807}); }
};

TEST_F(RelayedTraffic, MayFollowAnAllocationAndABind) {
    allocate();
    bind_channel();
    const auto check = relayed_check();
    client_to_relay(channel_data(check));
    pass(kRelay, kGateway, relayed_address, gateway_address, check);

    expect_conforming();
}

TEST_F(RelayedTraffic, NeedsABindingBeforeAnAllocation) {
    client_to_relay(request(stun_type::kAllocate, 1));

    expect_violation("PRO-1 ALLOCATE before the relay answered a BINDING");
}

TEST_F(RelayedTraffic, NeedsAnAllocationBeforeABind) {
    client_to_relay(binding(10));
    relay_to_client(binding_success(10));
    client_to_relay(request(stun_type::kChannelBind, 11));

    expect_violation("PRO-1 CHANNEL-BIND before there is an allocation");
}

TEST_F(RelayedTraffic, NeedsABoundChannel) {
    allocate();
    client_to_relay(channel_data(client_check()));

    expect_violation("PRO-1 ChannelData on a channel that was not bound");
}

TEST_F(RelayedTraffic, IsNeverPadded) {
    allocate();
    bind_channel();
    auto padded = channel_data(relayed_check());
    padded.push_back(std::byte{0});
    send(kClient, client_address, relay_address, padded);

    expect_violation("PRO-1 the length of ChannelData is not that of the datagram");
}

TEST_F(RelayedTraffic, EndsWithItsChannel) {
    allocate();
    bind_channel();
    sleep(602s);
    send(kClient, client_address, relay_address, channel_data(relayed_check()));

    EXPECT_THAT(violations(), testing::Contains("PRO-1 ChannelData on a channel that has expired"));
}

TEST_F(RelayedTraffic, NamesTheSessionOfItsKey) {
    send(kClient, client_address, relay_address,
         StunWriter{stun_type::kBinding}.add(stun_attribute::kSoftware, "snownet; session=00").done());

    expect_violation("PRO-1 SOFTWARE does not name the session of the sender's key");
}

TEST_F(RelayedTraffic, KeepsTheOrderOfAttributes) {
    using namespace stun_attribute;
    allocate();
    send(kClient, client_address, relay_address,
         StunWriter{stun_type::kChannelBind}
             .add_number(kChannelNumber, 0x4000'0000)
             .add_address(kXorPeerAddress, gateway_address)
             .add(kSoftware, software())
             .add(kUsername, "c")
             .add(kRealm, "firezone")
             .add(kNonce, kNonceText)
             .add_integrity(client_relay_key())
             .done());

    expect_violation("PRO-1 a request to a relay is of no known type, or its attributes are not in order");
}

TEST_F(RelayedTraffic, IsSignedWithTheNewestNonce) {
    allocate();
    client_to_relay(request(stun_type::kChannelBind, 13, "11111111-0000-0000-0000-000000000000"));

    expect_violation("PRO-1 NONCE is not the newest one of this relay");
}

TEST_F(RelayedTraffic, IsSignedWithTheCredentialsOfTheRelay) {
    client_to_relay(binding(10));
    relay_to_client(binding_success(10));
    auto forged = request(stun_type::kAllocate, 11);
    forged.back() ^= std::byte{1};
    send(kClient, client_address, relay_address, forged);

    expect_violation("PRO-1 MESSAGE-INTEGRITY of a request to a relay is wrong");
}

TEST_F(RelayedTraffic, RepeatsABindingAfterASecondUnchanged) {
    send(kClient, client_address, relay_address, binding(10));
    sleep(1s);
    send(kClient, client_address, relay_address, binding(10));
    expect_conforming();

    sleep(1s);
    send(kClient, client_address, relay_address, binding(10));
    expect_violation("PRO-1 a request to a relay is repeated too early");
}

TEST_F(RelayedTraffic, RepeatsABindingWithItsTransactionId) {
    send(kClient, client_address, relay_address, binding(10));
    sleep(1s);
    send(kClient, client_address, relay_address, binding(11));

    expect_violation("PRO-1 a repeated BINDING is not identical");
}

TEST_F(RelayedTraffic, RepeatsOtherRequestsWithANewTransactionId) {
    allocate();
    const auto bind = request(stun_type::kChannelBind, 13, kNonceText);
    client_to_relay(bind);
    sleep(1s);
    client_to_relay(bind);

    expect_violation("PRO-1 a repeated request to a relay has its old transaction id");
}

TEST_F(RelayedTraffic, StopsWhenCredentialsAreRefused) {
    client_to_relay(binding(10));
    relay_to_client(binding_success(10));
    client_to_relay(request(stun_type::kAllocate, 11));
    relay_to_client(error(stun_type::kAllocate, 11, 401, "Unauthorized"));
    client_to_relay(request(stun_type::kAllocate, 12, kNonceText));
    relay_to_client(error(stun_type::kAllocate, 12, 401, "Unauthorized"));
    client_to_relay(request(stun_type::kAllocate, 13, kNonceText));

    EXPECT_THAT(violations(), testing::ElementsAre("PRO-1 a relay answers a request with an error",
                                                   "RES-2 a request with credentials that the relay refused"));
}

TEST_F(RelayedTraffic, MeetsNoErrorWithoutAFault) {
    allocate();
    client_to_relay(request(stun_type::kChannelBind, 13, kNonceText));
    relay_to_client(error(stun_type::kChannelBind, 13, 400, "Bad Request"));

    expect_violation("PRO-1 a relay answers a request with an error");
}

/// The client's credentials last for a minute.
struct ExpiringCredentials : CheckerTest {
    ExpiringCredentials() {
        client_username = "1763000060:salt";
        tell(kClient, portal_api::ToClient{portal_api::RelaysPresence{.connected = {relay_entry(client_username)}}});
        allocate();
    }
    void be_refused() {
        client_to_relay(request(stun_type::kChannelBind, 13, kNonceText));
        relay_to_client(error(stun_type::kChannelBind, 13, 401, "Unauthorized"));
    }
};

TEST_F(ExpiringCredentials, AreRefusedWhenTheyHaveExpired) {
    sleep(61s);
    be_refused();

    expect_conforming();
}

TEST_F(ExpiringCredentials, HoldUntilThen) {
    sleep(56s);
    be_refused();

    expect_violation("PRO-1 a relay answers a request with an error");
}

TEST_F(RelayedTraffic, MayMeetARelayThatForgotAfterAFault) {
    allocate();
    observe(ProcessChanged{RelayNo{1}, ProcessState::kStopped, true});
    observe(ProcessChanged{RelayNo{1}, ProcessState::kRunning});
    client_to_relay(request(stun_type::kChannelBind, 13, kNonceText));
    relay_to_client(error(stun_type::kChannelBind, 13, 437, "Allocation Mismatch"));

    expect_conforming();
}

TEST_F(RelayedTraffic, KeepsAllocationsAlive) {
    allocate();
    sleep(25s);
    expect_conforming();

    sleep(2s);
    expect_violation("PRO-1 no BINDING keeps an allocation alive");
}

/// Of requests with credentials that the client got 3 s after the relay's session began.
class RestartedRelay : public RelayedTraffic {
protected:
    void SetUp() override {
        sleep(3s);
        hand_out("first");
        allocate();
        observe(ProcessChanged{RelayNo{1}, ProcessState::kStopped, true});
        observe(ProcessChanged{RelayNo{1}, ProcessState::kRunning});
    }
    void hand_out(std::string username) {
        client_username = std::move(username);
        tell(kClient, portal_api::ToClient{portal_api::RelaysPresence{.connected = {relay_entry(client_username)}}});
    }
    void be_refused_with_another_secret(std::uint8_t transaction) {
        client_to_relay(request(stun_type::kChannelBind, transaction, kNonceText));
        auto refusal = error(stun_type::kChannelBind, transaction, 438, "Stale Nonce");
        refusal.back() ^= std::byte{1};
        send(kRelay, relay_address, client_address, refusal);
    }
};

TEST_F(RestartedRelay, SignsWithItsNewSecretBeforeThePortalKnowsOfIt) {
    be_refused_with_another_secret(13);

    expect_conforming();
}

TEST_F(RestartedRelay, SignsWithTheCredentialsThatWereHandedOutSince) {
    observe(SessionOpened{RelayNo{1}, kRelayId, {}});
    sleep(3s);
    hand_out("second");
    be_refused_with_another_secret(13);

    EXPECT_THAT(violations(), testing::Contains("PRO-1 MESSAGE-INTEGRITY of a relay's response is wrong"));
}

// --- Relays ---

TEST_F(RelayedTraffic, IsAnsweredOnce) {
    client_to_relay(binding(10));
    relay_to_client(binding_success(10));
    relay_to_client(binding_success(10));

    expect_violation("PRO-1 a relay answers what nobody asked, or answers twice");
}

TEST_F(RelayedTraffic, IsRefusedForLackOfAnAllocationOnlyWhereThereIsNone) {
    allocate();
    observe(FaultChanged{"nat", ClientNo{1}, true});
    observe(FaultChanged{"nat", ClientNo{1}, false});
    client_to_relay(request(stun_type::kChannelBind, 13, kNonceText));
    relay_to_client(error(stun_type::kChannelBind, 13, 437, "Allocation Mismatch"));

    expect_violation("PRO-1 437 contradicts what the relay answered before");
}

TEST_F(RelayedTraffic, IsRefusedASecondAllocationOnlyWhereThereIsAFirst) {
    client_to_relay(binding(10));
    relay_to_client(binding_success(10));
    client_to_relay(request(stun_type::kAllocate, 11));
    relay_to_client(error(stun_type::kAllocate, 11, 437, "Allocation Mismatch"));

    expect_violation("PRO-1 437 contradicts what the relay answered before");
}

TEST_F(RelayedTraffic, HasOneAllocationPerClient) {
    allocate();
    observe(ProcessChanged{ClientNo{1}, ProcessState::kStopped, true});
    observe(ProcessChanged{ClientNo{1}, ProcessState::kRunning});
    client_to_relay(request(stun_type::kAllocate, 20, kNonceText));
    relay_to_client(allocate_success(20));

    EXPECT_THAT(violations(), testing::Contains("PRO-1 success contradicts what the relay answered before"));
}

TEST_F(RelayedTraffic, IsForwardedOnceAndUnchanged) {
    allocate();
    bind_channel();
    const auto check = relayed_check();
    client_to_relay(channel_data(check));
    send(kRelay, relayed_address, gateway_address, check);
    expect_conforming();

    send(kRelay, relayed_address, gateway_address, check);
    expect_violation("PRO-1 a relay forwards what it did not receive, or forwards it twice");
}

TEST_F(RelayedTraffic, LeavesFromAllocatedPortsOnly) {
    send(kRelay, relayed_address, gateway_address, client_check());

    expect_violation("PRO-1 a relay sends from a port that no allocation has");
}

TEST_F(RelayedTraffic, IsAnsweredWithAttributesInOrder) {
    using namespace stun_attribute;
    client_to_relay(binding(10));
    send(kRelay, relay_address, client_address,
         StunWriter{stun_type::kBinding | stun_type::kSuccess, 10}
             .add_address(kXorMappedAddress, client_address)
             .add(kSoftware, "firezone-relay; rev=xxxx")
             .done());

    expect_violation("PRO-1 attributes of a relay's success are not those of the specification, in order");
}

TEST_F(RelayedTraffic, IsRefusedWithTheReasonOfItsCode) {
    client_to_relay(binding(10));
    relay_to_client(binding_success(10));
    client_to_relay(request(stun_type::kAllocate, 11));
    send(kRelay, relay_address, client_address, error(stun_type::kAllocate, 11, 401, "Unauthorised"));

    expect_violation("PRO-1 an error of a relay has an unknown code or the wrong reason");
}

}  // namespace
}  // namespace culvert::model::wire
