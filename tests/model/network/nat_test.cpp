#include "tests/model/network/nat.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace culvert::model {
namespace {

using enum Dependence;

constexpr std::array kAll{kIndependent, kAddress, kAddressAndPort};
constexpr Duration kTick{1};
constexpr Instant kStart{seconds{1000}};

net::SocketAddress socket(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

const auto kPublic = net::IpAddress::parse("198.18.0.1").value();
const auto kInner = socket("192.168.0.1:5000");
const auto kInner6 = socket("[2001:db8:c0::1]:5000");
const auto kRemote = socket("203.0.113.1:3478");
const auto kRemoteOtherPort = socket("203.0.113.1:50000");
const auto kOther = socket("203.0.113.2:3478");
const auto kRemote6 = socket("[2001:db8:3478::1]:3478");
const auto kRemote6OtherPort = socket("[2001:db8:3478::1]:50000");
const auto kOther6 = socket("[2001:db8:3478:1::1]:3478");

Nat make(NatBox box) {
    return Nat{box, kPublic, 7};
}

TEST(Nat, MapsEveryRemoteEndToOnePortIfEndpointIndependent) {
    auto nat = make({.mapping = kIndependent});

    const auto outer = nat.outbound(kInner, kRemote, kStart);

    EXPECT_EQ(outer.ip, kPublic);
    EXPECT_EQ(nat.outbound(kInner, kRemoteOtherPort, kStart), outer);
    EXPECT_EQ(nat.outbound(kInner, kOther, kStart), outer);
}

TEST(Nat, MapsEveryRemoteAddressToAPortIfAddressDependent) {
    auto nat = make({.mapping = kAddress});

    const auto outer = nat.outbound(kInner, kRemote, kStart);

    EXPECT_EQ(nat.outbound(kInner, kRemoteOtherPort, kStart), outer);
    EXPECT_NE(nat.outbound(kInner, kOther, kStart), outer);
}

TEST(Nat, MapsEveryRemoteEndToAPortIfAddressAndPortDependent) {
    auto nat = make({.mapping = kAddressAndPort});

    const auto outer = nat.outbound(kInner, kRemote, kStart);

    EXPECT_EQ(nat.outbound(kInner, kRemote, kStart), outer);
    EXPECT_NE(nat.outbound(kInner, kRemoteOtherPort, kStart), outer);
    EXPECT_NE(nat.outbound(kInner, kOther, kStart), outer);
    EXPECT_EQ(nat.outer_endpoints(kInner, kStart).size(), 3U);
}

/// What a mapping that was created towards `remote` admits, for every pair of mapping and filtering behaviour.
void expect_admission(const net::SocketAddress& inner, const net::SocketAddress& remote,
                      const net::SocketAddress& remote_other_port, const net::SocketAddress& other) {
    for (const auto mapping : kAll) {
        for (const auto filtering : kAll) {
            SCOPED_TRACE(testing::Message() << static_cast<int>(mapping) << " x " << static_cast<int>(filtering));
            auto nat = make({.mapping = mapping, .filtering = filtering});
            const auto outer = nat.outbound(inner, remote, kStart);
            const auto admits = [&](const net::SocketAddress& from) {
                const auto result = nat.inbound(from, outer, kStart);
                return result ? *result == inner : result.error() != DropReason::kNatFiltered;
            };

            EXPECT_TRUE(admits(remote));
            EXPECT_EQ(admits(remote_other_port), filtering != kAddressAndPort);
            EXPECT_EQ(admits(other), filtering == kIndependent);
        }
    }
}

TEST(Nat, AdmitsWhomItsFilterSays) {
    expect_admission(kInner, kRemote, kRemoteOtherPort, kOther);
}

TEST(Nat, FiltersIpv6LikeIpv4) {
    expect_admission(kInner6, kRemote6, kRemote6OtherPort, kOther6);
}

TEST(Nat, DoesNotTranslateIpv6) {
    auto nat = make({.mapping = kAddressAndPort});

    EXPECT_EQ(nat.inbound(kRemote6, kInner6, kStart).error(), DropReason::kNatNoMapping);
    EXPECT_EQ(nat.outbound(kInner6, kRemote6, kStart), kInner6);
    EXPECT_EQ(nat.inbound(kRemote6, kInner6, kStart), kInner6);
}

TEST(Nat, KnowsNoPortThatNobodySentFrom) {
    auto nat = make({});

    EXPECT_EQ(nat.inbound(kRemote, {kPublic, 5000}, kStart).error(), DropReason::kNatNoMapping);
}

TEST(Nat, ForgetsAMappingExactlyAfterItsTimeout) {
    for (const auto filtering : kAll) {
        const NatBox box{.filtering = filtering, .inbound_refreshes = false, .idle_timeout = seconds{60}};
        auto nat = make(box);
        const auto outer = nat.outbound(kInner, kRemote, kStart);

        EXPECT_TRUE(nat.inbound(kRemote, outer, kStart + box.idle_timeout - kTick));
        EXPECT_EQ(nat.inbound(kRemote, outer, kStart + box.idle_timeout).error(), DropReason::kNatNoMapping);
    }
}

TEST(Nat, OutboundPacketsKeepMappingAndFilterAlive) {
    const NatBox box{.idle_timeout = seconds{60}};
    auto nat = make(box);
    const auto outer = nat.outbound(kInner, kRemote, kStart);
    const auto later = kStart + box.idle_timeout - kTick;

    EXPECT_EQ(nat.outbound(kInner, kRemote, later), outer);

    EXPECT_TRUE(nat.inbound(kRemote, outer, later + box.idle_timeout - kTick));
    EXPECT_FALSE(nat.inbound(kRemote, outer, later + box.idle_timeout));
}

TEST(Nat, InboundPacketsKeepTheMappingAliveIfTheBoxDoesSo) {
    for (const bool refreshes : {false, true}) {
        const NatBox box{.filtering = kIndependent, .inbound_refreshes = refreshes, .idle_timeout = seconds{60}};
        auto nat = make(box);
        const auto outer = nat.outbound(kInner, kRemote, kStart);
        const auto later = kStart + box.idle_timeout - kTick;

        EXPECT_TRUE(nat.inbound(kRemote, outer, later));

        EXPECT_EQ(nat.inbound(kRemote, outer, later + kTick).has_value(), refreshes);
    }
}

TEST(Nat, InboundPacketsDoNotKeepTheFilterOpen) {
    const NatBox box{.filtering = kAddress, .inbound_refreshes = true, .idle_timeout = seconds{60}};
    auto nat = make(box);
    const auto outer = nat.outbound(kInner, kRemote, kStart);
    const auto later = kStart + box.idle_timeout - kTick;

    EXPECT_TRUE(nat.inbound(kRemote, outer, later));

    EXPECT_EQ(nat.inbound(kRemote, outer, later + kTick).error(), DropReason::kNatFiltered);
}

TEST(Nat, RejectedPacketsKeepNothingAlive) {
    const NatBox box{.filtering = kAddress, .inbound_refreshes = true, .idle_timeout = seconds{60}};
    auto nat = make(box);
    const auto outer = nat.outbound(kInner, kRemote, kStart);
    const auto later = kStart + box.idle_timeout - kTick;

    EXPECT_FALSE(nat.inbound(kOther, outer, later));

    EXPECT_EQ(nat.inbound(kOther, outer, later + kTick).error(), DropReason::kNatNoMapping);
}

TEST(Nat, KeepsTheInnerPortWhileItIsFree) {
    auto nat = make({.keeps_port = true});
    const auto neighbour = socket("192.168.0.2:5000");

    EXPECT_EQ(nat.outbound(kInner, kRemote, kStart).port, kInner.port);
    EXPECT_NE(nat.outbound(neighbour, kRemote, kStart).port, kInner.port);
}

TEST(Nat, TranslatesThePortOtherwise) {
    for (const auto mapping : kAll) {
        auto nat = make({.mapping = mapping, .keeps_port = false});

        EXPECT_GE(nat.outbound(kInner, kRemote, kStart).port, Nat::kFirstPort);
    }
}

TEST(Nat, GivesAPortToOneEndpointOnly) {
    for (const auto mapping : kAll) {
        auto nat = make({.mapping = mapping});
        std::set<net::SocketAddress> outer;

        for (std::uint16_t port = 1; port <= 1000; ++port) {
            outer.insert(nat.outbound({kInner.ip, port}, kRemote, kStart));
            outer.insert(nat.outbound({socket("192.168.0.2:1").ip, port}, kRemote, kStart));
        }

        EXPECT_EQ(outer.size(), 2000U);
    }
}

TEST(Nat, AfterExpiryOnlyAnEndpointIndependentMappingGetsItsPortBack) {
    for (const auto mapping : kAll) {
        const NatBox box{.mapping = mapping, .keeps_port = false};
        auto nat = make(box);
        const auto before = nat.outbound(kInner, kRemote, kStart);

        const auto after = nat.outbound(kInner, kRemote, kStart + box.idle_timeout);

        EXPECT_EQ(after == before, mapping == kIndependent);
    }
}

TEST(Nat, MapsOnlyTheFirstTo3478) {
    for (const auto mapping : kAll) {
        const NatBox box{.mapping = mapping, .maps_to_3478 = true};
        auto nat = make(box);

        EXPECT_EQ(nat.outbound(kInner, kRemote, kStart).port, 3478);
        EXPECT_NE(nat.outbound({kInner.ip, 5001}, kRemote, kStart).port, 3478);

        const auto after_expiry = kStart + box.idle_timeout;
        EXPECT_NE(nat.outbound({kInner.ip, 5001}, kRemote, after_expiry).port, 3478);
        EXPECT_EQ(nat.outbound(kInner, kRemote, after_expiry).port == 3478, mapping == kIndependent);
    }
}

TEST(Nat, MapsTheFirstAfterARebootTo3478) {
    auto nat = make({.maps_to_3478 = true});
    nat.outbound(kInner, kRemote, kStart);

    nat.reboot();

    EXPECT_EQ(nat.outbound({kInner.ip, 5001}, kRemote, kStart).port, 3478);
    EXPECT_NE(nat.outbound(kInner, kRemote, kStart).port, 3478);
}

TEST(Nat, ForgetsTheOldestMappingWhenItsTableIsFull) {
    auto nat = make({.filtering = kIndependent});
    const auto port_of = [](std::size_t i) { return static_cast<std::uint16_t>(1 + i); };
    for (std::size_t i = 0; i < Nat::kTableSize; ++i) {
        nat.outbound({kInner.ip, port_of(i)}, kRemote, kStart);
    }
    nat.outbound({kInner.ip, port_of(0)}, kRemote, kStart);

    nat.outbound({kInner.ip, port_of(Nat::kTableSize)}, kRemote, kStart);

    EXPECT_TRUE(nat.inbound(kRemote, {kPublic, port_of(0)}, kStart));
    EXPECT_FALSE(nat.inbound(kRemote, {kPublic, port_of(1)}, kStart));
    EXPECT_TRUE(nat.inbound(kRemote, {kPublic, port_of(2)}, kStart));
}

TEST(Nat, ForgetsEverythingWhenItReboots) {
    auto nat = make({.keeps_port = false});
    const auto before = nat.outbound(kInner, kRemote, kStart);
    nat.outbound(kInner6, kRemote6, kStart);

    nat.reboot();

    EXPECT_FALSE(nat.inbound(kRemote, before, kStart));
    EXPECT_FALSE(nat.inbound(kRemote6, kInner6, kStart));
    EXPECT_NE(nat.outbound(kInner, kRemote, kStart), before);
}

TEST(Nat, HasAnotherAddressWhenItIsRenumbered) {
    auto nat = make({});
    const auto before = nat.outbound(kInner, kRemote, kStart);
    const auto address = socket("198.18.0.2:1").ip;

    nat.renumber(address);
    const auto after = nat.outbound(kInner, kRemote, kStart);

    EXPECT_EQ(after.ip, address);
    EXPECT_FALSE(nat.inbound(kRemote, before, kStart));
    EXPECT_TRUE(nat.inbound(kRemote, after, kStart));
}

TEST(Nat, BehavesLikeTheBoxThatReplacedIt) {
    auto nat = make({.mapping = kIndependent});
    const auto before = nat.outbound(kInner, kRemote, kStart);

    nat.replace({.mapping = kAddressAndPort, .idle_timeout = seconds{300}});

    EXPECT_FALSE(nat.inbound(kRemote, before, kStart));
    const auto after = nat.outbound(kInner, kRemote, kStart);
    EXPECT_EQ(after.ip, before.ip);
    EXPECT_NE(nat.outbound(kInner, kOther, kStart).port, after.port);
    EXPECT_TRUE(nat.inbound(kRemote, after, kStart + seconds{299}));
}

}  // namespace
}  // namespace culvert::model
