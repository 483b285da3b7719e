// spec/connectivity.md section 13.1, A17 to A28, and C5, C6, C9: channels and timers of an allocation.
#include "culvert/turn/allocation_fixture.h"

namespace culvert::turn::test {
namespace {

using ChannelsTest = AllocationTest;
using TimersTest = AllocationTest;

const std::vector<AllocationEvent> kBothRelayedInvalid{InvalidCandidate{kRelayed4}, InvalidCandidate{kCrossRelayed6}};

TEST_F(ChannelsTest, BindsWhatWasAskedForBeforeTheAllocationOnce) {
    start_v4();
    const auto allocate = answer_binding();
    allocation->bind_channel(kPeer1, at(0));
    allocation->bind_channel(kPeer1, at(0));
    allocation->bind_channel(kPeer2, at(0));
    EXPECT_TRUE(sent().empty());

    deliver(allocate, allocate_success(allocate, {kAllocated4}), 0);

    const auto binds = sent();
    ASSERT_EQ(binds.size(), 2U);
    EXPECT_EQ(binds[0].method(), Method::kChannelBind);
    EXPECT_EQ(peer_of(binds[0]), kPeer1);
    EXPECT_EQ(binds[0].message().channel_number(), 0x4000);
    EXPECT_EQ(peer_of(binds[1]), kPeer2);
    EXPECT_EQ(binds[1].message().channel_number(), 0x4001);
}

TEST_F(ChannelsTest, KeepsTheHundredNewestBufferedBinds) {
    start_v4();
    const auto allocate = answer_binding();
    for (std::uint16_t port = 1; port <= 101; ++port) {
        allocation->bind_channel({kPeer1.ip, port}, at(0));
    }

    deliver(allocate, allocate_success(allocate, {kAllocated4}), 0);

    const auto binds = sent();
    ASSERT_EQ(binds.size(), 100U);
    EXPECT_EQ(peer_of(binds.front()).port, 2);
    EXPECT_EQ(peer_of(binds.back()).port, 101);
}

TEST_F(ChannelsTest, DoesNotBindPeersOfAFamilyWithoutRelayAddress) {
    start_v4();
    const auto first = answer_binding();
    allocation->bind_channel(kPeer6, at(0));

    deliver(first, allocate_success(first, {kAllocated4}), 0);
    EXPECT_TRUE(sent().empty());

    allocation->bind_channel(kPeer6, at(1));
    EXPECT_TRUE(sent().empty());
    EXPECT_FALSE(allocation->channel_to(kPeer6, at(1)).has_value());
    EXPECT_TRUE(sent().empty());
}

TEST_F(ChannelsTest, DoesNotRepeatABindInFlight) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    only();

    allocation->bind_channel(kPeer1, at(1));
    allocation->bind_channel(kPeer2, at(1));

    EXPECT_EQ(peer_of(only()), kPeer2);
}

TEST_F(ChannelsTest, SendsBehindABindInFlight) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    only();

    EXPECT_EQ(allocation->channel_to(kPeer1, at(1)), 0x4000);
    EXPECT_EQ(allocation->active_socket(), kRelay4);
}

TEST_F(ChannelsTest, RefusesToSendWithoutChannelButBindsOne) {
    allocate();

    EXPECT_FALSE(allocation->channel_to(kPeer1, at(1)).has_value());

    const auto bind = only();
    EXPECT_EQ(bind.method(), Method::kChannelBind);
    EXPECT_EQ(peer_of(bind), kPeer1);
}

TEST_F(ChannelsTest, ForgetsARefusedChannel) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto bind = only();

    deliver(bind, error(bind, 400), 1);

    EXPECT_FALSE(allocation->channel_to(kPeer1, at(1)).has_value());
}

TEST_F(ChannelsTest, AForbiddenPeerIsLeftAloneForTenMinutes) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto bind = only();

    deliver(bind, error(bind, 403), 1);

    for (double when = 1; when < 601; when += 0.1) {
        EXPECT_FALSE(allocation->channel_to(kPeer1, at(when)).has_value());
    }
    EXPECT_TRUE(sent().empty()) << "packets to it ask for nothing";
    EXPECT_FALSE(allocation->channel_to(kPeer2, at(2)).has_value());
    EXPECT_EQ(peer_of(only()), kPeer2) << "others are not concerned";
    EXPECT_FALSE(allocation->channel_to(kPeer1, at(601)).has_value());
    EXPECT_EQ(peer_of(only()), kPeer1);
}

