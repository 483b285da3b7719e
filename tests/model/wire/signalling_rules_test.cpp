// Rules about what devices tell the portal.

#include "tests/model/wire/checker_fixture.h"

namespace culvert::model::wire {
namespace {

using namespace std::chrono_literals;

class Signalling : public CheckerTest {
protected:
    static constexpr const char* kReflexive =
        "candidate:2 1 udp 1694498559 198.18.0.1 52625 typ srflx raddr 0.0.0.0 rport 0";
    static constexpr const char* kRelayed =
        "candidate:3 1 udp 37748479 203.0.113.1 50000 typ relay raddr 0.0.0.0 rport 0 ufrag clnt";
};

TEST_F(Signalling, MayNameWhatWasLearnt) {
    allocate();
    broadcast({client_line(), kReflexive, kRelayed});

    expect_conforming();
}

TEST_F(Signalling, IsInDescendingPriority) {
    allocate();
    broadcast({kReflexive, client_line()});

    expect_violation("PRO-1 candidates are not in descending priority");
}

TEST_F(Signalling, NamesNoForeignAddresses) {
    broadcast({"candidate:1 1 udp 2130706175 198.18.0.9 52625 typ host ufrag clnt"});
    broadcast({kReflexive});
    broadcast({kRelayed});

    EXPECT_THAT(violations(), testing::ElementsAre("PRO-1 a host candidate is not the host's address",
                                                   "PRO-1 a reflexive candidate is no address that a relay saw",
                                                   "PRO-1 a relay candidate is no address that a relay allocated"));
}

TEST_F(Signalling, CarriesTheSendersUfrag) {
    broadcast({"candidate:1 1 udp 2130706175 198.18.0.1 52625 typ host ufrag gate"});

    expect_violation("PRO-1 a candidate's ufrag is missing, wrong, or on a reflexive one");
}

TEST_F(Signalling, FollowsTheFormulaForPriorities) {
    broadcast({"candidate:1 1 udp 2130706431 198.18.0.1 52625 typ host ufrag clnt"});

    expect_violation("PRO-1 a candidate's priority does not follow from its kind and family");
}

TEST_F(Signalling, DoesNotBringBackWithdrawnCandidates) {
    allocate();
    broadcast({kRelayed});
    withdraw({kRelayed});
    broadcast({kRelayed});

    expect_violation("PRO-1 a withdrawn candidate is signalled again");
}

TEST_F(Signalling, MaySendCandidatesFromBeforeItMoved) {
    observe(HostAttached{kClient, {*net::IpAddress::parse("198.18.7.7")}, Access{}});
    broadcast({client_line()});  // waited for the portal
    expect_conforming();

    sleep(61s);
    broadcast({client_line()});
    expect_violation("PRO-1 a host candidate is not the host's address");
}

TEST_F(Signalling, WithdrawsNoHostCandidates) {
    broadcast({client_line()});
    withdraw({client_line()});

    expect_violation("PRO-1 a host candidate is withdrawn, although the host has not moved");
}

TEST_F(Signalling, WithdrawsWhatItHasMovedAwayFrom) {
    allocate();
    broadcast({client_line(), kReflexive});
    observe(HostAttached{kClient, {*net::IpAddress::parse("198.18.7.7")}, Access{}});
    withdraw({client_line(), kReflexive});
    expect_conforming();
}

TEST_F(Signalling, WithdrawsNoReflexiveCandidates) {
    allocate();
    broadcast({kReflexive});
    withdraw({kReflexive});

    expect_violation("PRO-1 a reflexive candidate is withdrawn, although the host has not moved");
}

TEST_F(Signalling, KeepsOneReflexiveCandidatePerFamilyAndRelay) {
    allocate();
    broadcast({kReflexive});
    broadcast({"candidate:2 1 udp 1694498559 198.18.0.1 4000 typ srflx raddr 0.0.0.0 rport 0"});
    broadcast({client_line()});

    EXPECT_THAT(violations(), testing::Contains("RES-3 more reflexive candidates of one family than relays"));
}

TEST_F(Signalling, AsksForAFlowOnceInTwoSeconds) {
    const portal_api::FromDevice ask = portal_api::FromClient{portal_api::CreateFlow{kResource, {}}};
    say(kClient, ask);
    sleep(2s);
    say(kClient, ask);
    expect_conforming();

    sleep(1900ms);
    say(kClient, ask);
    expect_violation("RES-2 an unanswered request for a flow is repeated within 2 s");
}

TEST_F(Signalling, AsksAgainForWhatEndedWhileTheRequestWasOnItsWay) {
    const portal_api::FromDevice ask = portal_api::FromClient{portal_api::CreateFlow{kResource, {}}};
    sleep(5s);
    tell(kClient, portal_api::ToClient{portal_api::ResourceDeleted{kResource}});
    sleep(20ms);
    say(kClient, ask);
    sleep(100ms);
    say(kClient, ask);

    expect_conforming();
}

}  // namespace
}  // namespace culvert::model::wire
