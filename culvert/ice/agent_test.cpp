#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/ice/agent_network_test.h"
#include "culvert/stun/message_builder.h"

namespace culvert::ice {
namespace {

using namespace std::chrono_literals;

Agent client_agent() {
    return {AgentRole::kControlling, kClientCredentials, kGatewayCredentials, 7, Rng::from_number(1)};
}

bool has_remote(const Agent& agent, std::string_view text) {
    return std::ranges::any_of(agent.remote_candidates(), [&](const Candidate& candidate) {
        return candidate.kind == CandidateKind::kServerReflexive && candidate.address == address(text);
    });
}

int times_nominated(const std::vector<Nominated>& all, const Nominated& one) {
    return static_cast<int>(std::ranges::count(all, one));
}

TEST(AgentCandidates, GuessesTheForwardedPortOfAnIpv4Host) {
    auto agent = client_agent();
    agent.add_remote_candidate(host("10.0.0.1:52625"), {});
    agent.add_remote_candidate(reflexive("1.1.1.1:40000"), {});
    agent.generate_optimistic_candidates({});
    EXPECT_TRUE(has_remote(agent, "1.1.1.1:52625"));
}

TEST(AgentCandidates, GuessesNothingForIpv6) {
    auto agent = client_agent();
    agent.add_remote_candidate(host("[2001:db8::1]:52625"), {});
    agent.add_remote_candidate(reflexive("[2001:db8::2]:40000"), {});
    agent.generate_optimistic_candidates({});
    EXPECT_EQ(agent.remote_candidates().size(), 2U);
}

TEST(AgentCandidates, GuessesTwoPerStep) {
    auto agent = client_agent();
    agent.add_remote_candidate(host("10.0.0.1:52625"), {});
    for (const auto* text : {"1.1.1.1:40000", "1.1.1.2:40000", "1.1.1.3:40000"}) {
        agent.add_remote_candidate(reflexive(text), {});
    }
    agent.generate_optimistic_candidates({});
    EXPECT_TRUE(has_remote(agent, "1.1.1.1:52625"));
    EXPECT_TRUE(has_remote(agent, "1.1.1.2:52625"));
    EXPECT_FALSE(has_remote(agent, "1.1.1.3:52625"));
}

TEST(AgentCandidates, GuessesNothingFromMoreThanAnHonestPeerHas) {
    auto agent = client_agent();
    for (int i = 1; i <= 17; ++i) {
        agent.add_remote_candidate(host("10.0.0.1:" + std::to_string(i)), {});
        agent.add_remote_candidate(reflexive("1.1.1.1:" + std::to_string(100 + i)), {});
    }
    agent.generate_optimistic_candidates({});
    EXPECT_EQ(agent.remote_candidates().size(), 34U);
}

TEST(AgentCandidates, AreInUseOnlyWhileChecked) {
    auto agent = client_agent();
    agent.add_remote_candidate(host("10.0.0.2:1"), {});
    EXPECT_FALSE(agent.is_in_use(host("10.0.0.2:1"))) << "there is nothing to check it from";
    agent.add_local_candidate(host("10.0.0.1:1"), {});
    EXPECT_TRUE(agent.is_in_use(host("10.0.0.2:1")));
    EXPECT_FALSE(agent.is_in_use(reflexive("10.0.0.2:1"))) << "not of that kind";
    auto foreign = host("10.0.0.2:1");
    foreign.ufrag = "xxxx";
    EXPECT_FALSE(agent.is_in_use(foreign));
    agent.remove_remote_candidate(host("10.0.0.2:1"));
    EXPECT_FALSE(agent.is_in_use(host("10.0.0.2:1")));
}

TEST(AgentCandidates, NumbersLocalCandidatesPerFamily) {
    auto agent = client_agent();
    std::vector<std::uint32_t> preferences;
    for (const auto* text : {"10.0.0.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "10.0.0.2:1"}) {
        const auto signalled = agent.add_local_candidate(host(text), {});
        ASSERT_TRUE(signalled);
        EXPECT_EQ(signalled->ufrag, "cufr");
        preferences.push_back(signalled->priority >> 8 & 0xffff);
    }
    EXPECT_EQ(preferences, (std::vector<std::uint32_t>{65534, 65535, 65533, 65532}));
}

TEST(AgentCandidates, RejectsAnIdenticalLocalCandidate) {
    auto agent = client_agent();
    EXPECT_TRUE(agent.add_local_candidate(host("10.0.0.1:1"), {}));
    EXPECT_FALSE(agent.add_local_candidate(host("10.0.0.1:1"), {}));
}

TEST(AgentCandidates, BringsBackAnInvalidatedLocalCandidate) {
    auto agent = client_agent();
    const auto first = agent.add_local_candidate(host("10.0.0.1:1"), {});
    ASSERT_TRUE(agent.remove_local_candidate(host("10.0.0.1:1")));
    EXPECT_EQ(agent.add_local_candidate(host("10.0.0.1:1"), {}), first);
}

TEST(AgentCandidates, InvalidatingASrflxLeavesTheHostWithItsAddressAlone) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    agent.add_remote_candidate(host("2.2.2.2:1"), {});
    agent.add_remote_candidate(reflexive("2.2.2.2:1"), {});
    EXPECT_FALSE(agent.remove_local_candidate(reflexive("1.1.1.1:1")));
    EXPECT_TRUE(agent.remove_remote_candidate(reflexive("2.2.2.2:1")));
    EXPECT_EQ(agent.pairs().size(), 1U);
}

TEST(AgentCandidates, HostAndSrflxWithOneAddressMakeOnePair) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    agent.add_remote_candidate(reflexive("2.2.2.2:1"), {});
    agent.add_remote_candidate(host("2.2.2.2:1"), {});
    ASSERT_EQ(agent.pairs().size(), 1U);
    EXPECT_EQ(agent.pairs()[0].priority(), pair_priority(2130706175, 2130706175));
}

TEST(AgentCandidates, PairsOnlyWithinAFamily) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    agent.add_local_candidate(host("[2001:db8::1]:1"), {});
    agent.add_remote_candidate(host("2.2.2.2:1"), {});
    EXPECT_EQ(agent.pairs().size(), 1U);
}

