// spec/connectivity.md section 13.1, A6 to A16: allocating, authentication, errors.
#include "culvert/turn/allocation_fixture.h"

namespace culvert::turn::test {
namespace {

using RequestsTest = AllocationTest;

const std::vector<AllocationEvent> kBothRelayedInvalid{InvalidCandidate{kRelayed4}, InvalidCandidate{kCrossRelayed6}};

std::vector<AttributeType> attribute_types(const stun::Message& message) {
    std::vector<AttributeType> out;
    for (const auto& attribute : message.attributes()) {
        out.push_back(attribute.type);
    }
    return out;
}

TEST_F(RequestsTest, FirstAllocateIsSignedWithoutNonce) {
    start_v4();
    const auto allocate = answer_binding();
    const auto message = allocate.message();

    EXPECT_EQ(message.method(), Method::kAllocate);
    EXPECT_EQ(attribute_types(message),
              (std::vector{AttributeType::kRequestedTransport, AttributeType::kAdditionalAddressFamily,
                           AttributeType::kSoftware, AttributeType::kUsername, AttributeType::kRealm}));
    EXPECT_EQ(message.text(AttributeType::kUsername), kUsername);
    EXPECT_EQ(message.text(AttributeType::kRealm), "firezone");
    EXPECT_TRUE(message.verify_integrity(stun::long_term_key(kUsername, kRealm, kPassword).reveal()));
    EXPECT_FALSE(message.has_fingerprint());
    EXPECT_EQ(to_hex(ByteSpan{allocate.bytes}.subspan(20, 16)), "00190004110000008000000402000000");
}

TEST_F(RequestsTest, RepeatsAllocateWithTheNonceOf401) {
    start_v4();
    const auto first = answer_binding();

    deliver(first, challenge(first, 401, "n1"), 0);

    const auto second = only();
    EXPECT_EQ(second.method(), Method::kAllocate);
    EXPECT_EQ(second.nonce(), "n1");
    EXPECT_NE(second.message().transaction_id(), first.message().transaction_id());
    EXPECT_EQ(attribute_types(second.message()).back(), AttributeType::kNonce);
}

TEST_F(RequestsTest, DropsCredentialsThatAreRefusedWithANonce) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, challenge(first, 401, "n1"), 0);
    const auto second = only();

    deliver(second, challenge(second, 401, "n2"), 0);

    EXPECT_TRUE(sent().empty());
    EXPECT_FALSE(allocation->credentials().has_value());
    EXPECT_EQ(allocation->death_reason(), DeathReason::kAuthenticationError);
}

TEST_F(RequestsTest, RepeatsAllocateWithTheNonceOf438) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, challenge(first, 438, "n2"), 0);
    EXPECT_EQ(only().nonce(), "n2");
}

TEST_F(RequestsTest, AnnouncesTheRelayedAddress) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, challenge(first, 401, "n1"), 0);
    const auto second = only();

    deliver(second, allocate_success(second, {kAllocated4}), 0);

    EXPECT_EQ(events(),
              (std::vector<AllocationEvent>{NewCandidate{kHost4}, NewCandidate{kReflexive4}, NewCandidate{kRelayed4}}));
    EXPECT_EQ(allocation->relay_address(net::Family::kIpv4), kAllocated4);
    EXPECT_FALSE(allocation->relay_address(net::Family::kIpv6).has_value());
    EXPECT_TRUE(allocation->is_relay_address(kAllocated4));
    EXPECT_FALSE(allocation->is_relay_address(kAllocated6));
}

TEST_F(RequestsTest, UsesTheFirstRelayedAddressOfEachFamily) {
    allocate({kAllocated6, kAllocated4, address("203.0.113.21:50001"), address("[2001:db8:113::21]:50001")});
    EXPECT_EQ(allocation->relay_address(net::Family::kIpv4), kAllocated4);
    EXPECT_EQ(allocation->relay_address(net::Family::kIpv6), kAllocated6);
}

