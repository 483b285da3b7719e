#include "culvert/tunnel/client/resource_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::cidr;
using test::dns;
using test::id;
using test::internet;
using test::ip;
using test::network;
using testing::ElementsAre;

bool none(const ResourceId&) {
    return false;
}

std::optional<ResourceId> match(const ResourceSet& set, std::string_view address) {
    const auto* resource = set.match(ip(address));
    return resource == nullptr ? std::nullopt : std::optional{id_of(*resource)};
}

TEST(ResourceSet, PrefersTheLongestPrefix) {
    ResourceSet set;
    set.upsert(cidr(9, "1.1.0.0/16"), none);
    set.upsert(cidr(1, "1.1.1.0/24"), none);
    set.upsert(cidr(2, "2001:db8::/32"), none);

    EXPECT_EQ(match(set, "1.1.1.5"), id<ResourceId>(1));
    EXPECT_EQ(match(set, "1.1.2.5"), id<ResourceId>(9));
    EXPECT_EQ(match(set, "2001:db8::5"), id<ResourceId>(2));
    EXPECT_EQ(match(set, "1.2.0.0"), std::nullopt);
    EXPECT_THAT(set.networks(), ElementsAre(network("1.1.1.0/24"), network("1.1.0.0/16"), network("2001:db8::/32")));
}

TEST(ResourceSet, GivesASharedNetworkToTheLargestId) {
    for (const bool is_larger_first : {false, true}) {
        ResourceSet set;
        set.upsert(cidr(is_larger_first ? 2 : 1, "10.0.0.0/24"), none);
        const bool is_new = set.upsert(cidr(is_larger_first ? 1 : 2, "10.0.0.0/24"), none);

        EXPECT_EQ(match(set, "10.0.0.1"), id<ResourceId>(2));
        EXPECT_EQ(is_new, !is_larger_first);
    }
}

TEST(ResourceSet, KeepsASharedNetworkWithAConnectedResource) {
    const auto first_is_connected = [](const ResourceId& resource) { return resource == id<ResourceId>(1); };
    ResourceSet set;
    set.upsert(cidr(1, "10.0.0.0/24"), none);

    EXPECT_FALSE(set.upsert(cidr(2, "10.0.0.0/24"), first_is_connected));
    EXPECT_EQ(match(set, "10.0.0.1"), id<ResourceId>(1));

    set.remove(id<ResourceId>(1), none);
    EXPECT_EQ(match(set, "10.0.0.1"), id<ResourceId>(2));
}

TEST(ResourceSet, PrefersTheNarrowestResourceWhoseFiltersPermitTheService) {
    constexpr Service web{Service::Protocol::kTcp, 80};
    constexpr Service ssh{Service::Protocol::kTcp, 22};
    constexpr Service ping{Service::Protocol::kIcmp, 0};
    ResourceSet set;
    auto narrow = cidr(1, "192.0.2.0/25");
    narrow.filters = {test::tcp(80, 80)};
    auto wide = cidr(2, "192.0.2.0/24");
    wide.filters = {test::tcp(1, 100)};
    set.upsert(narrow, none);
    set.upsert(wide, none);
    const auto chosen = [&](const char* address, const Service& service) {
        const auto match = set.match(test::ip(address), service);
        return std::pair{match.resource == nullptr ? std::nullopt : std::optional{id_of(*match.resource)},
                         match.is_permitted};
    };
    using Chosen = std::pair<std::optional<ResourceId>, bool>;
    EXPECT_EQ(chosen("192.0.2.1", web), Chosen(id<ResourceId>(1), true));
    EXPECT_EQ(chosen("192.0.2.1", ssh), Chosen(id<ResourceId>(2), true));
    EXPECT_EQ(chosen("192.0.2.1", ping), Chosen(id<ResourceId>(1), false));
    EXPECT_EQ(chosen("198.51.100.1", web), Chosen(std::nullopt, false));

    set.upsert(internet(3), none);
    set.want_internet(true);
    EXPECT_EQ(chosen("192.0.2.1", ping), Chosen(id<ResourceId>(3), true));
    auto private_network = cidr(4, "10.0.0.0/24");
    private_network.filters = {test::tcp(80, 80)};
    set.upsert(private_network, none);
    EXPECT_EQ(chosen("10.0.0.1", ping), Chosen(id<ResourceId>(4), false)) << "the Internet is elsewhere";

    narrow.filters = {};
    set.upsert(narrow, none);
    EXPECT_EQ(chosen("192.0.2.1", ping), Chosen(id<ResourceId>(1), true));
}

TEST(ResourceSet, SharesANetworkAmongResourcesByTheirFilters) {
    ResourceSet set;
    for (const std::uint8_t number : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}}) {
        auto resource = cidr(number, "10.0.0.0/24");
        resource.filters = {test::tcp(number, number)};
        set.upsert(resource, none);
    }
    for (const std::uint8_t number : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}}) {
        const auto match = set.match(test::ip("10.0.0.1"), Service{Service::Protocol::kTcp, number});
        ASSERT_NE(match.resource, nullptr);
        EXPECT_EQ(id_of(*match.resource), id<ResourceId>(number));
        EXPECT_TRUE(match.is_permitted);
    }
    set.remove(id<ResourceId>(2), none);
    EXPECT_FALSE(set.match(test::ip("10.0.0.1"), Service{Service::Protocol::kTcp, 2}).is_permitted);
}

TEST(ResourceSet, DoesNotReassignNetworksForAChangedName) {
    ResourceSet set;
    set.upsert(cidr(1, "10.0.0.0/24"), none);
    set.upsert(cidr(2, "10.0.0.0/24"), [](const ResourceId& resource) { return resource == id<ResourceId>(1); });
    auto renamed = cidr(2, "10.0.0.0/24");
    renamed.name = "other";

    EXPECT_FALSE(set.upsert(renamed, none));

    EXPECT_EQ(match(set, "10.0.0.1"), id<ResourceId>(1));
    EXPECT_EQ(name_of(*set.find(id<ResourceId>(2))), "other");
}

