#include "culvert/tunnel/client/resource_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::cidr;
using test::dns;
using test::id;
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
