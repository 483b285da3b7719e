// Rules about datagrams between peers: connectivity checks and WireGuard.

#include "tests/model/wire/checker_fixture.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

using PeerRules = CheckerTest;

/// The client's datagrams wait in queues before they leave.
struct QueuedPeerRules : CheckerTest {
    QueuedPeerRules() : CheckerTest{Driver::kEventLoop} {}

    void replace_grant() {
        auto flow = flow_created();
        flow.client_ice_credentials.username = "new1";
        tell(kClient, portal_api::ToClient{flow});
    }
    void withdraw_relay() {
        tell(kClient, portal_api::ToClient{portal_api::RelaysPresence{.disconnected_ids = {RelayId{kRelayId}}}});
    }
};

// --- Any datagram ---

TEST_F(PeerRules, AcceptAConnectionThatFollowsThem) {
    connect();
    shake_hands();
    submit(60);
    client_to_gateway(data(kGatewayIndex, 1, 60));
    gateway_to_client(data(kClientIndex, 0, 60));

    expect_conforming();
}

TEST_F(PeerRules, RejectForeignSourceAddresses) {
    send(kClient, *net::SocketAddress::parse("198.18.0.9:52625"), gateway_address, client_check());

    expect_violation("PRO-1 a datagram is sent from an address that the host does not have");
}

TEST_F(PeerRules, RejectWhatIsNoKnownProtocol) {
    send(kClient, client_address, gateway_address, Bytes(60, std::byte{0x99}));

    expect_violation("PRO-1 a datagram is neither STUN nor ChannelData nor WireGuard");
}

TEST_F(PeerRules, RejectLongDatagrams) {
    send(kClient, client_address, gateway_address, Bytes(1317, std::byte{4}));

    expect_violation("PRO-1 a datagram is longer than any may be");
}

// --- Connectivity checks ---

TEST_F(PeerRules, RejectNominationByTheControlledSide) {
    send(kGateway, gateway_address, client_address, gateway_check(2, true));

    expect_violation("PRO-1 attributes of a connectivity check are not those of the sender's role, in order");
}

TEST_F(PeerRules, RejectChecksOfAFormerGrant) {
    auto flow = flow_created();
    flow.client_ice_credentials.username = "new1";
    tell(kClient, portal_api::ToClient{flow});
    send(kClient, client_address, gateway_address, client_check());  // written before
    sleep(1ms);
    send(kClient, client_address, gateway_address, client_check(2));

    expect_violation("PRO-1 USERNAME of a connectivity check is not one that the portal gave out");
}

TEST_F(QueuedPeerRules, AcceptWhatWasInAQueueWhenItsGrantEnded) {
    replace_grant();
    sleep(5ms);
    send(kClient, client_address, gateway_address, client_check());

    expect_conforming();
}

TEST_F(QueuedPeerRules, RejectChecksOfAGrantThatEndedLongAgo) {
    replace_grant();
    sleep(51ms);
    send(kClient, client_address, gateway_address, client_check());

    expect_violation("PRO-1 USERNAME of a connectivity check is not one that the portal gave out");
}

TEST_F(QueuedPeerRules, AcceptWhatWasInAQueueWhenItsRelayWasWithdrawn) {
    allocate();
    bind_channel();
    withdraw_relay();
    sleep(5ms);
    send(kClient, client_address, relay_address, channel_data(client_check()));

    expect_conforming();
}

TEST_F(QueuedPeerRules, RejectDatagramsToARelayThatWasWithdrawnLongAgo) {
    allocate();
    bind_channel();
    withdraw_relay();
    sleep(51ms);
    send(kClient, client_address, relay_address, channel_data(client_check()));

    expect_violation("PRO-1 ChannelData to an address that is no relay of the sender's");
}

TEST_F(PeerRules, RejectChecksWithTheAttributesOfTheOtherRole) {
    send(kClient, client_address, gateway_address, make({.role = stun_attribute::kIceControlled}));

    expect_violation("PRO-1 attributes of a connectivity check are not those of the sender's role, in order");
}

TEST_F(PeerRules, RejectChecksWithAHostCandidatesPriority) {
    send(kClient, client_address, gateway_address, make({.priority = 2130706175}));

    expect_violation("PRO-1 PRIORITY of a connectivity check is not that of a peer-reflexive candidate");
}