TEST(AgentCandidates, IgnoresAnotherPeersUfrag) {
    auto agent = client_agent();
    auto candidate = host("2.2.2.2:1");
    candidate.ufrag = "xxxx";
    agent.add_remote_candidate(candidate, {});
    EXPECT_FALSE(agent.has_known_remote_candidate());
}

TEST(AgentCandidates, KeepsAHundredBestPairs) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    for (int i = 1; i <= 1000; ++i) {
        agent.add_remote_candidate(reflexive("2.2.2.2:" + std::to_string(i)), {});
    }
    agent.add_remote_candidate(host("3.3.3.3:1"), {});
    EXPECT_EQ(agent.pairs().size(), kMaxPairs);
    EXPECT_EQ(agent.pairs().front().remote().address, address("3.3.3.3:1"));
    EXPECT_LE(agent.remote_candidates().size(), kMaxCandidates);
}

TEST(Agent, OneSideWithoutCandidatesIsNeverDisconnected) {
    for (const bool local : {true, false}) {
        auto agent = client_agent();
        if (local) {
            agent.add_local_candidate(host("1.1.1.1:1"), {});
        } else {
            agent.add_remote_candidate(host("1.1.1.1:1"), {});
        }
        for (int s = 0; s < 60; ++s) {
            agent.handle_timeout(Instant{s * 1s});
            EXPECT_EQ(agent.poll_timeout(), Instant{(s / 3 + 1) * 3s});
        }
        EXPECT_EQ(agent.state(), AgentState::kChecking);
    }
}

TEST(Agent, FamiliesThatDoNotMeetAreDisconnected) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    agent.handle_timeout({});
    agent.add_remote_candidate(host("[2001:db8::1]:1"), {});
    agent.handle_timeout({});
    EXPECT_EQ(agent.state(), AgentState::kDisconnected);
}

