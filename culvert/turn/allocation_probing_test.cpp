// spec/connectivity.md section 13.1, A1 to A5 and A29: finding out which address of the relay answers.
#include "culvert/turn/allocation_fixture.h"

namespace culvert::turn::test {
namespace {

using ProbingTest = AllocationTest;

TEST_F(ProbingTest, RepeatsBindingUnchangedAndGivesUpAfterEightSeconds) {
    start_v4();
    const auto first = only();
    EXPECT_EQ(first.to, kRelay4);
    EXPECT_EQ(first.method(), Method::kBinding);

    for (const double when : {1.0, 2.5, 4.75}) {
        ASSERT_EQ(allocation->poll_timeout(), at(when));
        allocation->handle_timeout(at(when));
        EXPECT_EQ(only().bytes, first.bytes);
    }
    ASSERT_EQ(allocation->poll_timeout(), at(8.125));
    allocation->handle_timeout(at(8.125));

    EXPECT_TRUE(sent().empty());
    EXPECT_FALSE(allocation->poll_timeout().has_value());
    EXPECT_EQ(allocation->death_reason(), DeathReason::kNoResponse);
    EXPECT_EQ(to_string(*allocation->death_reason()), "no response received");
}

TEST_F(ProbingTest, IsNotDeadBeforeItTried) {
    start_v4();
    EXPECT_FALSE(allocation->is_dead());
    sent();
    EXPECT_FALSE(allocation->is_dead());
}

TEST_F(ProbingTest, BindingCarriesNothingButSoftware) {
    start_v4();
    const auto bytes = only().bytes;
    const auto message = stun::Message::parse(bytes).value();

    EXPECT_EQ(message.text(AttributeType::kSoftware), "test");
    EXPECT_EQ(bytes.size(), 28U) << "20 bytes of header, 4 + 4 of SOFTWARE";
    EXPECT_FALSE(message.has_integrity());
    EXPECT_FALSE(message.has_fingerprint());
}

TEST_F(ProbingTest, AllocatesOnWhicheverAddressAnswers) {
    start_dual();
    const auto probes = sent();
    ASSERT_EQ(probes.size(), 2U);
    EXPECT_EQ(probes[0].to, kRelay4);
    EXPECT_EQ(probes[1].to, kRelay6);

    deliver(probes[1], binding_success(probes[1]), 0);

    const auto allocate = only();
    EXPECT_EQ(allocate.method(), Method::kAllocate);
    EXPECT_EQ(allocate.to, kRelay6);
    EXPECT_EQ(allocation->active_socket(), kRelay6);
}

TEST_F(ProbingTest, LearnsCandidatesOfBothFamiliesButAllocatesOnce) {
    start_dual();
    const auto probes = sent();

    deliver(probes[0], binding_success(probes[0]), 0);
    deliver(probes[1], binding_success(probes[1]), 0);

    EXPECT_EQ(events(), (std::vector<AllocationEvent>{NewCandidate{kHost4}, NewCandidate{kReflexive4},
                                                      NewCandidate{kHost6}, NewCandidate{kReflexive6}}));
    EXPECT_EQ(allocation->candidates(), (std::vector{kHost4, kReflexive4, kHost6, kReflexive6}));
    const auto allocate = only();
    EXPECT_EQ(allocate.method(), Method::kAllocate);
    EXPECT_EQ(allocate.to, kRelay4);
}

TEST_F(ProbingTest, LosesTheRelayWithAllocateAndNotWithTheOtherFamilysBinding) {
    start_dual();
    const auto probes = sent();
    deliver(probes[0], binding_success(probes[0]), 1);
    sent();

    std::vector<std::pair<net::SocketAddress, Method>> repeated;
    bool had_socket_after_binding_was_given_up = false;
    while (const auto next = allocation->poll_timeout()) {
        allocation->handle_timeout(*next);
        for (const auto& request : sent()) {
            repeated.emplace_back(request.to, request.method());
        }
        had_socket_after_binding_was_given_up |= *next == at(8.125) && allocation->active_socket().has_value();
    }

    EXPECT_EQ(std::ranges::count(repeated, std::pair{kRelay6, Method::kBinding}), 3);
    EXPECT_EQ(std::ranges::count(repeated, std::pair{kRelay4, Method::kAllocate}), 3);
    EXPECT_EQ(repeated.size(), 6U);
    EXPECT_TRUE(had_socket_after_binding_was_given_up);
    EXPECT_EQ(allocation->death_reason(), DeathReason::kNoResponse);
}

TEST_F(ProbingTest, OneBrokenFamilyDoesNotCostTheOther) {
    start_dual();
    const auto probes = sent();
    deliver(probes[0], binding_success(probes[0]), 0);
    deliver(probes[1], binding_success(probes[1]), 0);
    const auto allocate = only();
    deliver(allocate, allocate_success(allocate, {kAllocated4}), 0);
    ASSERT_EQ(allocation->active_socket(), kRelay4);

    Sent last;
    while (allocation->active_socket()) {
        allocation->handle_timeout(*allocation->poll_timeout());
        for (const auto& request : sent()) {
            last = request;
        }
    }
    EXPECT_FALSE(allocation->is_dead());
    EXPECT_EQ(last.to, kRelay6);
    EXPECT_EQ(last.method(), Method::kBinding);

    deliver(last, binding_success(last), 40);
    const auto again = only();
    EXPECT_EQ(again.to, kRelay6);
    EXPECT_EQ(again.method(), Method::kAllocate);
    deliver(again, allocate_success(again, {kAllocated4}), 40);
    EXPECT_EQ(allocation->active_socket(), kRelay6);
}

TEST_F(ProbingTest, ARelayThatOnlyAnswersBindingsIsGivenUp) {
    start_dual();
    const auto probes = sent();
    deliver(probes[0], binding_success(probes[0]), 0);
    deliver(probes[1], binding_success(probes[1]), 0);
    Instant last;
    while (const auto next = allocation->poll_timeout()) {
        last = *next;
        ASSERT_LT(last, at(60));
        allocation->handle_timeout(last);
        for (const auto& request : sent()) {
            if (request.method() == Method::kBinding) {
                const auto answer = binding_success(request);
                (void)allocation->handle_input(request.to.is_v4() ? kLocal4 : kLocal6, request.to, answer, last);
            }
        }
    }
    EXPECT_EQ(allocation->death_reason(), DeathReason::kNoResponse);
}

TEST_F(ProbingTest, IgnoresResponsesFromElsewhereAndToOtherRequests) {
    start_v4();
    const auto binding = only();
    auto other_id = binding.message().transaction_id();
    other_id[0] ^= std::byte{1};

    EXPECT_FALSE(allocation->handle_input(kLocal4, address("203.0.113.22:3478"), binding_success(binding), at(0)));
    EXPECT_FALSE(deliver(binding,
                         stun::MessageBuilder(Class::kSuccess, Method::kBinding, other_id)
                             .address(AttributeType::kXorMappedAddress, kMapped4)
                             .build(),
                         0));
    EXPECT_FALSE(deliver(binding, binding.bytes, 0));
    EXPECT_FALSE(deliver(binding, Bytes(3), 0));
    EXPECT_FALSE(deliver(binding, reply(binding, Class::kSuccess).build(), 0));  // no XOR-MAPPED-ADDRESS

    EXPECT_TRUE(events().empty());
    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(allocation->poll_timeout(), at(1));
}

TEST_F(ProbingTest, AnnouncesAChangedMappingBeforeItTakesBackTheOldOne) {
    allocate();
    const auto moved = address("203.0.113.30:40002");
    allocation->handle_timeout(at(25));
    const auto keep_alive = only();

    deliver(keep_alive, reply(keep_alive, Class::kSuccess).address(AttributeType::kXorMappedAddress, moved).build(),
            25);

    EXPECT_EQ(events(), (std::vector<AllocationEvent>{NewCandidate{{GatheredKind::kServerReflexive, moved, kLocal4}},
                                                      InvalidCandidate{kReflexive4}}));
}

TEST_F(ProbingTest, AsksTheRelayForItsAllocationWhenTheMappingHasChanged) {
    allocate();
    allocation->handle_timeout(at(25));
    const auto keep_alive = only();
    deliver(keep_alive,
            reply(keep_alive, Class::kSuccess)
                .address(AttributeType::kXorMappedAddress, address("203.0.113.30:40002"))
                .build(),
            25);
    events();
    const auto refresh = only();
    ASSERT_EQ(refresh.method(), Method::kRefresh);

    deliver(refresh, error(refresh, 437), 25);

    EXPECT_EQ(events(), (std::vector<AllocationEvent>{InvalidCandidate{kRelayed4}, InvalidCandidate{kCrossRelayed6}}));
    EXPECT_EQ(methods(), std::vector{Method::kAllocate});
}

TEST_F(ProbingTest, AsksTheRelayForItsAllocationWhenTheNetworkHasChanged) {
    allocate();
    // A host that slept comes back as it was, but by now the relay may have forgotten it.
    allocation->handle_network_change(std::vector{kLocal4.ip}, at(60));
    const auto refresh = answer_binding(60);
    ASSERT_EQ(refresh.method(), Method::kRefresh);

    deliver(refresh, error(refresh, 437), 60);

    EXPECT_EQ(events(), (std::vector<AllocationEvent>{InvalidCandidate{kRelayed4}, InvalidCandidate{kCrossRelayed6}}));
    EXPECT_EQ(methods(), std::vector{Method::kAllocate});
}

TEST_F(ProbingTest, AsksNotTwiceAtATimeWhereItIsSeen) {
    allocate();
    allocation->handle_network_change(std::vector{kLocal4.ip}, at(24.7));
    only();
    allocation->handle_timeout(at(25));
    EXPECT_TRUE(sent().empty()) << "the keep-alive";
    allocation->handle_network_change(std::vector{address("172.30.0.101:52625").ip}, at(25.1));
    only();
    allocation->handle_timeout(at(25.75));
    EXPECT_TRUE(sent().empty()) << "what was asked from the other address is not repeated";
    allocation->handle_timeout(at(26.2));
    only();
}

TEST_F(ProbingTest, AsksForItsAllocationOnceIfAListOfRelaysComesMeanwhile) {
    allocate();
    allocation->handle_network_change(std::vector{kLocal4.ip}, at(60));
    ASSERT_EQ(answer_binding(60).method(), Method::kRefresh);

    allocation->refresh(at(60));

    EXPECT_EQ(methods(), std::vector<Method>{});
}

TEST_F(ProbingTest, RefusesAddressesThatCannotBeCandidates) {
    for (const auto* const text :
         {"0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "169.254.1.1:1", "[2001:db8::1]:1"}) {
        start_v4();
        const auto binding = only();
        deliver(binding,
                reply(binding, Class::kSuccess).address(AttributeType::kXorMappedAddress, address(text)).build(), 0);
        EXPECT_EQ(events(), (std::vector<AllocationEvent>{NewCandidate{kHost4}})) << text;
    }
}

TEST_F(ProbingTest, MatchesTheRelaysOwnAddressesOnly) {
    start({.v4 = kRelay4, .v6 = std::nullopt});
    EXPECT_TRUE(allocation->matches(kRelay4));
    EXPECT_FALSE(allocation->matches(kRelay6));
    EXPECT_FALSE(allocation->matches(address("203.0.113.21:3479")));

    start({.v4 = std::nullopt, .v6 = kRelay6});
    EXPECT_FALSE(allocation->matches(kRelay4));
    EXPECT_TRUE(allocation->matches(kRelay6));

    start_dual();
    EXPECT_TRUE(allocation->matches(kRelay4));
    EXPECT_TRUE(allocation->matches(kRelay6));
}

}  // namespace
}  // namespace culvert::turn::test