TEST_F(PeerRules, RejectChecksSignedWithTheSendersPassword) {
    send(kClient, client_address, gateway_address, make({.password = client_ice.password}));

    expect_violation("PRO-1 MESSAGE-INTEGRITY of a connectivity check is not made with the receiver's password");
}

TEST_F(PeerRules, RejectWrongFingerprints) {
    auto check = client_check();
    check.back() ^= std::byte{1};
    send(kClient, client_address, gateway_address, check);

    expect_violation("PRO-1 FINGERPRINT is wrong");
}

TEST_F(PeerRules, RejectChecksToStrangers) {
    const auto stranger = *net::SocketAddress::parse("198.18.0.77:52625");
    send(kGateway, gateway_address, stranger, gateway_check());
    send(kClient, client_address, stranger, client_check());

    EXPECT_THAT(violations(),
                testing::ElementsAre("SEC-5 connectivity check to an address that is no candidate of the peer",
                                     "PRO-1 connectivity check to an address that is no candidate of the peer"));
}

TEST_F(PeerRules, AllowChecksOfOptimisticCandidates) {
    tell(kClient, portal_api::ToClient{portal_api::GatewayIceCandidates{
                      GatewayId{kGatewayId},
                      {"candidate:2 1 udp 1694498559 198.18.0.50 40000 typ srflx raddr 0.0.0.0 rport 0"}}});
    send(kClient, client_address, *net::SocketAddress::parse("198.18.0.50:52625"), client_check());

    expect_conforming();
}

TEST_F(PeerRules, RejectRepeatedTransactionIds) {
    client_to_gateway(client_check(1));
    sleep(250ms);
    client_to_gateway(client_check(1));

    expect_violation("PRO-1 a connectivity check repeats a transaction id");
}

TEST_F(PeerRules, RejectChecksThatNeverSlowDown) {
    for (std::uint8_t i = 0; i < 13; ++i) {
        client_to_gateway(client_check(i));
        sleep(500ms);
    }

    expect_violation("PRO-1 a pair is checked too often");
}

TEST_F(PeerRules, CountTheChecksOfEachNewConnection) {
    for (std::uint8_t i = 0; i < 26; ++i) {
        client_to_gateway(client_check(i, false, static_cast<std::byte>(i / 7)));
        sleep(500ms);
    }

    expect_conforming();
}

TEST_F(PeerRules, RejectConnectionsMadeAnewAgainAndAgain) {
    for (std::uint8_t i = 0; i < 9; ++i) {
        client_to_gateway(client_check(i, false, std::byte{i}));
        sleep(1s);
    }

    expect_violation("PRO-1 a connection is made anew again and again");
}

TEST_F(PeerRules, AllowMoreChecksWhereAnswersTakeLong) {
    for (std::uint8_t i = 0; i < 28; i += 2) {
        client_to_gateway(client_check(i));
        sleep(250ms);
        client_to_gateway(client_check(i + 1));
        sleep(700ms);
        gateway_to_client(answer(client_address, gateway_ice.password, i));
        gateway_to_client(answer(client_address, gateway_ice.password, i + 1));
    }

    expect_conforming();
}

TEST_F(PeerRules, AllowChecksThatSlowDown) {
    Duration pause = 250ms;
    for (std::uint8_t i = 0; i < 12; ++i) {  // then it is idle
        client_to_gateway(client_check(i));
        sleep(pause);
        pause = std::min<Duration>(2 * pause, 1500ms);
    }

    expect_conforming();
}

TEST_F(PeerRules, RejectAnswersThatNobodyAskedForAndSecondOnes) {
    const auto reply = answer(client_address, gateway_ice.password, 1);
    send(kGateway, gateway_address, client_address, reply);
    client_to_gateway(client_check(1));
    send(kGateway, gateway_address, client_address, reply);
    send(kGateway, gateway_address, client_address, reply);

    EXPECT_EQ(violations().size(), 2U);
    EXPECT_THAT(violations(),
                testing::Each("PRO-1 an answer to a connectivity check that nobody sent, or a second one"));
}

TEST_F(PeerRules, RejectAnswersWithAnotherMappedAddress) {
    client_to_gateway(client_check(1));
    send(kGateway, gateway_address, client_address, answer(gateway_address, gateway_ice.password, 1));

    expect_violation("PRO-1 XOR-MAPPED-ADDRESS of a check's answer is not where it is sent to");
}