TEST(Agent, CheckCarriesTheAttributesInOrder) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    agent.add_remote_candidate(host("2.2.2.2:1"), {});
    agent.handle_timeout({});
    const auto check = agent.poll_transmit();
    ASSERT_TRUE(check);
    EXPECT_EQ(check->payload.size(), 88U);
    const auto message = stun::Message::parse(check->payload);
    ASSERT_TRUE(message);
    std::vector<stun::AttributeType> types;
    for (const auto& attribute : message->attributes()) {
        types.push_back(attribute.type);
    }
    using enum stun::AttributeType;
    EXPECT_EQ(types, (std::vector{kUsername, kIceControlling, kPriority}));
    EXPECT_EQ(message->text(kUsername), "gufr:cufr");
    EXPECT_EQ(message->u32(kPriority), 1862270719U);
    EXPECT_TRUE(message->verify_integrity(as_bytes(kGatewayCredentials.password)));
    EXPECT_TRUE(message->verify_fingerprint());
}

class Connected : public testing::Test {
protected:
    void SetUp() override {
        net.trickle(net.a, host("1.1.1.1:1"));
        net.trickle(net.b, host("2.2.2.2:1"));
        net.run_for(1s);
        ASSERT_EQ(net.a.nominations, (std::vector{Nominated{address("1.1.1.1:1"), address("2.2.2.2:1")}}));
        ASSERT_EQ(net.b.nominations, (std::vector{Nominated{address("2.2.2.2:1"), address("1.1.1.1:1")}}));
        ASSERT_EQ(net.a.agent.state(), AgentState::kCompleted);
    }

    AgentNetwork net;
};

TEST_F(Connected, NominationCostsOneRoundTripAndUseCandidateFollowsAtOnce) {
    std::vector<std::pair<Instant, bool>> checks_of_a;
    for (const auto& [at, transmit] : net.sent) {
        const auto message = stun::Message::parse(transmit.payload);
        if (transmit.source == address("1.1.1.1:1") && message->cls() == stun::Class::kRequest) {
            checks_of_a.emplace_back(at, message->has(stun::AttributeType::kUseCandidate));
        } else if (message->cls() == stun::Class::kSuccess) {
            EXPECT_EQ(transmit.payload.size(), 64U);
        }
    }
    ASSERT_GE(checks_of_a.size(), 3U);
    EXPECT_EQ(checks_of_a[0], (std::pair{Instant{0ms}, false}));
    EXPECT_EQ(checks_of_a[1], (std::pair{Instant{20ms}, true}));
    EXPECT_TRUE(checks_of_a[2].second);
}

TEST_F(Connected, LossOfEverythingDisconnectsAndNewCandidatesHeal) {
    net.is_lost = [](auto&, auto&) { return true; };
    const auto start = net.now;
    net.run_for(15250ms);
    EXPECT_NE(net.a.agent.state(), AgentState::kDisconnected);
    net.run_for(5s);
    EXPECT_EQ(net.a.agent.state(), AgentState::kDisconnected);
    EXPECT_EQ(net.b.agent.state(), AgentState::kDisconnected);
    EXPECT_GT(net.now - start, nominal_timeout(kDefaultTiming));

    net.is_lost = nullptr;
    net.a.states.clear();
    net.trickle(net.a, host("1.1.1.2:1"));
    net.trickle(net.b, host("2.2.2.3:1"));
    net.run_for(2s);
    ASSERT_GE(net.a.states.size(), 2U);
    EXPECT_EQ(net.a.states[0], AgentState::kChecking);
    EXPECT_EQ(net.a.states[1], AgentState::kConnected);
    EXPECT_TRUE(net.b.agent.nominated());
}

TEST_F(Connected, ChecksToAnInvalidatedCandidateAreNotAnswered) {
    ASSERT_TRUE(net.b.agent.remove_local_candidate(host("2.2.2.2:1")));
    net.sent.clear();
    net.run_for(5s);
    EXPECT_FALSE(net.sent.empty());
    EXPECT_TRUE(
        std::ranges::none_of(net.sent, [](const auto& entry) { return entry.second.source == address("2.2.2.2:1"); }));
}

