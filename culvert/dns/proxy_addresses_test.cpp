#include "culvert/dns/proxy_addresses.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/dns/address_ranges.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::ip;
using test::name;

const ResourceId kResource{Uuid{std::array<std::uint8_t, 16>{1}}};
const ResourceId kOtherResource{Uuid{std::array<std::uint8_t, 16>{2}}};

std::string text(const std::vector<net::IpAddress>& addresses) {
    std::string all;
    for (const auto& address : addresses) {
        all += (all.empty() ? "" : " ") + address.to_string();
    }
    return all;
}

std::string assign(ProxyAddresses& proxies, std::string_view domain, IpStack stack = IpStack::kDual,
                   ResourceId resource = kResource) {
    return text(proxies.assign(name(domain), resource, stack).addresses());
}

TEST(ProxyAddresses, AreGivenInOrder) {
    ProxyAddresses proxies;
    EXPECT_EQ(assign(proxies, "app.example.com"),
              "100.96.0.1 100.96.0.2 100.96.0.3 100.96.0.4 fd00:2021:1111:8000:: fd00:2021:1111:8000::1 "
              "fd00:2021:1111:8000::2 fd00:2021:1111:8000::3");
    EXPECT_EQ(assign(proxies, "x.v4.example.com", IpStack::kIpv4Only), "100.96.0.5 100.96.0.6 100.96.0.7 100.96.0.8");
    EXPECT_EQ(assign(proxies, "x.v6.example.com", IpStack::kIpv6Only),
              "fd00:2021:1111:8000::4 fd00:2021:1111:8000::5 fd00:2021:1111:8000::6 fd00:2021:1111:8000::7");
}

TEST(ProxyAddresses, StayTheSameInWhicheverSpelling) {
    ProxyAddresses proxies;
    const auto first = assign(proxies, "App.example.com");
    EXPECT_TRUE(proxies.take_changed());

    EXPECT_EQ(assign(proxies, "aPP.Example.COM"), first);

    EXPECT_FALSE(proxies.take_changed());
    EXPECT_EQ(proxies.find(ip("100.96.0.1"))->domain().to_string(), "App.example.com");
}

TEST(ProxyAddresses, OfAnotherResourceAreOthers) {
    ProxyAddresses proxies;
    assign(proxies, "app.example.com");
    EXPECT_EQ(assign(proxies, "app.example.com", IpStack::kIpv4Only, kOtherResource).substr(0, 10), "100.96.0.5");
    EXPECT_EQ(proxies.find(ip("100.96.0.2"))->resource(), kResource);
    EXPECT_EQ(proxies.find(ip("100.96.0.8"))->resource(), kOtherResource);
    EXPECT_EQ(proxies.find(ip("100.96.0.9")), nullptr);
}

TEST(ProxyAddresses, OfAFamilyThatIsAddedFollow) {
    ProxyAddresses proxies;
    assign(proxies, "app.example.com", IpStack::kIpv4Only);
    assign(proxies, "app.example.com", IpStack::kDual);
    const auto* assignment = proxies.find(name("app.example.com"), kResource);
    ASSERT_NE(assignment, nullptr);
    EXPECT_EQ(assignment->addresses().size(), 8U);
    EXPECT_EQ(proxies.assignments().size(), 1U);
}

TEST(ProxyAddresses, AreNotGivenOutAgainBySessionsThatFollow) {
    ProxyAddresses earlier;
    const auto app = assign(earlier, "app.example.com");
    assign(earlier, "x.v4.example.com", IpStack::kIpv4Only, kOtherResource);
    const auto records = earlier.records();

    ProxyAddresses later;
    EXPECT_EQ(later.restore(records), 0U);

    EXPECT_FALSE(later.take_changed());
    EXPECT_EQ(later.records(), records);
    EXPECT_EQ(later.find(ip("100.96.0.7"))->domain(), name("x.v4.example.com"));
    EXPECT_EQ(assign(later, "new.example.com"),
              "100.96.0.9 100.96.0.10 100.96.0.11 100.96.0.12 fd00:2021:1111:8000::4 fd00:2021:1111:8000::5 "
              "fd00:2021:1111:8000::6 fd00:2021:1111:8000::7");
    EXPECT_EQ(assign(later, "app.example.com"), app);
}

