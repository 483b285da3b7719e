#include "apps/portal/client_address.h"

#include <array>

#include <gtest/gtest.h>

namespace culvert::portal_server {
namespace {

const std::array kProxies{*net::IpNetwork::parse("10.0.0.0/24"), *net::IpNetwork::parse("fd00::1/128")};

std::string from(std::string_view peer, std::string_view forwarded_for) {
    return client_address(*net::IpAddress::parse(peer), forwarded_for, kProxies).to_string();
}

TEST(ClientAddress, IsWhatATrustedProxyReports) {
    EXPECT_EQ(from("10.0.0.1", "203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(from("fd00::1", " 2001:db8::7 "), "2001:db8::7");
}

TEST(ClientAddress, IsThePeerIfThatIsNoTrustedProxy) {
    EXPECT_EQ(from("10.0.1.1", "203.0.113.7"), "10.0.1.1");
    EXPECT_EQ(from("203.0.113.9", "10.0.0.1"), "203.0.113.9");
}

TEST(ClientAddress, ReadsBackThroughProxiesButBelievesNoStranger) {
    EXPECT_EQ(from("10.0.0.1", "203.0.113.7, 10.0.0.2"), "203.0.113.7");
    EXPECT_EQ(from("10.0.0.1", "127.0.0.1, 203.0.113.7"), "203.0.113.7") << "the client wrote the first one itself";
}

TEST(ClientAddress, OfIpv4IsOneHoweverTheProxyWritesIt) {
    EXPECT_EQ(from("10.0.0.1", "::ffff:203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(from("10.0.0.1", "203.0.113.7, ::ffff:10.0.0.2"), "203.0.113.7");
    EXPECT_EQ(from("10.0.0.1", "64:ff9b::cb00:7107"), "64:ff9b::cb00:7107");
}

TEST(ClientAddress, IsTheLastKnownOneIfTheHeaderEndsOrMakesNoSense) {
    EXPECT_EQ(from("10.0.0.1", ""), "10.0.0.1");
    EXPECT_EQ(from("10.0.0.1", "10.0.0.2"), "10.0.0.2");
    for (const auto* const nonsense : {",", "unknown", "203.0.113.7,", "203.0.113.7:80", "203.0.113.7, x"}) {
        EXPECT_EQ(from("10.0.0.1", nonsense), "10.0.0.1") << nonsense;
    }
}

}  // namespace
}  // namespace culvert::portal_server
