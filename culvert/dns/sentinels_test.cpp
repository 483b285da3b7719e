#include "culvert/dns/sentinels.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/base/overloaded.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::ip;

std::vector<net::IpAddress> ips(std::initializer_list<std::string_view> texts) {
    std::vector<net::IpAddress> all;
    for (const auto text : texts) {
        all.push_back(ip(text));
    }
    return all;
}

PortalResolvers portal(std::initializer_list<std::string_view> texts) {
    PortalResolvers all;
    for (const auto text : texts) {
        all.do53.push_back(net::SocketAddress::parse(text).value());
    }
    return all;
}

/// "100.100.111.1>192.0.2.1:53 ..."
std::string text(const Sentinels& sentinels) {
    std::string all;
    for (const auto& [sentinel, server] : sentinels.mappings()) {
        all += (all.empty() ? "" : " ") + sentinel.to_string() + '>' +
               std::visit(overloaded{[](const net::SocketAddress& address) { return address.to_string(); },
                                     [](const DohServer& doh) { return doh.url; }},
                          server);
    }
    return all;
}

std::string map(Sentinels& sentinels, std::initializer_list<std::string_view> system,
                const PortalResolvers& from_portal = {}) {
    sentinels.update(effective_servers(from_portal, ips(system)).servers);
    return text(sentinels);
}

// The table of spec/dns.md section 2.4.
TEST(Sentinels, StandForTheSystemsResolvers) {  // S1
    Sentinels sentinels;
    EXPECT_EQ(map(sentinels, {"192.0.2.1", "2001:db8::1"}),
              "100.100.111.1>192.0.2.1:53 fd00:2021:1111:8000:100:100:111:0>[2001:db8::1]:53");
}

TEST(Sentinels, StandForThePortalsInstead) {  // S2
    Sentinels sentinels;
    EXPECT_EQ(map(sentinels, {"192.0.2.1"}, portal({"198.51.100.1:53"})), "100.100.111.1>198.51.100.1:53");
}

TEST(Sentinels, NeverStandForSentinels) {  // S3, S6, S7
    Sentinels sentinels;
    EXPECT_EQ(map(sentinels, {"100.100.111.1", "192.0.2.1"}), "100.100.111.1>192.0.2.1:53");
    EXPECT_EQ(map(sentinels, {"100.100.111.1", "fd00:2021:1111:8000:100:100:111:7"}), "");
    EXPECT_EQ(map(sentinels, {"192.0.2.1"}, portal({"100.100.111.7:53"})), "100.100.111.1>192.0.2.1:53");
}

TEST(Sentinels, AreAllNewWhenServersChange) {  // S4
    Sentinels sentinels;
    map(sentinels, {"192.0.2.1", "2001:db8::1"});
    EXPECT_EQ(map(sentinels, {"192.0.2.9", "2001:db8::1"}),
              "100.100.111.2>192.0.2.9:53 fd00:2021:1111:8000:100:100:111:1>[2001:db8::1]:53");
    EXPECT_EQ(map(sentinels, {"192.0.2.7"}), "100.100.111.1>192.0.2.7:53");
}

TEST(Sentinels, StayWhenOnlyTheOrderChanges) {  // S5
    Sentinels sentinels;
    const auto before = map(sentinels, {"192.0.2.1", "2001:db8::1"});
    EXPECT_EQ(map(sentinels, {"2001:db8::1", "192.0.2.1", "192.0.2.1"}), before);
}

TEST(Sentinels, StandForHttpsServersIfThePortalHasNoOthers) {
    PortalResolvers resolvers{.doh = {{"https://dns.quad9.net/dns-query"}}};
    Sentinels sentinels;
    EXPECT_EQ(map(sentinels, {"192.0.2.1"}, resolvers), "100.100.111.1>https://dns.quad9.net/dns-query");
    resolvers.do53 = portal({"192.0.2.53:5353"}).do53;
    EXPECT_EQ(map(sentinels, {"192.0.2.1"}, resolvers), "100.100.111.2>192.0.2.53:5353");
}

TEST(Sentinels, AreFoundWhileTheyAreMapped) {
    Sentinels sentinels;
    map(sentinels, {"192.0.2.1"});
    ASSERT_NE(sentinels.find(ip("100.100.111.1")), nullptr);
    EXPECT_EQ(*sentinels.find(ip("100.100.111.1")), Upstream{net::SocketAddress::parse("192.0.2.1:53").value()});
    EXPECT_EQ(sentinels.find(ip("100.100.111.2")), nullptr);
    map(sentinels, {"192.0.2.2"});
    EXPECT_EQ(sentinels.find(ip("100.100.111.1")), nullptr);
}

TEST(Sentinels, AreNotMoreThanThereAreAddresses) {
    std::vector<Upstream> servers;
    for (std::uint16_t port = 1; port <= 300; ++port) {
        servers.emplace_back(net::SocketAddress{ip("192.0.2.1"), port});
    }
    Sentinels sentinels;
    EXPECT_TRUE(sentinels.update(servers));
    EXPECT_FALSE(sentinels.update(servers));
    ASSERT_EQ(sentinels.mappings().size(), 254U);
    EXPECT_EQ(sentinels.mappings().back().sentinel, ip("100.100.111.254"));
}

TEST(EffectiveServers, AreThePortalsOnlyIfItsListCounts) {
    EXPECT_TRUE(effective_servers(portal({"192.0.2.53:53"}), ips({"192.0.2.1"})).are_from_portal);
    EXPECT_FALSE(effective_servers(portal({"100.100.111.7:53"}), ips({"192.0.2.1"})).are_from_portal);
    EXPECT_FALSE(effective_servers({}, ips({"192.0.2.1"})).are_from_portal);
}

}  // namespace
}  // namespace culvert::dns
