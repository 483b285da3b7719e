#include "culvert/ice/checklist.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/ice/constants.h"

namespace culvert::ice {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{1h};

net::SocketAddress address(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

CandidateSet::Entry host(std::uint32_t id, std::string_view text) {
    return {id, host_candidate(address(text)).value()};
}

CandidateSet::Entry relayed(std::uint32_t id, std::string_view text) {
    return {id, relay_candidate(address(text), net::Family::kIpv4).value()};
}

const auto kHost = host(1, "192.0.2.1:1000");
const auto kRelayed = relayed(2, "203.0.113.21:50000");
const auto kPeer = host(3, "198.51.100.1:1000");
const auto kPeer6 = host(4, "[2001:db8::1]:1000");

TEST(Checklist, KeepsPairsByDescendingPriority) {
    Checklist checklist{AgentRole::kControlling};
    EXPECT_TRUE(checklist.add(kRelayed, kPeer));
    EXPECT_TRUE(checklist.add(kHost, kPeer));
    ASSERT_EQ(checklist.pairs().size(), 2U);
    EXPECT_EQ(checklist.pairs()[0].local().id, kHost.id);
    EXPECT_EQ(checklist.pairs()[1].local().id, kRelayed.id);
}

TEST(Checklist, PairsNoTwoFamilies) {
    Checklist checklist{AgentRole::kControlling};
    EXPECT_TRUE(checklist.add(kHost, kPeer6));
    EXPECT_TRUE(checklist.empty());
}

TEST(Checklist, KeepsTheBetterOfTwoPairsWithOneBaseAndOneAddress) {
    Checklist checklist{AgentRole::kControlling};
    auto worse = kPeer;
    worse.id = 7;
    worse.candidate.priority /= 2;
    EXPECT_TRUE(checklist.add(kHost, worse));
    checklist.pairs().front().nominate();
    EXPECT_TRUE(checklist.add(kHost, kPeer));
    ASSERT_EQ(checklist.pairs().size(), 1U);
    EXPECT_EQ(checklist.pairs().front().remote().id, kPeer.id);
    EXPECT_TRUE(checklist.has_nominated()) << "the path stays nominated";
    EXPECT_TRUE(checklist.add(kHost, worse));
    EXPECT_EQ(checklist.pairs().front().remote().id, kPeer.id);
}

TEST(Checklist, DropsTheWorstWhenThereAreTooMany) {
    Checklist checklist{AgentRole::kControlling};
    EXPECT_TRUE(checklist.add(kRelayed, kPeer));
    for (std::uint32_t n = 1; n < kMaxPairs; ++n) {
        EXPECT_TRUE(checklist.add(kHost, host(10 + n, "198.51.100.1:" + std::to_string(2000 + n))));
    }
    EXPECT_FALSE(checklist.add(kHost, kPeer));
    EXPECT_EQ(checklist.pairs().size(), kMaxPairs);
    EXPECT_FALSE(checklist.has_pair_of(kRelayed.id));
}

TEST(Checklist, ForgetsThePairsOfACandidate) {
    Checklist checklist{AgentRole::kControlling};
    checklist.add(kHost, kPeer);
    checklist.add(kRelayed, kPeer);
    EXPECT_NE(checklist.find(kHost.candidate.base, kPeer.candidate.address), nullptr);
    checklist.remove_pairs_of(kHost.id);
    EXPECT_EQ(checklist.find(kHost.candidate.base, kPeer.candidate.address), nullptr);
    EXPECT_TRUE(checklist.has_pair_of(kPeer.id));
    checklist.remove_pairs_of(kPeer.id);
    EXPECT_TRUE(checklist.empty());
    EXPECT_EQ(checklist.next_check(kDefaultTiming, kNow), std::nullopt);
}

TEST(Checklist, LetsANominatedPairThatHasNotSaidSoGoFirst) {
    Checklist checklist{AgentRole::kControlling};
    checklist.add(kHost, kPeer);
    checklist.add(kRelayed, kPeer);
    EXPECT_EQ(checklist.next_due(kDefaultTiming, kNow)->local().id, kHost.id);
    checklist.pairs()[1].nominate();
    EXPECT_EQ(checklist.next_due(kDefaultTiming, kNow)->local().id, kRelayed.id);
}

TEST(Checklist, IsDueWhenItsFirstPairIs) {
    Checklist checklist{AgentRole::kControlling};
    checklist.add(kHost, kPeer);
    EXPECT_EQ(checklist.next_check(kDefaultTiming, kNow), kNow);
    checklist.next_due(kDefaultTiming, kNow)->record_check(TransactionId{}, kDefaultTiming, kNow);
    EXPECT_EQ(checklist.next_due(kDefaultTiming, kNow), nullptr);
    EXPECT_EQ(checklist.next_check(kDefaultTiming, kNow), kNow + kDefaultTiming.initial_rto);
}

TEST(CandidateSet, PrefersTheOneInUseOfTwoWithOneAddress) {
    Checklist checklist{AgentRole::kControlled};
    CandidateSet set;
    set.add(1, kHost.candidate, checklist).is_discarded = true;
    EXPECT_EQ(set.find_by_address(kHost.candidate.address)->id, 1U);
    auto other = kHost.candidate;
    other.kind = CandidateKind::kRelay;
    set.add(2, other, checklist);
    EXPECT_EQ(set.find_by_address(kHost.candidate.address)->id, 2U);
    EXPECT_EQ(set.in_use(), std::vector{other});
}

TEST(CandidateSet, AWithdrawnAddressIsNoNewOneUnlessItWasReflexive) {
    Checklist checklist{AgentRole::kControlled};
    CandidateSet set;
    const auto from = kPeer.candidate.address;
    EXPECT_FALSE(set.find_sender(from).is_withdrawn);
    auto& entry = set.add(1, kPeer.candidate, checklist);
    EXPECT_EQ(set.find_sender(from).entry->id, 1U);
    entry.is_discarded = true;
    EXPECT_EQ(set.find_sender(from).entry, nullptr);
    EXPECT_TRUE(set.find_sender(from).is_withdrawn);
    entry.candidate.kind = CandidateKind::kServerReflexive;
    EXPECT_FALSE(set.find_sender(from).is_withdrawn);
}

TEST(CandidateSet, ForgetsDiscardedOnesFirstThenThoseWithoutPairs) {
    Checklist checklist{AgentRole::kControlling};
    CandidateSet set;
    for (std::uint32_t n = 0; n < kMaxCandidates; ++n) {
        const auto& entry =
            set.add(n, host_candidate(address("198.51.100.1:" + std::to_string(1000 + n))).value(), checklist);
        if (n == 0) {
            checklist.add({9999, kHost.candidate}, entry);
        }
    }
    set.find(host_candidate(address("198.51.100.1:1005")).value())->is_discarded = true;
    set.add(1000, host_candidate(address("198.51.100.2:1")).value(), checklist);
    EXPECT_EQ(set.find_by_id(5), nullptr);
    set.add(1001, host_candidate(address("198.51.100.2:2")).value(), checklist);
    EXPECT_NE(set.find_by_id(0), nullptr) << "has a pair";
    EXPECT_EQ(set.find_by_id(1), nullptr);
    EXPECT_EQ(set.entries().size(), kMaxCandidates);
}

}  // namespace
}  // namespace culvert::ice
