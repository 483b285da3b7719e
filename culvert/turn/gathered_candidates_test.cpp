#include "culvert/turn/gathered_candidates.h"

#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

net::SocketAddress address(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

const auto kLocal = address("192.0.2.7:1000");
const auto kMapped = address("203.0.113.7:2000");
const auto kMoved = address("203.0.113.8:2000");
const auto kRelayed = address("203.0.113.21:50000");
const auto kRelayed6 = address("[2001:db8::21]:50000");

std::vector<AllocationEvent> events(GatheredCandidates& candidates) {
    std::vector<AllocationEvent> out;
    while (auto event = candidates.poll_event()) {
        out.push_back(*event);
    }
    return out;
}

TEST(GatheredCandidates, OneAnswerTellsOfHostAndReflexive) {
    GatheredCandidates candidates;
    candidates.add_mapping(kLocal, kMapped);
    const GatheredCandidate host{GatheredKind::kHost, kLocal, kLocal};
    const GatheredCandidate reflexive{GatheredKind::kServerReflexive, kMapped, kLocal};
    EXPECT_THAT(events(candidates), ElementsAre(NewCandidate{host}, NewCandidate{reflexive}));
    EXPECT_THAT(candidates.all(), ElementsAre(host, reflexive));
    candidates.add_mapping(kLocal, kMapped);
    EXPECT_THAT(events(candidates), IsEmpty()) << "nothing new";
}

TEST(GatheredCandidates, WhatReplacesAnotherComesBeforeThatOneGoes) {
    GatheredCandidates candidates;
    candidates.add_mapping(kLocal, kMapped);
    (void)events(candidates);
    candidates.add_mapping(kLocal, kMoved);
    EXPECT_THAT(events(candidates), ElementsAre(NewCandidate{{GatheredKind::kServerReflexive, kMoved, kLocal}},
                                                InvalidCandidate{{GatheredKind::kServerReflexive, kMapped, kLocal}}));
}

TEST(GatheredCandidates, RelayedOnesKnowWhetherTheyAreOfAnotherFamilyThanTheRelay) {
    GatheredCandidates candidates;
    EXPECT_TRUE(candidates.add_relayed({kRelayed6, kRelayed}, net::Family::kIpv4));
    EXPECT_THAT(candidates.all(), ElementsAre(GatheredCandidate{GatheredKind::kRelayed, kRelayed, kRelayed, false},
                                              GatheredCandidate{GatheredKind::kRelayed, kRelayed6, kRelayed6, true}));
    (void)events(candidates);
    candidates.remove_relayed();
    EXPECT_EQ(events(candidates).size(), 2U);
    EXPECT_THAT(candidates.all(), IsEmpty());
    candidates.remove_relayed();
    EXPECT_THAT(events(candidates), IsEmpty());
}

TEST(GatheredCandidates, AHostileRelayNamesNoAddressThatPeersMustNotSendTo) {
    GatheredCandidates candidates;
    for (const auto* text : {"0.0.0.0:1", "127.0.0.1:1", "224.0.0.1:1", "169.254.1.1:1", "203.0.113.1:0"}) {
        EXPECT_FALSE(candidates.add_relayed({address(text)}, net::Family::kIpv4)) << text;
    }
    EXPECT_THAT(events(candidates), IsEmpty());
}

}  // namespace
}  // namespace culvert::turn