TEST_F(ChannelsTest, APeerRefusedForAnotherReasonIsTriedAgainSoonButNotAtOnce) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto bind = only();

    deliver(bind, error(bind, 508), 1);

    EXPECT_FALSE(allocation->channel_to(kPeer1, at(3.9)).has_value());
    EXPECT_TRUE(sent().empty());
    EXPECT_FALSE(allocation->channel_to(kPeer1, at(4)).has_value());
    EXPECT_EQ(peer_of(only()), kPeer1);
}

TEST_F(ChannelsTest, ForbiddenPeersAreForgottenWithTheAllocation) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto bind = only();
    deliver(bind, error(bind, 403), 1);
    allocation->refresh(at(2));
    const auto refresh = only();
    deliver(refresh, error(refresh, 437), 2);
    const auto again = only();
    deliver(again, allocate_success(again, {kAllocated4}), 2);

    allocation->bind_channel(kPeer1, at(3));

    EXPECT_EQ(peer_of(only()), kPeer1);
}

TEST_F(ChannelsTest, TheListOfRefusedPeersIsBounded) {
    allocate();
    for (std::uint16_t port = 1; port <= 2 * kMaxRefusedPeers; ++port) {
        allocation->bind_channel({kPeer1.ip, port}, at(port * 0.01));
        const auto bind = only();
        deliver(bind, error(bind, 403), port * 0.01);
    }

    allocation->bind_channel({kPeer1.ip, 1}, at(10));
    EXPECT_EQ(methods(), (std::vector{Method::kChannelBind})) << "the oldest is forgotten";
    allocation->bind_channel({kPeer1.ip, 2 * kMaxRefusedPeers}, at(10));
    EXPECT_TRUE(sent().empty());
}

TEST_F(ChannelsTest, AnAllocationOfSomebodyElseIsGivenUp) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto bind = only();

    deliver(bind, error(bind, 441), 1);

    EXPECT_EQ(events(), kBothRelayedInvalid);
    const auto again = only();
    EXPECT_EQ(again.method(), Method::kAllocate);
    deliver(again, allocate_success(again, {kAllocated4}), 1);
    EXPECT_EQ(peer_of(only()), kPeer1);
}

TEST_F(ChannelsTest, MismatchAllocatesAnewAndBindsAgain) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto bind = only();

    deliver(bind, error(bind, 437), 1);

    EXPECT_EQ(events(), kBothRelayedInvalid);
    const auto again = only();
    EXPECT_EQ(again.method(), Method::kAllocate);
    deliver(again, allocate_success(again, {kAllocated4}), 1);
    EXPECT_EQ(peer_of(only()), kPeer1);
}

TEST_F(ChannelsTest, DoesNotBindABoundPeer) {
    allocate();
    bind(kPeer1, 1);

    allocation->bind_channel(kPeer1, at(2));

    EXPECT_TRUE(sent().empty());
}

TEST_F(ChannelsTest, BindRequestCarriesPeerNumberAndCredentials) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto request = only();
    std::vector<AttributeType> types;
    for (const auto& attribute : request.message().attributes()) {
        types.push_back(attribute.type);
    }

    EXPECT_EQ(types,
              (std::vector{AttributeType::kXorPeerAddress, AttributeType::kChannelNumber, AttributeType::kSoftware,
                           AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce}));
    EXPECT_TRUE(request.message().has_integrity());
}

TEST_F(ChannelsTest, ReceivesOnlyOnBoundChannels) {
    allocate();
    allocation->bind_channel(kPeer1, at(1));
    const auto request = only();
    EXPECT_FALSE(allocation->receive_on_channel(kRelay4, 0x4000).has_value());

    deliver(request, bind_success(request), 1);

    EXPECT_EQ(allocation->receive_on_channel(kRelay4, 0x4000), kPeer1);
    EXPECT_FALSE(allocation->receive_on_channel(kRelay4, 0x4001).has_value());
    EXPECT_FALSE(allocation->receive_on_channel(kRelay4, 0x7fff).has_value());
    EXPECT_FALSE(allocation->receive_on_channel(kRelay4, 0).has_value());
    EXPECT_FALSE(allocation->receive_on_channel(kRelay6, 0x4000).has_value()) << "not the address in use";
}

