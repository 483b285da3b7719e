// Rules about hosts without traffic.

#include "tests/model/wire/checker_fixture.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

/// A connection with two pairs, of which one is nominated, that has just become idle.
class IdleRulesTest : public CheckerTest {
protected:
    IdleRulesTest() {
        tell(kClient, portal_api::ToClient{portal_api::GatewayIceCandidates{GatewayId{kGatewayId}, {second_line()}}});
        sleep(kFaultAftermath);
        connect();
        check();
        shake_hands();
        submit(60);
        client_to_gateway(data(kGatewayIndex, 1, 60));
        sleep(25s);
        check();
    }

    /// Both pairs, the first of which is nominated.
    void check() {
        client_to_gateway(client_check(++transaction_, true));
        send(kClient, client_address, second_address, client_check(++transaction_));
    }
    static std::string second_line() { return "candidate:2 1 udp 2130706175 198.18.0.7 52625 typ host ufrag gate"; }

    static constexpr auto kFaultAftermath = 61s;
    const net::SocketAddress second_address = *net::SocketAddress::parse("198.18.0.7:52625");
    std::uint8_t transaction_ = 100;
};

TEST_F(IdleRulesTest, AcceptChecksEvery25Seconds) {
    sleep(25s);
    check();
    sleep(25s);
    check();

    expect_conforming();
}

TEST_F(IdleRulesTest, RejectChecksThatGoOnAsBefore) {
    sleep(1500ms);
    check();

    const auto found = violations();
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.front(), "RES-1 a pair of an idle connection is checked too often");
}

TEST_F(IdleRulesTest, AcceptFastChecksAgainOnceThereIsTraffic) {
    submit(60);
    sleep(1500ms);
    check();
    sleep(1500ms);
    check();

    expect_conforming();
}

TEST_F(IdleRulesTest, AcceptFastChecksAfterANomination) {
    sleep(1500ms);
    send(kClient, client_address, second_address, client_check(++transaction_, true));
    sleep(1500ms);
    check();

    expect_conforming();
}

TEST_F(IdleRulesTest, RejectFastChecksAlsoWhereOnlyTheNominatedPairIsLeft) {
    sleep(25s);
    client_to_gateway(client_check(++transaction_, true));
    sleep(30s);
    for (int i = 0; i < 5; ++i) {
        sleep(1500ms);
        client_to_gateway(client_check(++transaction_, true));
    }

    EXPECT_THAT(violations(), testing::Contains("RES-1 a pair of an idle connection is checked too often"));
}

TEST_F(IdleRulesTest, AcceptPairsThatAFullListFormsAgain) {
    std::vector<std::string> lines;
    for (int port = 1; port <= 100; ++port) {
        lines.push_back("candidate:2 1 udp 2130706175 198.18.0.7 " + std::to_string(port) + " typ host ufrag gate");
    }
    tell(kClient, portal_api::ToClient{portal_api::GatewayIceCandidates{GatewayId{kGatewayId}, lines}});
    sleep(25s);
    check();
    for (std::uint16_t port = 1; port <= 100; ++port) {
        send(kClient, client_address, {second_address.ip, port}, client_check(++transaction_));
    }
    sleep(1s);
    send(kClient, client_address, {second_address.ip, 1}, client_check(++transaction_));

    expect_conforming();
}

TEST_F(IdleRulesTest, RejectPersistentKeepAlives) {
    sleep(10s);
    client_to_gateway(data(kGatewayIndex, 2));

    expect_violation("RES-1 an idle session is kept alive");
}

TEST_F(IdleRulesTest, AcceptTheKeepAliveThatConfirmsANewSession) {
    sleep(160s);
    shake_hands(kClientIndex + 1, kGatewayIndex + 1);

    expect_conforming();
}

TEST_F(IdleRulesTest, RejectHastyKeepAlivesOfAllocations) {
    allocate();
    sleep(25s);
    client_to_relay(binding(20));
    relay_to_client(binding_success(20));
    sleep(20s);
    client_to_relay(binding(21));

    expect_violation("RES-1 an allocation is kept alive too often");
}

}  // namespace
}  // namespace culvert::model::wire