TEST_F(RequestsTest, IgnoresSuccessWithoutLifetimeOrRelayedAddressAndStaysOutstanding) {
    start_v4();
    const auto first = answer_binding();
    auto no_lifetime = reply(first, Class::kSuccess);
    no_lifetime.address(AttributeType::kXorRelayedAddress, kAllocated4);

    EXPECT_FALSE(deliver(first, sign(no_lifetime), 0));
    EXPECT_FALSE(deliver(first, allocate_success(first, {}), 0));

    EXPECT_FALSE(allocation->has_allocation());
    EXPECT_TRUE(deliver(first, allocate_success(first, {kAllocated4}), 0));
    EXPECT_TRUE(allocation->has_allocation());
}

TEST_F(RequestsTest, IgnoresResponsesWithoutValidIntegrityAndStaysOutstanding) {
    start_v4();
    const auto allocate = answer_binding();
    const auto unsigned_challenge =
        reply(allocate, Class::kError).error_code(401, "Unauthorized").text(AttributeType::kNonce, "evil").build();
    auto forged = reply(allocate, Class::kError);
    forged.error_code(437, "Allocation Mismatch").integrity(stun::long_term_key(kUsername, kRealm, "guess").reveal());

    EXPECT_FALSE(deliver(allocate, unsigned_challenge, 0.1));
    EXPECT_FALSE(deliver(allocate, forged.build(), 0.1));

    EXPECT_TRUE(sent().empty());
    allocation->handle_timeout(at(1));
    EXPECT_EQ(only().nonce(), std::nullopt);
}

TEST_F(RequestsTest, SignsRepetitionsAnewWithTheNewestNonce) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, challenge(first, 401, "n1"), 0);
    const auto second = only();

    allocation->handle_timeout(at(1));
    const auto third = only();

    EXPECT_EQ(third.nonce(), "n1");
    EXPECT_NE(third.message().transaction_id(), second.message().transaction_id());
    EXPECT_FALSE(deliver(second, allocate_success(second, {kAllocated4}), 1)) << "late response";
    EXPECT_TRUE(deliver(third, allocate_success(third, {kAllocated4}), 1));
}

TEST_F(RequestsTest, RepetitionAfterAChallengeStartsAFreshBackoff) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, challenge(first, 401, "n1"), 0.9);
    only();
    EXPECT_EQ(allocation->poll_timeout(), at(1.9));
}

TEST_F(RequestsTest, GivesUpARequestIfTheRelayWantsAnotherRealm) {
    start_v4();
    const auto first = answer_binding();

    deliver(first, challenge(first, 401, "n1", "example.org"), 0);

    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(allocation->poll_timeout(), at(10));
    EXPECT_TRUE(allocation->is_suspended());
    EXPECT_FALSE(allocation->is_dead());
}

TEST_F(RequestsTest, GivesUpARequestIfTheChallengeHasNoNonce) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, error(first, 401), 0);
    EXPECT_TRUE(sent().empty());
    EXPECT_TRUE(allocation->is_suspended());
}

TEST_F(RequestsTest, LosesTheAllocationWhenRefreshIsRefusedDespiteANonce) {
    allocate();
    allocation->refresh(at(10));
    const auto refresh = only();

    deliver(refresh, challenge(refresh, 401, "n9"), 10);

    EXPECT_EQ(events(), kBothRelayedInvalid);
    EXPECT_TRUE(sent().empty());
    EXPECT_FALSE(allocation->poll_timeout().has_value());
    EXPECT_EQ(allocation->death_reason(), DeathReason::kAuthenticationError);
}

TEST_F(RequestsTest, RefreshProbesWithTheDefaultLifetime) {
    allocate();

    allocation->refresh(at(10));

    const auto refresh = only();
    EXPECT_EQ(refresh.method(), Method::kRefresh);
    EXPECT_FALSE(refresh.message().has(AttributeType::kLifetime));
    EXPECT_TRUE(refresh.message().has(AttributeType::kRequestedTransport));
    EXPECT_TRUE(refresh.message().has(AttributeType::kAdditionalAddressFamily));
}

TEST_F(RequestsTest, AProbeThatIsNotAnsweredWithinASecondLosesTheRelay) {
    allocate();
    allocation->refresh(at(10));
    sent();
    EXPECT_EQ(allocation->poll_timeout(), at(11));

    allocation->handle_timeout(at(11));

    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(events(), kBothRelayedInvalid);
    EXPECT_EQ(allocation->death_reason(), DeathReason::kNoResponse);
}