TEST_F(Connected, MovesToNewCandidatesInLessThanTheTimeout) {
    net.trickle(net.a, host("1.1.1.9:1"));
    net.trickle(net.b, host("2.2.2.9:1"));
    net.invalidate(net.a, host("1.1.1.1:1"));
    net.invalidate(net.b, host("2.2.2.2:1"));
    net.run_for(1s);
    EXPECT_EQ(net.a.agent.nominated(), (Nominated{address("1.1.1.9:1"), address("2.2.2.9:1")}));
    EXPECT_EQ(net.b.agent.nominated(), (Nominated{address("2.2.2.9:1"), address("1.1.1.9:1")}));
}

TEST_F(Connected, InvalidatedCandidateComesBack) {
    for (auto* side : {&net.a, &net.b}) {
        const auto mine = side == &net.a ? host("1.1.1.1:1") : host("2.2.2.2:1");
        net.invalidate(*side, mine);
        net.run_for(3s);
        EXPECT_EQ(net.a.agent.state(), AgentState::kDisconnected);
        EXPECT_EQ(net.b.agent.state(), AgentState::kDisconnected);
        net.trickle(*side, mine);
        net.run_for(3s);
        EXPECT_TRUE(net.a.agent.nominated());
        EXPECT_TRUE(net.b.agent.nominated());
    }
}

TEST_F(Connected, LeavingIdleMovesTheNextCheckAtOnce) {
    net.a.agent.set_timing(kIdleTiming, net.now);
    net.b.agent.set_timing(kIdleTiming, net.now);
    net.run_for(60s);
    ASSERT_GT(*net.a.agent.poll_timeout(), net.now + 1500ms);
    net.a.agent.set_timing(kDefaultTiming, net.now);
    EXPECT_LE(*net.a.agent.poll_timeout(), net.now + 1500ms);
}

TEST(AgentNetwork, RelayOverIpv4PrefersTheIpv4HostWhicheverSideControls) {
    for (const bool client_has_relay : {true, false}) {
        AgentNetwork net;
        auto& relayed = client_has_relay ? net.a : net.b;
        net.trickle(relayed, relay("9.9.9.9:1000"));
        net.trickle(relayed, relay("[2001:db8:9::9]:1000"));
        net.trickle(net.other(relayed), host("2.2.2.2:1"));
        net.trickle(net.other(relayed), host("[2001:db8::2]:1"));
        net.run_for(5s);
        EXPECT_EQ(relayed.agent.nominated(), (Nominated{address("9.9.9.9:1000"), address("2.2.2.2:1")}));
        EXPECT_EQ(net.other(relayed).agent.nominated(), (Nominated{address("2.2.2.2:1"), address("9.9.9.9:1000")}));
    }
}

/// B's router lets in only whom B has sent to, and B hears of A later than A of B.
struct HolePunch {
    HolePunch() {
        net.is_lost = [this](const net::SocketAddress& source, const net::SocketAddress&) {
            has_sent = has_sent || source == address("2.2.2.2:1");
            return !has_sent;
        };
        EXPECT_TRUE(net.a.agent.add_remote_candidate(host("2.2.2.2:1"), net.now));
        net.a.addresses.push_back(address("1.1.1.1:1"));
        EXPECT_TRUE(net.a.agent.add_local_candidate(host("1.1.1.1:1"), net.now));
        net.run_for(5ms);
        net.trickle(net.b, host("2.2.2.2:1"));
        EXPECT_TRUE(net.b.agent.add_remote_candidate(host("1.1.1.1:1"), net.now));
    }

    AgentNetwork net;
    bool has_sent = false;
};

TEST(AgentNetwork, ACheckThatCameTooEarlyForThePeersRouterIsRepeatedOnceThePeersArrives) {
    HolePunch punch;
    punch.net.run_for(kTriggeredCheckAfter + 2 * AgentNetwork::kDelay);
    EXPECT_TRUE(punch.net.a.agent.nominated());
}

