#include "culvert/os_dns/settings.h"

#include <gtest/gtest.h>

#include "culvert/os_dns/method.h"

namespace culvert::os_dns {
namespace {

net::IpAddress ip(const char* text) {
    return *net::IpAddress::parse(text);
}

TEST(Settings, OnlyPointToTheStubResolver) {
    EXPECT_TRUE(check({.servers = {ip("100.100.111.1"), ip("fd00:2021:1111:8000:100:100:111:0")}}));
    EXPECT_FALSE(check({.servers = {ip("100.100.111.1"), ip("192.0.2.1")}})) << "the queries of all programs";
    EXPECT_FALSE(check({.servers = {ip("100.100.111.1"), ip("100.100.111.1")}}));
    EXPECT_FALSE(check({.servers = {}}));
}

TEST(Settings, TakeOnlyDomainsAsSearchDomain) {
    for (const auto* good : {"corp.example", "corp.example.", "a", "_tcp.x-1.example", "XN--Bcher-kva.example"}) {
        EXPECT_TRUE(check({.servers = {ip("100.100.111.1")}, .search_domain = good})) << good;
    }
    for (const auto* bad :
         {"", ".", "a..b", ".a", "corp.example\nnameserver 192.0.2.1", "a b", "a\t", "a;b", "b\xc3\xbc"}) {
        EXPECT_FALSE(check({.servers = {ip("100.100.111.1")}, .search_domain = bad})) << bad;
    }
    EXPECT_TRUE(is_search_domain(std::string(63, 'a')));
    EXPECT_FALSE(is_search_domain(std::string(64, 'a')));
    std::string long_name;
    while (long_name.size() < 252) {
        long_name += "a.";
    }
    EXPECT_TRUE(is_search_domain(long_name + 'a'));
    EXPECT_FALSE(is_search_domain(long_name + "a.a"));
}

TEST(Settings, SystemResolversAreNeverOurselves) {
    EXPECT_EQ(without_sentinels({ip("100.100.111.7"), ip("192.0.2.1"), ip("fd00:2021:1111:8000:100:100:111:3"),
                                 ip("2001:db8::1"), ip("192.0.2.1")}),
              (std::vector{ip("192.0.2.1"), ip("2001:db8::1")}));
}

TEST(DnsMethod, HasTheNamesOfTheFlag) {
    for (const auto method : {DnsMethod::kSystemdResolved, DnsMethod::kEtcResolvConf, DnsMethod::kDisabled}) {
        EXPECT_EQ(parse_method(to_string(method)), method);
    }
    EXPECT_EQ(parse_method("etc-resolv-conf"), DnsMethod::kEtcResolvConf);
    EXPECT_EQ(parse_method("nrpt"), std::nullopt);
}

}  // namespace
}  // namespace culvert::os_dns