TEST_F(RequestsTest, AProbeThatIsAnsweredRestartsTheLifetime) {
    allocate();
    allocation->refresh(at(10));
    const auto refresh = only();

    deliver(refresh, refresh_success(refresh, 600), 10);

    allocation->handle_timeout(at(309));
    for (const auto& request : sent()) {
        EXPECT_NE(request.method(), Method::kRefresh);
    }
    EXPECT_TRUE(allocation->has_allocation());
}

TEST_F(RequestsTest, MismatchOnRefreshAllocatesAnew) {
    allocate();
    bind(kPeer1, 1);
    allocation->refresh(at(10));
    const auto refresh = only();

    deliver(refresh, error(refresh, 437), 10);

    EXPECT_EQ(events(), kBothRelayedInvalid);
    EXPECT_EQ(methods(), (std::vector{Method::kAllocate}));
    EXPECT_FALSE(allocation->channel_to(kPeer1, at(10)).has_value());
}

TEST_F(RequestsTest, RefreshOfSomebodyElsesAllocationAllocatesAnew) {
    allocate();
    allocation->refresh(at(10));
    const auto refresh = only();

    deliver(refresh, error(refresh, 441), 10);

    EXPECT_EQ(events().size(), 2U) << "both relayed candidates are invalid";
    EXPECT_EQ(methods(), (std::vector{Method::kAllocate}));
}

TEST_F(RequestsTest, AnAddressThatBelongsToSomebodyElseForGoodSuspends) {
    start_v4();
    const auto allocate = answer_binding();
    deliver(allocate, error(allocate, 437), 0);
    const auto deletion = only();

    deliver(deletion, error(deletion, 441), 0);

    EXPECT_TRUE(sent().empty());
    EXPECT_TRUE(allocation->is_suspended());
}

TEST_F(RequestsTest, ARelayThatAlwaysWantsAnotherNonceIsNotAskedForEver) {
    start_v4();
    auto request = answer_binding();
    unsigned requests = 0;
    for (; requests < 1000; ++requests) {
        deliver(request, challenge(request, 438, "n" + std::to_string(requests)), 0);
        const auto next = sent();
        if (next.empty()) {
            break;
        }
        request = next.front();
    }

    EXPECT_LE(requests, kMaxChallenges);
    EXPECT_TRUE(allocation->is_suspended());
    EXPECT_FALSE(allocation->is_dead());
}

TEST_F(RequestsTest, ARelayThatNeverAgreesOnAnAllocationIsNotAskedForEver) {
    start_v4();
    auto request = answer_binding();
    unsigned requests = 0;
    for (; requests < 1000; ++requests) {
        const bool deletes = request.method() == Method::kRefresh;
        deliver(request, deletes ? refresh_success(request, 0) : error(request, 437), 0);
        const auto next = sent();
        if (next.empty()) {
            break;
        }
        request = next.front();
    }

    EXPECT_LE(requests, 2 * kMaxMismatches);
    EXPECT_TRUE(allocation->is_suspended());
    EXPECT_FALSE(allocation->is_dead());
}

TEST_F(RequestsTest, RefreshDoesNothingWhileAllocating) {
    start_v4();
    answer_binding();
    allocation->refresh(at(0));
    EXPECT_TRUE(sent().empty());
}

TEST_F(RequestsTest, RefreshDoesNothingWhileProbing) {
    start_v4();
    only();
    allocation->refresh(at(0));
    EXPECT_TRUE(sent().empty());
}

TEST_F(RequestsTest, ARefusedAllocateSuspendsUntilRefreshed) {
    start_v4();
    const auto allocate = answer_binding();
    allocation->bind_channel(kPeer1, at(0));

    deliver(allocate, error(allocate, 500), 0);

    EXPECT_TRUE(allocation->is_suspended());
    EXPECT_FALSE(allocation->is_dead());
    EXPECT_EQ(allocation->poll_timeout(), at(10));
    allocation->bind_channel(kPeer2, at(1));  // ignored
    EXPECT_TRUE(sent().empty());

    allocation->refresh(at(5));
    const auto binding = only();
    EXPECT_EQ(binding.method(), Method::kBinding);
    deliver(binding, binding_success(binding), 5);
    const auto again = only();
    EXPECT_EQ(again.method(), Method::kAllocate);
    deliver(again, allocate_success(again, {kAllocated4}), 5);
    EXPECT_TRUE(sent().empty()) << "channel binds from before the failure";
}

