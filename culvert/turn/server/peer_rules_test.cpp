#include "culvert/turn/server/peer_rules.h"

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}
net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

PeerRules::Config on_the_internet() {
    return {.public_v4 = ip("8.8.4.4"),
            .public_v6 = ip("2a00:1450::50"),
            .listen_port = 3478,
            .lowest_port = 49152,
            .highest_port = 65535,
            .local_addresses = {ip("10.1.2.3"), ip("2a00:1450::51")},
            .allowed = {},
            .denied = {}};
}

/// Public addresses of documentation ranges, as in a laboratory.
PeerRules::Config in_a_private_network() {
    auto config = on_the_internet();
    config.public_v4 = ip("203.0.113.50");
    config.public_v6 = ip("2001:db8:50::1");
    return config;
}

std::vector<net::IpNetwork> everything() {
    return {*net::IpNetwork::parse("0.0.0.0/0"), *net::IpNetwork::parse("::/0")};
}

constexpr auto kNobodys = {
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "febf::1",
    "ff02::1",
    "ff0e::1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "64:ff9b::169.254.169.254",
    "2001:0:102:304::1",
    "2002:e000:1::1",
};
constexpr auto kNotGlobal = {
    "10.0.0.1",          "172.16.0.1",    "172.31.255.255", "192.168.1.1",  "100.64.0.1",  "100.127.255.255",
    "192.0.0.8",         "192.0.2.1",     "198.18.0.1",     "198.51.100.1", "203.0.113.1", "fc00::1",
    "fd12:3456::1",      "2001:db8::1",   "3fff::1",        "100::1",       "5f00::1",     "fec0::1",
    "64:ff9b::10.0.0.1", "2002:a00:1::1", "4000::1",        "192.88.99.1",
};
constexpr auto kGlobal = {
    "1.1.1.1",         "100.63.255.255", "100.128.0.1", "172.15.0.1",      "172.32.0.1",       "192.0.1.1",
    "223.255.255.255", "2a00:1450::1",   "2600::1",     "2002:808:808::1", "64:ff9b::8.8.8.8",
};

TEST(PeerRules, KnowTheInternet) {
    for (const auto* text : kGlobal) {
        EXPECT_TRUE(is_global(ip(text))) << text;
    }
    for (const auto& list : {kNobodys, kNotGlobal}) {
        for (const auto* text : list) {
            EXPECT_FALSE(is_global(ip(text))) << text;
        }
    }
}

TEST(PeerRules, NobodysAddressesAreDeniedWhateverTheOperatorSays) {
    for (auto config : {on_the_internet(), in_a_private_network()}) {
        config.allowed = everything();
        const PeerRules rules{config};
        for (const auto* text : kNobodys) {
            EXPECT_TRUE(rules.objection({ip(text), 53})) << text;
        }
    }
}

TEST(PeerRules, OnTheInternetOnlyTheInternetIsReached) {
    const PeerRules rules{on_the_internet()};

    for (const auto* text : kNotGlobal) {
        EXPECT_TRUE(rules.objection({ip(text), 52625})) << text;
    }
    for (const auto* text : kGlobal) {
        EXPECT_FALSE(rules.objection({ip(text), 52625})) << text;
    }
}

TEST(PeerRules, InAPrivateNetworkPrivateAddressesAreReached) {
    const PeerRules rules{in_a_private_network()};

    for (const auto& list : {kNotGlobal, kGlobal}) {
        for (const auto* text : list) {
            EXPECT_FALSE(rules.objection({ip(text), 52625})) << text;
        }
    }
}

TEST(PeerRules, EachFamilyIsJudgedByItsOwnPublicAddress) {
    auto config = on_the_internet();
    config.public_v6 = ip("fd00::50");
    const PeerRules rules{config};

    EXPECT_TRUE(rules.objection(at("10.0.0.1:1")));
    EXPECT_FALSE(rules.objection(at("[fd00::7]:1")));
    EXPECT_TRUE(rules.objection(at("[2002:a00:1::1]:1"))) << "leads to 10.0.0.1";
}

TEST(PeerRules, WrappedAddressesAreJudgedAlsoByARelayWithoutIpv4) {
    auto config = on_the_internet();
    config.public_v4.reset();
    const PeerRules rules{config};

    EXPECT_TRUE(rules.objection(at("[64:ff9b::10.0.0.1]:1")));
    EXPECT_FALSE(rules.objection(at("[64:ff9b::8.8.8.8]:1")));
}

TEST(PeerRules, AllocationsOfTheRelayItselfAreReachedNothingElseOfItsHost) {
    auto config = on_the_internet();
    config.denied = everything();
    const PeerRules rules{config};
    for (const auto* host : {"8.8.4.4:", "[2a00:1450::50]:"}) {
        const std::string own{host};
        EXPECT_FALSE(rules.objection(at(own + "49152")));
        EXPECT_FALSE(rules.objection(at(own + "65535")));
        EXPECT_TRUE(rules.objection(at(own + "3478")));
        EXPECT_TRUE(rules.objection(at(own + "53")));
    }
    EXPECT_TRUE(rules.objection(at("[2a00:1450::51]:50000"))) << "its clients know it by another address";
    EXPECT_TRUE(rules.objection(at("[64:ff9b::8.8.4.4]:3478")));
}

TEST(PeerRules, TheOperatorMayOpenOtherPortsOfTheHostButNotTheListenPort) {
    auto config = on_the_internet();
    config.allowed = {net::IpNetwork::host(ip("8.8.4.4")), net::IpNetwork::host(ip("10.1.2.3"))};
    const PeerRules rules{config};

    EXPECT_FALSE(rules.objection(at("8.8.4.4:52625")));
    EXPECT_FALSE(rules.objection(at("10.1.2.3:52625")));
    EXPECT_TRUE(rules.objection(at("8.8.4.4:3478")));
    EXPECT_TRUE(rules.objection(at("10.1.2.3:3478")));
}

TEST(PeerRules, OperatorsAllowAndDenyAndDenyingWins) {
    auto config = on_the_internet();
    config.allowed = {*net::IpNetwork::parse("10.0.0.0/8"), *net::IpNetwork::parse("fd00::/8")};
    config.denied = {*net::IpNetwork::parse("10.9.0.0/16"), *net::IpNetwork::parse("1.1.1.0/24")};
    const PeerRules rules{config};

    EXPECT_FALSE(rules.objection(at("10.8.0.1:1")));
    EXPECT_FALSE(rules.objection(at("[fd00::1]:1")));
    EXPECT_TRUE(rules.objection(at("10.9.0.1:1")));
    EXPECT_TRUE(rules.objection(at("1.1.1.1:1")));
    EXPECT_TRUE(rules.objection(at("192.168.0.1:1")));
    EXPECT_TRUE(rules.objection(at("[64:ff9b::1.1.1.1]:1"))) << "leads to a denied address";
}

TEST(PeerRules, NobodyListensAtPortZero) {
    EXPECT_TRUE(PeerRules{on_the_internet()}.objection(at("1.1.1.1:0")));
}

}  // namespace
}  // namespace culvert::turn