TEST_F(PeerRules, RejectNominationsWithoutEnd) {
    for (std::uint16_t port = 1000; port < 1020; ++port) {
        const auto candidate = "candidate:1 1 udp 2130706175 198.18.0.2 1000 typ host ufrag gate";
        tell(kClient, portal_api::ToClient{portal_api::GatewayIceCandidates{GatewayId{kGatewayId}, {candidate}}});
        const auto reflexive = net::SocketAddress{gateway_address.ip, port};
        receive(kClient, reflexive, client_address, gateway_check(static_cast<std::uint8_t>(port)));
        send(kClient, client_address, reflexive, client_check(static_cast<std::uint8_t>(port), true));
    }

    EXPECT_THAT(violations(), testing::Each("STA-3 pairs are nominated again and again"));
    EXPECT_FALSE(violations().empty());
}

// --- WireGuard ---

TEST_F(PeerRules, RejectHandshakesForStrangers) {
    connect();
    send(kClient, client_address, gateway_address, initiation(kClientIndex, client_keys.public_key()));

    expect_violation("PRO-1 MAC1 of a handshake initiation is for none of the sender's peers");
}

TEST_F(PeerRules, RejectGatewaysThatInitiate) {
    connect();
    send(kGateway, gateway_address, client_address, initiation(kGatewayIndex, client_keys.public_key()));

    expect_violation("SEC-5 a gateway initiates a handshake");
}

TEST_F(PeerRules, TolerateGatewaysThatInitiateAfterAFault) {
    connect();
    observe(FaultChanged{"link", GatewayNo{1}, true});
    send(kGateway, gateway_address, client_address, initiation(kGatewayIndex, client_keys.public_key()));

    expect_conforming();
}

TEST_F(PeerRules, TolerateGatewaysThatInitiateUntilTheirSessionIsConfirmed) {
    connect();
    client_to_gateway(initiation(kClientIndex, gateway_keys.public_key()));
    gateway_to_client(response(kGatewayIndex, kClientIndex));
    send(kGateway, gateway_address, client_address, initiation(kGatewayIndex + 1, client_keys.public_key()));
    expect_conforming();

    sleep(5s);
    client_to_gateway(data(kGatewayIndex, 0));
    send(kGateway, gateway_address, client_address, initiation(kGatewayIndex + 2, client_keys.public_key()));
    EXPECT_THAT(violations(), testing::Contains("SEC-5 a gateway initiates a handshake"));
}

TEST_F(PeerRules, RejectWireGuardToUnauthenticatedEnds) {
    client_to_gateway(initiation(kClientIndex, gateway_keys.public_key()));
    gateway_to_client(response(kGatewayIndex, kClientIndex));

    EXPECT_THAT(violations(),
                testing::ElementsAre("PRO-1 a client sends WireGuard to an address that answered no check",
                                     "SEC-5 a gateway sends WireGuard to an address that has not authenticated"));
}

TEST_F(PeerRules, RejectHastyHandshakes) {
    connect();
    client_to_gateway(initiation(kClientIndex, gateway_keys.public_key()));
    sleep(4900ms);
    client_to_gateway(initiation(kClientIndex + 1, gateway_keys.public_key()));

    expect_violation("PRO-1 an unanswered handshake initiation is repeated in less than 5 s");
}

TEST_F(PeerRules, AllowHastyHandshakesOfWhoHasMoved) {
    connect();
    client_to_gateway(initiation(kClientIndex, gateway_keys.public_key()));
    observe(HostAttached{kClient, {client_address.ip}, Access{}});
    sleep(2s);
    client_to_gateway(initiation(kClientIndex + 1, gateway_keys.public_key()));
    expect_conforming();

    sleep(4900ms);
    client_to_gateway(initiation(kClientIndex + 2, gateway_keys.public_key()));
    expect_violation("PRO-1 an unanswered handshake initiation is repeated in less than 5 s");
}

TEST_F(PeerRules, AllowHandshakesAfterFiveSecondsAndAfterTwoMinutes) {
    connect();
    client_to_gateway(initiation(kClientIndex, gateway_keys.public_key()));
    sleep(5s);
    shake_hands(kClientIndex + 1);
    sleep(120s);
    shake_hands(kClientIndex + 2, kGatewayIndex + 1);

    expect_conforming();
}