TEST(AgentNetwork, ThePeersChecksTriggerOneCheckAndTheScheduleStaysWhatItIs) {
    HolePunch punch;
    punch.net.is_lost = [](const net::SocketAddress& source, const net::SocketAddress&) {
        return source == address("1.1.1.1:1");
    };
    punch.net.run_for(1s);
    std::vector<Instant> checks;
    for (const auto& [at, message] : punch.net.sent) {
        const auto parsed = stun::Message::parse(message.payload);
        if (message.source == address("1.1.1.1:1") && parsed->cls() == stun::Class::kRequest) {
            checks.push_back(at);
        }
    }
    EXPECT_EQ(checks, (std::vector<Instant>{Instant{}, Instant{50ms}, Instant{300ms}, Instant{800ms}}));
}

TEST(AgentNetwork, WhatIsIdleKeepsItsPaceWhateverThePeerChecks) {
    HolePunch punch;
    punch.net.a.agent.set_timing(kIdleTiming, punch.net.now);
    punch.net.is_lost = [](const net::SocketAddress& source, const net::SocketAddress&) {
        return source == address("1.1.1.1:1");
    };
    punch.net.run_for(10s);
    const auto checks = std::ranges::count_if(punch.net.sent, [](const auto& entry) {
        const auto parsed = stun::Message::parse(entry.second.payload);
        return entry.second.source == address("1.1.1.1:1") && parsed->cls() == stun::Class::kRequest;
    });
    EXPECT_EQ(checks, 1);
}

TEST(AgentNetwork, CandidatesThatArriveAfterPeerReflexiveOnesDisturbNothing) {
    AgentNetwork net;
    net.a.addresses.push_back(address("1.1.1.1:1"));
    const auto late = net.a.agent.add_local_candidate(host("1.1.1.1:1"), net.now);
    net.trickle(net.b, host("2.2.2.2:1"));
    net.run_for(2s);
    ASSERT_TRUE(net.a.agent.nominated());
    ASSERT_TRUE(net.b.agent.nominated());
    net.b.agent.add_remote_candidate(*late, net.now);
    net.run_for(30s);
    for (const auto* side : {&net.a, &net.b}) {
        EXPECT_EQ(std::ranges::count(side->states, AgentState::kDisconnected), 0);
        EXPECT_TRUE(side->agent.nominated());
    }
}

TEST(AgentNetwork, TwoSymmetricNatsConnectThroughARelay) {
    AgentNetwork net;
    net.a.symmetric_nat = *net::IpAddress::parse("5.5.5.5");
    net.b.symmetric_nat = *net::IpAddress::parse("6.6.6.6");
    net.trickle(net.a, host("10.0.1.1:52625"));
    net.trickle(net.a, reflexive("5.5.5.5:40000"));
    net.trickle(net.a, relay("9.9.9.9:1000"));
    net.trickle(net.b, host("10.0.2.1:52625"));
    net.trickle(net.b, reflexive("6.6.6.6:40000"));
    net.trickle(net.b, relay("8.8.8.8:2000"));
    net.run_for(30s);
    for (auto* side : {&net.a, &net.b}) {
        ASSERT_TRUE(side->agent.nominated());
        const auto& path = *side->agent.nominated();
        EXPECT_TRUE(path.source.port <= 2000 || path.destination.port <= 2000) << path.source.to_string();
    }
}

TEST(AgentNetwork, SecondRelayCandidateDoesNotReplaceANominatedOne) {
    AgentNetwork net;
    net.trickle(net.a, relay("9.9.9.9:1000"));
    net.trickle(net.b, host("6.6.6.6:40000"));
    net.run_for(2s);
    ASSERT_EQ(net.a.nominations.size(), 1U);
    net.trickle(net.a, relay("9.9.9.8:1000"));
    net.run_for(10s);
    EXPECT_EQ(net.a.nominations.size(), 1U);
    EXPECT_EQ(net.b.nominations.size(), 1U);
}

/// Hands the gateway a check that only somebody who knows its credentials, or recorded one, can send.
bool gateway_receives_check(AgentNetwork& net, std::string_view from, std::uint32_t priority, bool has_use_candidate) {
    stun::MessageBuilder check{stun::Class::kRequest, stun::Method::kBinding, {}};
    check.text(stun::AttributeType::kUsername, "gufr:cufr").u32(stun::AttributeType::kPriority, priority);
    if (has_use_candidate) {
        check.flag(stun::AttributeType::kUseCandidate);
    }
    const auto bytes = check.integrity(as_bytes(kGatewayCredentials.password)).build();
    return net.b.agent.handle_message(address("2.2.2.2:1"), address(from), *stun::Message::parse(bytes), net.now);
}