TEST_F(RequestsTest, ARefusedAllocateIsTriedAgainLessAndLessOften) {
    start_v4();
    auto allocate = answer_binding();
    double now = 0;
    for (const double pause : {10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0}) {
        deliver(allocate, error(allocate, 508), now);
        EXPECT_TRUE(allocation->is_suspended());
        now += pause;
        ASSERT_EQ(allocation->poll_timeout(), at(now));
        allocation->handle_timeout(at(now));
        const auto binding = only();
        ASSERT_EQ(binding.method(), Method::kBinding);
        deliver(binding, binding_success(binding), now);
        allocate = only();
        ASSERT_EQ(allocate.method(), Method::kAllocate);
    }
    deliver(allocate, allocate_success(allocate, {kAllocated4}), now);
    EXPECT_TRUE(allocation->has_allocation());
}

TEST_F(RequestsTest, MeasuresHowFarAwayTheRelayIsButNotByRepeatedRequests) {
    start_v4();
    EXPECT_EQ(allocation->round_trip(), std::nullopt);
    const auto binding = only();
    deliver(binding, binding_success(binding), 0.08);
    EXPECT_EQ(allocation->round_trip(), std::chrono::milliseconds{80});
    const auto allocate = only();
    deliver(allocate, allocate_success(allocate, {kAllocated4}), 0.24);
    EXPECT_EQ(allocation->round_trip(), std::chrono::milliseconds{90});

    allocation->handle_timeout(at(25.24));
    only();
    allocation->handle_timeout(at(26.24));
    const auto repeated = only();
    deliver(repeated, binding_success(repeated), 26.3);
    EXPECT_EQ(allocation->round_trip(), std::chrono::milliseconds{90});
}

TEST_F(RequestsTest, RefreshAllocatesAgainWhileTheOtherAddressIsStillAsked) {
    start_dual();
    const auto bindings = sent();
    deliver(bindings[0], binding_success(bindings[0]), 0);
    const auto allocate = only();
    deliver(allocate, error(allocate, 508), 0);
    EXPECT_FALSE(allocation->is_suspended());

    allocation->refresh(at(1));
    EXPECT_EQ(methods(), (std::vector{Method::kAllocate}));
}

TEST_F(RequestsTest, MismatchOnAllocateDeletesTheOldAllocationFirst) {
    start_v4();
    const auto allocate = answer_binding();

    deliver(allocate, error(allocate, 437), 0);

    const auto refresh = only();
    EXPECT_EQ(refresh.method(), Method::kRefresh);
    EXPECT_EQ(refresh.message().u32(AttributeType::kLifetime), 0U);
    deliver(refresh, refresh_success(refresh, 0), 0);
    EXPECT_EQ(methods(), (std::vector{Method::kAllocate}));
}

TEST_F(RequestsTest, DiesOfAProtocolFailureEvenWithRequestsInFlight) {
    allocate();
    allocation->refresh(at(1));
    const auto refresh = only();
    allocation->bind_channel(kPeer1, at(1));

    deliver(refresh, error(refresh, 420), 1);

    EXPECT_EQ(allocation->death_reason(), DeathReason::kProtocolFailure);
}

TEST_F(RequestsTest, ARefusedRefreshIsRepeatedLaterAndNotAtOnce) {
    allocate();
    allocation->handle_timeout(at(300));
    for (const auto& request : sent()) {
        if (request.method() == Method::kRefresh) {
            deliver(request, error(request, 500), 300);
        } else {
            deliver(request, binding_success(request), 300);
        }
    }

    allocation->handle_timeout(at(300));
    EXPECT_TRUE(sent().empty());
    allocation->handle_timeout(at(450));
    const auto later = methods();
    EXPECT_EQ(std::ranges::count(later, Method::kRefresh), 1);
}

}  // namespace
}  // namespace culvert::turn::test
