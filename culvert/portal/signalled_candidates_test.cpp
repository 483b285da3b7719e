#include "culvert/portal/signalled_candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "culvert/portal/constants.h"

namespace culvert::portal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

template <typename Id>
Id id(unsigned number) {
    std::array<std::uint8_t, 16> bytes{};
    bytes[13] = static_cast<std::uint8_t>(number >> 16);
    bytes[14] = static_cast<std::uint8_t>(number >> 8);
    bytes[15] = static_cast<std::uint8_t>(number);
    return Id{Uuid{bytes}};
}

const auto kSite = id<SiteId>(7);
const auto kClient = id<ClientId>(2);
const auto kOther = id<ClientId>(3);

Gateway gateway(int key, unsigned number = 1, SiteId site = kSite) {
    Gateway gateway{};
    gateway.id = id<GatewayId>(number);
    gateway.site = site;
    gateway.public_key.bytes[0] = static_cast<std::byte>(key);
    return gateway;
}

using Strings = std::vector<std::string>;

TEST(SignalledCandidates, AreGoneWithTheKeyOfTheirGateway) {
    SignalledCandidates signalled;
    EXPECT_THAT(signalled.start(gateway(1)), IsEmpty());
    signalled.add(gateway(1), kClient, Strings{"a", "b", "a"});
    signalled.add(gateway(1), kOther, Strings{"a", "b"});
    signalled.add(gateway(1), kClient, Strings{"c"});
    signalled.remove(gateway(1), kClient, Strings{"b"});
    EXPECT_THAT(signalled.start(gateway(1)), IsEmpty()) << "the same process is back";
    EXPECT_THAT(signalled.start(gateway(2)),
                ElementsAre(Pair(kClient, ElementsAre("a", "c")), Pair(kOther, ElementsAre("a", "b"))));
    EXPECT_THAT(signalled.start(gateway(3)), IsEmpty()) << "said once";
    EXPECT_EQ(signalled.size(kSite), 0U);
}

TEST(SignalledCandidates, OfOneGatewayAreNoneOfAnother) {
    SignalledCandidates signalled;
    signalled.add(gateway(1), kClient, Strings{"a"});
    signalled.add(gateway(1, 9), kClient, Strings{"b"});
    EXPECT_THAT(signalled.start(gateway(2, 8)), IsEmpty());
    EXPECT_THAT(signalled.start(gateway(2, 9)), ElementsAre(Pair(kClient, ElementsAre("b"))));
    EXPECT_THAT(signalled.start(gateway(2)), SizeIs(1));
}

TEST(SignalledCandidates, WhatAnotherProcessSaidIsNotMixedIn) {
    SignalledCandidates signalled;
    signalled.add(gateway(1), kClient, Strings{"a"});
    signalled.add(gateway(2), kClient, Strings{"b"});
    EXPECT_THAT(signalled.start(gateway(2)), IsEmpty());
    EXPECT_THAT(signalled.start(gateway(3)), ElementsAre(Pair(kClient, ElementsAre("b"))));
}

TEST(SignalledCandidates, ThatAreAllWithdrawnTakeNoRoom) {
    SignalledCandidates signalled;
    signalled.add(gateway(1), kClient, Strings{"a", "b"});
    signalled.remove(gateway(1), kClient, Strings{"b", "a"});
    EXPECT_EQ(signalled.size(kSite), 0U);
    signalled.remove(gateway(1), kClient, Strings{"b", "a"});
    EXPECT_EQ(signalled.size(kSite), 0U);
}

TEST(SignalledCandidates, OfOneClientAreBoundedAndTheNewestCount) {
    SignalledCandidates signalled;
    Strings many;
    for (unsigned i = 0; i < kMaxRememberedCandidates + 2; ++i) {
        many.push_back(std::to_string(i));
    }
    signalled.add(gateway(1), kClient, many);
    const auto told = signalled.start(gateway(2));
    EXPECT_EQ(told.at(kClient).size(), kMaxRememberedCandidates);
    EXPECT_EQ(told.at(kClient).back(), many.back());
    EXPECT_EQ(signalled.size(kSite), 0U);
}

TEST(SignalledCandidates, OfOneSiteAreBoundedWhateverItsGatewaysDo) {
    SignalledCandidates signalled;
    const auto elsewhere = gateway(1, 50, id<SiteId>(8));
    signalled.add(elsewhere, kClient, Strings{"untouched"});
    const Strings longest{std::string(kMaxCandidateLength, 'x')};
    const auto fitting = static_cast<unsigned>(kMaxRememberedBytes / (kRememberedClientSize + kMaxCandidateLength));
    for (unsigned client = 1; client <= fitting; ++client) {
        signalled.add(gateway(1, 1 + client % 2), id<ClientId>(client), longest);
        if (client % 100 == 0) {
            signalled.add(gateway(1, 2), id<ClientId>(1), Strings{"still of use"});
        }
        ASSERT_LE(signalled.size(kSite), kMaxRememberedBytes);
    }
    EXPECT_GT(signalled.size(kSite), kMaxRememberedBytes / 2);
    const auto of_first = signalled.start(gateway(2, 1));
    const auto of_second = signalled.start(gateway(2, 2));
    EXPECT_THAT(of_first, Not(Contains(Key(id<ClientId>(2))))) << "the oldest are forgotten";
    EXPECT_THAT(of_second, Contains(Key(id<ClientId>(1)))) << "it was told something since";
    EXPECT_THAT(fitting % 2 == 0 ? of_first : of_second, Contains(Key(id<ClientId>(fitting))));
    EXPECT_EQ(signalled.size(kSite), 0U);
    EXPECT_GT(signalled.size(elsewhere.site), 0U) << "another site's are not touched";
}

TEST(SignalledCandidates, GoWithTheirSite) {
    SignalledCandidates signalled;
    signalled.add(gateway(1), kClient, Strings{"a"});
    signalled.keep_only({{kSite, Site{}}});
    EXPECT_GT(signalled.size(kSite), 0U);
    signalled.keep_only({});
    EXPECT_EQ(signalled.size(kSite), 0U);
}

}  // namespace
}  // namespace culvert::portal