TEST(AgentNetwork, TheClientLeavesASilentPathForOneThatIsAnsweredAndComesBack) {
    AgentNetwork net;
    net.trickle(net.a, host("1.1.1.1:1"));
    net.trickle(net.a, relay("9.9.9.9:1000"));
    net.trickle(net.b, host("2.2.2.2:1"));
    net.run_for(10s);
    const Nominated direct{address("1.1.1.1:1"), address("2.2.2.2:1")};
    const Nominated relayed{address("9.9.9.9:1000"), address("2.2.2.2:1")};
    ASSERT_EQ(net.a.agent.nominated(), direct);

    net.is_lost = [](const net::SocketAddress& source, const net::SocketAddress& destination) {
        return source == address("1.1.1.1:1") || destination == address("1.1.1.1:1");
    };
    net.run_for(5s);
    EXPECT_EQ(net.a.agent.nominated(), relayed);

    net.is_lost = nullptr;
    net.run_for(2s);
    EXPECT_EQ(net.a.agent.nominated(), direct);
}

TEST(AgentNetwork, ASilentPathIsKeptWhereNoOtherIsAnswered) {
    AgentNetwork net;
    net.trickle(net.a, host("1.1.1.1:1"));
    net.trickle(net.a, relay("9.9.9.9:1000"));
    net.trickle(net.b, host("2.2.2.2:1"));
    net.run_for(10s);
    net.a.nominations.clear();
    net.is_lost = [](auto&, auto&) { return true; };
    net.run_for(10s);
    EXPECT_TRUE(net.a.nominations.empty());
}

TEST(AgentNetwork, GatewayStaysOnTheBetterOfTwoNominatedPairs) {
    AgentNetwork net;
    net.trickle(net.a, host("1.1.1.1:1"));
    net.trickle(net.b, host("2.2.2.2:1"));
    net.run_for(1s);
    const auto best = *net.b.agent.nominated();
    // The controlling side nominates a worse pair later.
    net.b.agent.add_remote_candidate(relay("9.9.9.9:1000"), net.now);
    ASSERT_TRUE(gateway_receives_check(net, "9.9.9.9:1000", 1, true));
    net.b.agent.handle_timeout(net.now);
    EXPECT_EQ(net.b.agent.nominated(), best);
    EXPECT_EQ(std::ranges::count_if(net.b.agent.pairs(), &CandidatePair::is_nominated), 2);
    EXPECT_EQ(times_nominated(net.b.nominations, best), 1);
}