/// Answers what is due up to `until`, binds excepted, which are returned.
class ChannelRefreshTest : public AllocationTest {
protected:
    std::vector<Sent> run_until(double until) {
        std::vector<Sent> binds;
        for (auto next = allocation->poll_timeout(); next && *next <= at(until); next = allocation->poll_timeout()) {
            now_ = std::chrono::duration<double>(*next - at(0)).count();
            allocation->handle_timeout(*next);
            for (const auto& request : sent()) {
                if (request.method() == Method::kChannelBind) {
                    binds.push_back(request);
                } else {
                    deliver(
                        request,
                        request.method() == Method::kBinding ? binding_success(request) : refresh_success(request, 600),
                        now_);
                }
            }
        }
        return binds;
    }
    double now_ = 0;
};

TEST_F(ChannelRefreshTest, BindsAUsedChannelAgainAfterFiveMinutes) {
    allocate();
    const auto channel = bind(kPeer1, 1);
    EXPECT_EQ(allocation->receive_on_channel(kRelay4, channel), kPeer1);

    EXPECT_TRUE(run_until(300.9).empty());
    const auto binds = run_until(301);

    ASSERT_EQ(binds.size(), 1U);
    EXPECT_EQ(binds[0].message().channel_number(), channel);
    EXPECT_EQ(peer_of(binds[0]), kPeer1);
    allocation->handle_timeout(at(301.5));
    EXPECT_TRUE(sent().empty()) << "a bind is in flight";

    deliver(binds[0], bind_success(binds[0]), 301.6);
    EXPECT_TRUE(run_until(900).empty()) << "nothing was received since";
    EXPECT_EQ(allocation->channel_to(kPeer1, at(901)), channel);
}

TEST_F(ChannelRefreshTest, LetsAnUnusedChannelExpireSilently) {
    allocate();
    const auto channel = bind(kPeer1, 1);

    EXPECT_TRUE(run_until(600).empty());

    EXPECT_EQ(allocation->channel_to(kPeer1, at(600.9)), channel);
    EXPECT_FALSE(allocation->channel_to(kPeer1, at(601)).has_value());
    EXPECT_EQ(only().message().channel_number(), channel) << "same peer, same number";
}

TEST_F(TimersTest, RefreshesAtHalfTheLifetime) {
    allocate();

    allocation->handle_timeout(at(300));

    const auto seen = methods();
    EXPECT_EQ(std::ranges::count(seen, Method::kRefresh), 1);
    EXPECT_GT(allocation->poll_timeout(), at(300));
}

TEST_F(TimersTest, LosesTheAllocationAtTheEndOfItsLifetime) {
    allocate();
    EXPECT_EQ(allocation->poll_timeout(), at(25));

    allocation->handle_timeout(at(600));

    EXPECT_EQ(events(), kBothRelayedInvalid);
    EXPECT_FALSE(allocation->has_allocation());
}

TEST_F(TimersTest, SendsABindingEvery25Seconds) {
    allocate();
    for (const double when : {25.0, 50.0, 75.0}) {
        ASSERT_EQ(allocation->poll_timeout(), at(when));
        allocation->handle_timeout(at(when));
        const auto binding = only();
        EXPECT_EQ(binding.method(), Method::kBinding);
        EXPECT_EQ(binding.to, kRelay4);
        deliver(binding, binding_success(binding), when);
        EXPECT_TRUE(sent().empty());
        EXPECT_TRUE(events().empty());
    }
}

TEST_F(TimersTest, LosesTheRelayWhenKeepAlivesAreNotAnswered) {
    allocate();
    for (const double when : {25.0, 26.0, 27.5, 29.75, 33.125}) {
        ASSERT_EQ(allocation->poll_timeout(), at(when));
        EXPECT_FALSE(allocation->is_dead());
        allocation->handle_timeout(at(when));
        sent();
    }

    EXPECT_EQ(events(), kBothRelayedInvalid);
    EXPECT_FALSE(allocation->poll_timeout().has_value());
    EXPECT_EQ(allocation->death_reason(), DeathReason::kNoResponse);
}

TEST_F(TimersTest, ShorterLifetimeRefreshesEarlier) {
    start_v4();
    const auto first = answer_binding();
    deliver(first, allocate_success(first, {kAllocated4}, 20), 0);

    ASSERT_EQ(allocation->poll_timeout(), at(10));
    allocation->handle_timeout(at(10));
    const auto refresh = only();
    EXPECT_EQ(refresh.method(), Method::kRefresh);
    deliver(refresh, refresh_success(refresh, 40), 10);
    EXPECT_EQ(allocation->poll_timeout(), at(25));  // keep-alive; the next refresh is at 30
}

}  // namespace
}  // namespace culvert::turn::test