TEST(ProxyAddresses, ThatWereNeverGivenAreNotRestored) {
    const auto record = [](std::string_view domain, std::initializer_list<std::string_view> addresses) {
        ProxyRecord made{.domain = name(domain), .resource = kResource};
        for (const auto address : addresses) {
            made.addresses.push_back(ip(address));
        }
        return made;
    };
    const std::vector<ProxyRecord> records{
        record("good.example", {"100.96.0.5", "100.96.0.6", "100.96.0.7", "100.96.0.8"}),
        record("good.example", {"100.96.0.9", "100.96.0.10", "100.96.0.11", "100.96.0.12"}),
        record("taken.example", {"100.96.0.5", "100.96.0.6", "100.96.0.7", "100.96.0.8"}),
        record("few.example", {"100.96.1.1"}),
        record("shifted.example", {"100.96.0.10", "100.96.0.11", "100.96.0.12", "100.96.0.13"}),
        record("mixed.example", {"100.96.0.9", "100.96.0.10", "100.96.0.12", "100.96.0.11"}),
        record("foreign.example", {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}),
        record("sentinel.example", {"100.100.111.1", "100.100.111.2", "100.100.111.3", "100.100.111.4"}),
        record("empty.example", {}),
    };
    ProxyAddresses proxies;

    EXPECT_EQ(proxies.restore(records), records.size() - 1);

    EXPECT_EQ(proxies.assignments().size(), 1U);
    EXPECT_EQ(proxies.find(ip("100.96.0.1")), nullptr);
    EXPECT_EQ(assign(proxies, "next.example", IpStack::kIpv4Only).substr(0, 10), "100.96.0.9");
}

TEST(ProxyAddresses, SkipTheSentinels) {
    const auto group = *group_of(ip("100.100.110.255"));
    EXPECT_EQ(group_of(ip("100.100.112.0")), group);
    const auto addresses = addresses_of_group(net::Family::kIpv4, group);
    EXPECT_EQ(text({addresses.begin(), addresses.end()}),
              "100.100.110.253 100.100.110.254 100.100.110.255 100.100.112.0");
    EXPECT_EQ(group_of(ip("100.100.111.0")), std::nullopt);
    EXPECT_EQ(group_of(ip("100.100.111.255")), std::nullopt);
}

TEST(ProxyAddresses, LeaveOutWhatIsNeverGiven) {
    for (const auto* address :
         {"100.96.0.0", "100.127.255.255", "100.127.255.253", "100.95.255.255", "100.128.0.0", "0.0.0.0",
          "fd00:2021:1111:8000::20:0", "fd00:2021:1111:7fff::1", "fd00:2021:1111:8000:100:100:111:0"}) {
        EXPECT_EQ(group_of(ip(address)), std::nullopt) << address;
    }
    EXPECT_EQ(group_of(ip("100.127.255.252")), group_count(net::Family::kIpv4) - 1);
    EXPECT_EQ(group_of(ip("fd00:2021:1111:8000::1f:ffff")), group_count(net::Family::kIpv6) - 1);
    EXPECT_EQ(group_count(net::Family::kIpv4), 524'223U);
}

TEST(ProxyAddresses, AreFoundByEachAddressOfTheirGroup) {
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        for (std::uint32_t group = 0; group < group_count(family); group += group % 61 + 1) {
            for (const auto& address : addresses_of_group(family, group)) {
                ASSERT_EQ(group_of(address), group) << address.to_string();
                ASSERT_FALSE(is_sentinel_address(address));
            }
        }
    }
}

TEST(ProxyAddresses, RunOutWithoutHarmToWhatWasGiven) {
    ProxyAddresses proxies;
    const auto last = group_count(net::Family::kIpv4) - 1;
    const auto taken = addresses_of_group(net::Family::kIpv4, last);
    ASSERT_EQ(
        proxies.restore(std::vector<ProxyRecord>{{name("last.example"), kResource, {taken.begin(), taken.end()}}}), 0U);

    EXPECT_EQ(assign(proxies, "late.example").substr(0, 22), "fd00:2021:1111:8000:: ");
    EXPECT_EQ(assign(proxies, "later.example", IpStack::kIpv4Only), "");
    EXPECT_EQ(proxies.find(taken[3])->domain(), name("last.example"));
    EXPECT_EQ(proxies.records().size(), 2U);
    EXPECT_EQ(proxies.assignments().size(), 2U) << "names without end take no memory";
}

}  // namespace
}  // namespace culvert::dns