// Whoever records a check can repeat it from anywhere: that must not lead traffic away from a path that works.
TEST(AgentNetwork, GatewayDoesNotLeaveAWorkingPathForOneThatItsOwnCheckHasNotProved) {
    AgentNetwork net;
    net.trickle(net.a, relay("9.9.9.8:1000"));
    net.trickle(net.b, host("2.2.2.2:1"));
    net.run_for(1s);
    const auto working = *net.b.agent.nominated();
    ASSERT_TRUE(gateway_receives_check(net, "6.6.6.6:6666", 2'130'706'431, true));
    net.run_for(1s);
    EXPECT_EQ(net.b.agent.nominated(), working);

    // The same from where the client really is: followed as soon as the gateway's own check comes back.
    net.trickle(net.a, host("1.1.1.1:1"));
    net.run_for(1s);
    EXPECT_EQ(net.b.agent.nominated()->destination, address("1.1.1.1:1"));
}

// The client lost its half while both were idle, behind a NAT that was renumbered, and comes back with a new one: every
// check of the old paths would take the gateway another 18 s to give up.
class HalfOpen : public testing::Test {
protected:
    HalfOpen() {
        net.trickle(net.a, host("1.1.1.1:1"));
        net.trickle(net.b, host("2.2.2.2:1"));
        net.run_for(1s);
        net.is_lost = [](const auto& source, const auto& destination) {
            return source.ip == address("1.1.1.1:1").ip || destination.ip == address("1.1.1.1:1").ip;
        };
        net.b.agent.set_timing(kIdleTiming, net.now);
        net.run_for(20s);

        net.a = {.agent =
                     Agent{AgentRole::kControlling, kClientCredentials, kGatewayCredentials, 3, Rng::from_number(3)}};
        net.b.agent.set_timing(kDefaultTiming, net.now);
        net.a.agent.add_remote_candidate(host("2.2.2.2:1"), net.now);
        net.trickle(net.a, relay("9.9.9.9:1000"));
        net.run_for(500ms);
    }

    AgentNetwork net;
    const Nominated old_path{address("2.2.2.2:1"), address("1.1.1.1:1")};
    const Nominated new_path{address("2.2.2.2:1"), address("9.9.9.9:1000")};
};

TEST_F(HalfOpen, GatewayFollowsThePathThatTheClientProvesToUse) {
    ASSERT_EQ(net.b.agent.nominated(), old_path);
    net.b.agent.note_peer_path(address("2.2.2.2:1"), address("9.9.9.9:1000"), net.now);
    net.run_for(500ms);
    EXPECT_EQ(net.b.agent.nominated(), old_path);  // its answers may still be on their way

    net.run_for(4s);
    EXPECT_EQ(net.b.agent.nominated(), new_path);

    // A better path that speaks again is taken again.
    net.is_lost = nullptr;
    net.trickle(net.a, host("1.1.1.1:1"));
    net.run_for(4s);
    EXPECT_EQ(net.b.agent.nominated(), old_path);
}

TEST_F(HalfOpen, GatewayWaitsForItsTimeoutIfTheClientProvesNothing) {
    net.run_for(10s);
    EXPECT_EQ(net.b.agent.nominated(), old_path);

    net.run_for(10s);
    EXPECT_EQ(net.b.agent.nominated(), new_path);
}

TEST_F(HalfOpen, GatewayFollowsToNominatedPathsOnly) {
    net.b.agent.note_peer_path(address("2.2.2.2:1"), address("6.6.6.6:6666"), net.now);
    net.run_for(5s);

    EXPECT_EQ(net.b.agent.nominated(), old_path);
}

// A NAT gave the peer one port towards the relay and later, after a reboot, the same port towards us.
TEST(AgentNetwork, AWithdrawnReflexiveAddressThatStillSpeaksIsLearntAnew) {
    AgentNetwork net;
    net.trickle(net.a, host("1.1.1.1:1"));
    net.trickle(net.b, host("2.2.2.2:1"));
    const auto seen_by_relay = reflexive("7.7.7.7:7000");
    net.b.agent.add_remote_candidate(seen_by_relay, net.now);
    net.run_for(100ms);
    ASSERT_TRUE(net.b.agent.remove_remote_candidate(seen_by_relay));
    net.b.agent.handle_timeout(net.now);
    net.sent.clear();

    ASSERT_TRUE(gateway_receives_check(net, "7.7.7.7:7000", 1, false));

    EXPECT_EQ(net.b.agent.poll_transmit()->destination, address("7.7.7.7:7000"));
}

TEST(Agent, RefusesMessagesThatAreNotForIt) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    const auto request = [](std::string_view username, std::string_view password, bool has_priority) {
        stun::MessageBuilder builder{stun::Class::kRequest, stun::Method::kBinding, {}};
        builder.text(stun::AttributeType::kUsername, username);
        if (has_priority) {
            builder.u32(stun::AttributeType::kPriority, 1);
        }
        return builder.integrity(as_bytes(password)).build();
    };
    const auto accepts = [&](const Bytes& bytes) {
        return agent.handle_message(address("1.1.1.1:1"), address("2.2.2.2:1"), *stun::Message::parse(bytes), {});
    };
    EXPECT_FALSE(accepts(request("cufr:xxxx", "client password", true)));
    EXPECT_FALSE(accepts(request("xxxx:gufr", "client password", true)));
    EXPECT_FALSE(accepts(request("cufrgufr", "client password", true)));
    EXPECT_FALSE(accepts(request("cufr:gufr", "wrong", true)));
    EXPECT_FALSE(accepts(request("cufr:gufr", "client password", false)));
    EXPECT_FALSE(accepts(stun::MessageBuilder{stun::Class::kSuccess, stun::Method::kBinding, {}}
                             .address(stun::AttributeType::kXorMappedAddress, address("1.1.1.1:1"))
                             .integrity(as_bytes("gateway password"))
                             .build()));
    EXPECT_FALSE(agent.poll_transmit());
    EXPECT_TRUE(accepts(request("cufr:gufr", "client password", true)));
    EXPECT_TRUE(agent.poll_transmit());
}

TEST(Agent, ControllingSideIgnoresUseCandidate) {
    auto agent = client_agent();
    agent.add_local_candidate(host("1.1.1.1:1"), {});
    const auto bytes = stun::MessageBuilder{stun::Class::kRequest, stun::Method::kBinding, {}}
                           .text(stun::AttributeType::kUsername, "cufr:gufr")
                           .u32(stun::AttributeType::kPriority, 1)
                           .flag(stun::AttributeType::kUseCandidate)
                           .integrity(as_bytes("client password"))
                           .build();
    EXPECT_TRUE(agent.handle_message(address("1.1.1.1:1"), address("2.2.2.2:1"), *stun::Message::parse(bytes), {}));
    EXPECT_FALSE(agent.poll_transmit());
    EXPECT_FALSE(agent.has_known_remote_candidate());
}

TEST(AgentNetwork, APeerReflexiveGuessDoesNotOutrankThePairThatTheClientSettlesOn) {
    AgentNetwork net;
    // The client's relayed check arrives before its relay candidate is signalled, and is nominated as if it came from a
    // host; the direct path opens later.
    const auto client_relay = *net.a.agent.add_local_candidate(relay("9.9.9.9:1000"), net.now);
    net.a.addresses.push_back(client_relay.address);
    net.is_lost = [](const auto& source, const auto& destination) {
        return source.port == 52625 && destination.port == 52625;
    };
    net.trickle(net.b, host("2.2.2.2:52625"));
    net.run_for(1s);
    ASSERT_EQ(net.b.agent.nominated(), (Nominated{address("2.2.2.2:52625"), address("9.9.9.9:1000")}));

    net.b.agent.add_remote_candidate(client_relay, net.now);
    net.is_lost = nullptr;
    net.a.agent.add_local_candidate(host("1.1.1.1:52625"), net.now);
    net.a.addresses.push_back(address("1.1.1.1:52625"));
    net.b.agent.add_remote_candidate(reflexive("1.1.1.1:52625"), net.now);
    net.run_for(2s);

    EXPECT_EQ(net.a.agent.nominated(), (Nominated{address("1.1.1.1:52625"), address("2.2.2.2:52625")}));
    EXPECT_EQ(net.b.agent.nominated(), (Nominated{address("2.2.2.2:52625"), address("1.1.1.1:52625")}));
}

TEST(AgentNetwork, SurvivesRandomLossWithTheBestPathNominatedOnBothSides) {
    for (std::uint64_t seed = 0; seed < repetitions(40U); ++seed) {
        AgentNetwork net;
        auto rng = Rng::from_number(seed);
        net.is_lost = [&](auto&, auto&) { return rng.below(100) < 30; };
        net.trickle(net.a, host("1.1.1.1:1"));
        net.trickle(net.a, relay("9.9.9.9:1000"));
        net.trickle(net.b, relay("8.8.8.8:1000"));
        net.trickle(net.b, host("2.2.2.2:1"));
        net.run_for(30s);
        net.is_lost = nullptr;
        net.run_for(30s);
        EXPECT_EQ(net.a.agent.nominated(), (Nominated{address("1.1.1.1:1"), address("2.2.2.2:1")})) << "seed " << seed;
        EXPECT_EQ(net.b.agent.nominated(), (Nominated{address("2.2.2.2:1"), address("1.1.1.1:1")})) << "seed " << seed;
    }
}

}  // namespace
}  // namespace culvert::ice