TEST(ResourceSet, HasTheInternetOnlyIfItIsThereAndWanted) {
    ResourceSet set;
    set.upsert(cidr(9, "10.0.0.0/8"), none);
    EXPECT_TRUE(set.want_internet(true));
    EXPECT_FALSE(set.want_internet(true));
    EXPECT_EQ(match(set, "192.0.2.1"), std::nullopt);

    EXPECT_TRUE(set.upsert(internet(3), none));
    EXPECT_FALSE(set.upsert(internet(5), none)) << "one is enough";

    EXPECT_EQ(match(set, "192.0.2.1"), id<ResourceId>(3));
    EXPECT_EQ(match(set, "2001:db8::1"), id<ResourceId>(3));
    EXPECT_EQ(match(set, "10.0.0.1"), id<ResourceId>(9)) << "narrower ones win";
    EXPECT_THAT(set.networks(), ElementsAre(network("10.0.0.0/8"), network("0.0.0.0/0"), network("::/0")));

    set.want_internet(false);
    EXPECT_EQ(match(set, "192.0.2.1"), std::nullopt);
    EXPECT_THAT(set.networks(), ElementsAre(network("10.0.0.0/8")));
}

TEST(ResourceSet, GivesNobodyAddressesOfTheTunnelAndThoseOfNoHost) {
    ResourceSet set;
    set.upsert(internet(3), none);
    set.upsert(cidr(9, "0.0.0.0/0"), none);
    for (const bool is_wanted : {false, true}) {
        set.want_internet(is_wanted);
        for (const auto* address : {"100.64.0.9", "100.96.0.1", "100.100.111.1", "fd00:2021:1111:8000::1",
                                    "fd00:2021:1111:8000:100:100:111:0", "224.0.0.251", "255.255.255.255", "ff02::fb",
                                    "fe80::1", "127.0.0.1", "0.0.0.0", "::1"}) {
            EXPECT_EQ(match(set, address), std::nullopt) << address;
        }
    }
    set.remove(id<ResourceId>(9), none);
    EXPECT_EQ(match(set, "192.0.2.1"), id<ResourceId>(3));
    EXPECT_EQ(match(set, "169.254.169.254"), std::nullopt) << "what a machine keeps for itself";
}

TEST(ResourceSet, TellsWhichIdsAreNoLongerListed) {
    ResourceSet set;
    for (const auto number : {3, 1, 2}) {
        set.upsert(cidr(static_cast<std::uint8_t>(number), "10.0.0.0/24"), none);
    }

    EXPECT_THAT(set.ids_except({id<ResourceId>(2)}), ElementsAre(id<ResourceId>(1), id<ResourceId>(3)));
}

TEST(ResourceSet, SortsViewsByNameAndThenById) {
    ResourceSet set;
    const std::pair<std::uint8_t, const char*> names[] = {{1, "b"}, {2, "Z"},        {3, "*"},
                                                          {5, "b"}, {4, "\xc3\xa4"}, {6, "1"}};
    for (const auto& [number, name] : names) {
        auto resource = cidr(number, "10.0." + std::to_string(number) + ".0/24");
        resource.name = name;
        set.upsert(resource, none);
    }

    std::vector<ResourceId> order;
    for (const auto& view : set.views(SiteStatuses{})) {
        order.push_back(view.id);
    }

    EXPECT_THAT(order, ElementsAre(id<ResourceId>(3), id<ResourceId>(6), id<ResourceId>(2), id<ResourceId>(1),
                                   id<ResourceId>(5), id<ResourceId>(4)));
}

TEST(ResourceSet, ShowsTheInternetResourceFirst) {
    ResourceSet set;
    set.upsert(cidr(1, "10.0.0.0/24"), none);
    set.upsert(internet(2), none);

    const auto views = set.views(SiteStatuses{});

    ASSERT_EQ(views.size(), 2U);
    EXPECT_EQ(views[0].type, ResourceType::kInternet);
    EXPECT_EQ(views[0].name, "Internet Resource");
    EXPECT_EQ(views[0].address, "");
    EXPECT_EQ(views[1].type, ResourceType::kCidr);
}

TEST(Addressability, ChangesWithTypeAddressStackAndSites) {
    const portal_api::ClientResource known = cidr(1, "10.0.0.0/24");
    auto moved = cidr(1, "10.0.0.0/24");
    moved.sites = {{id<SiteId>(7), "site"}};
    auto single_stack = dns(2, "a.example");
    single_stack.ip_stack = portal_api::IpStack::kIpv4Only;

    EXPECT_TRUE(is_addressability_change(known, cidr(1, "10.0.1.0/24")));
    EXPECT_TRUE(is_addressability_change(known, dns(1, "a.example")));
    EXPECT_TRUE(is_addressability_change(known, moved));
    EXPECT_TRUE(is_addressability_change(dns(2, "a.example"), dns(2, "b.example")));
    EXPECT_TRUE(is_addressability_change(dns(2, "a.example"), single_stack));
}

TEST(Addressability, IsTheSameWithOtherNamesAndFilters) {
    auto changed = cidr(1, "10.0.0.0/24");
    changed.name = "other";
    changed.address_description = "text";
    changed.filters = {test::tcp(80, 80)};
    changed.sites.front().name = "renamed";
    changed.sites.push_back(changed.sites.front());

    EXPECT_FALSE(is_addressability_change(cidr(1, "10.0.0.0/24"), changed));
}

}  // namespace
}  // namespace culvert::tunnel