TEST_F(PeerRules, RejectHandshakesOfYoungSessions) {
    connect();
    sleep(1s);
    shake_hands();
    sleep(60s);
    shake_hands(kClientIndex + 1, kGatewayIndex + 1);

    expect_violation("PRO-1 a new handshake although the session is young and the path is the same");
}

TEST_F(PeerRules, AllowHandshakesWhenTheFlowIsGrantedAgain) {
    connect();
    shake_hands();
    sleep(60s);
    tell(kClient, portal_api::ToClient{flow_created()});
    shake_hands(kClientIndex + 1, kGatewayIndex + 1);

    expect_conforming();
}

TEST_F(PeerRules, AllowHandshakesWhenThePeerIsSilentForFifteenSeconds) {
    connect();
    sleep(1s);
    shake_hands();
    submit(60);
    client_to_gateway(data(kGatewayIndex, 1, 60));
    sleep(15s);
    client_to_gateway(initiation(kClientIndex + 1, gateway_keys.public_key()));

    expect_conforming();
}

TEST_F(PeerRules, RejectHandshakesWhenThePeerHasAnswered) {
    connect();
    sleep(1s);
    shake_hands();
    submit(60);
    client_to_gateway(data(kGatewayIndex, 1, 60));
    gateway_to_client(data(kClientIndex, 0));
    sleep(15s);
    client_to_gateway(initiation(kClientIndex + 1, gateway_keys.public_key()));

    expect_violation("PRO-1 a new handshake although the session is young and the path is the same");
}

TEST_F(PeerRules, RejectResponsesWithoutInitiation) {
    connect();
    send(kGateway, gateway_address, client_address, response(kGatewayIndex, 77));

    expect_violation("PRO-1 a handshake response to an initiation that was not received");
}

TEST_F(PeerRules, RejectSecondResponses) {
    connect();
    shake_hands();
    gateway_to_client(response(kGatewayIndex + 1, kClientIndex));

    expect_violation("PRO-1 a second handshake response to one initiation");
}

TEST_F(PeerRules, RejectCookiesInQuietTimes) {
    connect();
    Bytes cookie(64);
    cookie[0] = std::byte{3};
    send(kGateway, gateway_address, client_address, cookie);

    expect_violation("PRO-1 a cookie reply although few handshake messages arrived");
}

TEST_F(PeerRules, RejectUnknownReceiverIndices) {
    connect();
    send(kClient, client_address, gateway_address, data(kGatewayIndex, 0));

    expect_violation("PRO-1 data for a receiver index that no peer announced");
}

TEST_F(PeerRules, RejectRepeatedNonces) {
    connect();
    shake_hands();
    submit(60);
    client_to_gateway(data(kGatewayIndex, 5, 60));
    client_to_gateway(data(kGatewayIndex, 5, 60));

    expect_violation("SEC-8 a WireGuard nonce repeats or goes back");
}

TEST_F(PeerRules, RejectRespondersThatSpeakFirst) {
    connect();
    client_to_gateway(initiation(kClientIndex, gateway_keys.public_key()));
    gateway_to_client(response(kGatewayIndex, kClientIndex));
    gateway_to_client(data(kClientIndex, 0));

    expect_violation("PRO-1 a responder sends data before the initiator did");
}

TEST_F(PeerRules, RejectDataOnOldSessions) {
    connect();
    shake_hands();
    sleep(171s);
    submit(60);
    client_to_gateway(data(kGatewayIndex, 1, 60));
    expect_conforming();

    sleep(100ms);
    client_to_gateway(data(kGatewayIndex, 2, 60));
    expect_violation("PRO-1 data on a session that is too old to be used");
}

TEST_F(PeerRules, RejectPaddedPackets) {
    connect();
    shake_hands();
    submit(60);
    client_to_gateway(data(kGatewayIndex, 1, 64));

    expect_violation("PRO-1 a data message is as long as no packet of the sender's applications");
}

TEST_F(PeerRules, RejectEcnOnControlMessages) {
    connect();
    send(kClient, client_address, gateway_address, initiation(kClientIndex, gateway_keys.public_key()),
         net::Ecn::kEct0);
    send(kClient, client_address, gateway_address, client_check(3), net::Ecn::kEct0);

    EXPECT_THAT(violations(), testing::ElementsAre("PRO-1 a WireGuard message without a packet is sent with ECN",
                                                   "PRO-1 STUN is sent with ECN"));
}

}  // namespace
}  // namespace culvert::model::wire
