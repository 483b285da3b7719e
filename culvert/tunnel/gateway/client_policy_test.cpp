#include "culvert/tunnel/gateway/client_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using test::gateway_cidr;
using test::icmp;
using test::id;
using test::ip;
using test::tcp;
using test::udp;
using testing::ElementsAre;
using namespace std::chrono_literals;

constexpr Service tcp_port(std::uint16_t port) {
    return {Service::Protocol::kTcp, port};
}
constexpr Service udp_port(std::uint16_t port) {
    return {Service::Protocol::kUdp, port};
}
constexpr Service kPing{Service::Protocol::kIcmp, 0};
constexpr UnixSeconds at(int seconds) {
    return UnixSeconds{std::chrono::seconds{seconds}};
}

bool permits(const ClientPolicy& policy, std::string_view address, const Service& service) {
    return policy.classify(ip(address), service).has_value();
}

TEST(ClientPolicy, EndsEachResourceAtItsOwnExpiry) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/24", {tcp(20, 100)}), at(10));
    policy.allow(gateway_cidr(2, "10.0.0.0/24", {udp(20, 100)}), at(20));
    EXPECT_TRUE(permits(policy, "10.0.0.1", tcp_port(80)));
    EXPECT_TRUE(permits(policy, "10.0.0.1", udp_port(80)));

    EXPECT_THAT(policy.revoke_expired(at(9)), ElementsAre());
    EXPECT_THAT(policy.revoke_expired(at(10)), ElementsAre(id<ResourceId>(1)));
    EXPECT_FALSE(permits(policy, "10.0.0.1", tcp_port(80)));
    EXPECT_TRUE(permits(policy, "10.0.0.1", udp_port(80)));

    EXPECT_THAT(policy.revoke_expired(at(20)), ElementsAre(id<ResourceId>(2)));
    EXPECT_TRUE(policy.empty());
}

TEST(ClientPolicy, InheritsTheFiltersOfWiderNetworks) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/16", {udp(53, 53)}), {});
    policy.allow(gateway_cidr(2, "10.0.0.0/24", {tcp(80, 80)}), {});

    EXPECT_TRUE(permits(policy, "10.0.0.5", tcp_port(80)));
    EXPECT_TRUE(permits(policy, "10.0.0.5", udp_port(53)));
    EXPECT_TRUE(permits(policy, "10.0.9.5", udp_port(53)));
    EXPECT_FALSE(permits(policy, "10.0.9.5", tcp_port(80)));
    EXPECT_FALSE(permits(policy, "10.1.0.5", udp_port(53)));
}

TEST(ClientPolicy, PermitsEverythingIfOneContributorHasNoFilters) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/24", {tcp(80, 80)}), {});
    policy.allow(gateway_cidr(2, "10.0.0.0/24"), {});

    EXPECT_TRUE(permits(policy, "10.0.0.1", udp_port(9)));
    EXPECT_TRUE(permits(policy, "10.0.0.1", Service{}));
    EXPECT_EQ(policy.classify(ip("10.0.0.1"), kPing), id<ResourceId>(2)) << "the largest id";
}

TEST(ClientPolicy, RefusesIcmpWithoutAnIcmpFilter) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/24", {icmp()}), {});
    policy.allow(gateway_cidr(2, "10.0.1.0/24", {tcp(80, 80)}), {});

    EXPECT_TRUE(permits(policy, "10.0.0.1", kPing));
    EXPECT_EQ(policy.classify(ip("10.0.1.1"), kPing), std::unexpected{Refusal::kIcmp});
    EXPECT_EQ(policy.classify(ip("10.0.2.1"), kPing), std::unexpected{Refusal::kNoFilter});
}

TEST(ClientPolicy, FallsBackToTheWiderNetworkWhenAResourceIsRevoked) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/16", {udp(53, 53)}), {});
    policy.allow(gateway_cidr(2, "10.0.0.0/24", {tcp(80, 80)}), {});

    EXPECT_TRUE(policy.revoke(id<ResourceId>(2)));

    EXPECT_FALSE(policy.revoke(id<ResourceId>(2)));
    EXPECT_FALSE(permits(policy, "10.0.0.5", tcp_port(80)));
    EXPECT_TRUE(permits(policy, "10.0.0.5", udp_port(53)));
}

TEST(ClientPolicy, TakesFiltersAndExpiryOfARepeatedAuthorization) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/24", {tcp(80, 80)}), at(10));

    policy.allow(gateway_cidr(1, "10.0.0.0/24", {tcp(81, 81)}), at(20));

    EXPECT_FALSE(permits(policy, "10.0.0.1", tcp_port(80)));
    EXPECT_TRUE(permits(policy, "10.0.0.1", tcp_port(81)));
    EXPECT_THAT(policy.revoke_expired(at(19)), ElementsAre());
}

TEST(ClientPolicy, UpdatesFiltersButNothingElseOfAResource) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/24", {tcp(80, 80)}), {});

    EXPECT_TRUE(policy.update_filters(gateway_cidr(1, "10.9.0.0/24", {udp(53, 53)})));
    EXPECT_TRUE(permits(policy, "10.0.0.1", udp_port(53)));
    EXPECT_FALSE(permits(policy, "10.0.0.1", tcp_port(80)));
    EXPECT_FALSE(permits(policy, "10.9.0.1", udp_port(53)));

    EXPECT_EQ(policy.update_filters(gateway_cidr(2, "10.0.0.0/24")),
              std::unexpected{ClientPolicy::UpdateError::kUnknown});
    EXPECT_EQ(policy.update_filters(portal_api::GatewayDnsResource{id<ResourceId>(1), "", "a.example", {}}),
              std::unexpected{ClientPolicy::UpdateError::kTypeChanged});
}

TEST(ClientPolicy, UpdatesExpiries) {
    ClientPolicy policy;
    policy.allow(gateway_cidr(1, "10.0.0.0/24"), {});

    EXPECT_EQ(policy.update_expiry(id<ResourceId>(1), at(5)), std::nullopt);
    EXPECT_EQ(policy.update_expiry(id<ResourceId>(1), at(7)), at(5));
    EXPECT_EQ(policy.update_expiry(id<ResourceId>(2), at(7)), std::unexpected{ClientPolicy::UpdateError::kUnknown});
    EXPECT_THAT(policy.revoke_expired(at(7)), ElementsAre(id<ResourceId>(1)));
}

TEST(ClientPolicy, RetainsWhatIsListed) {
    ClientPolicy policy;
    for (std::uint8_t number = 1; number <= 3; ++number) {
        policy.allow(gateway_cidr(number, "10.0.0.0/24", {tcp(number, number)}), {});
    }

    EXPECT_THAT(policy.retain({id<ResourceId>(2), id<ResourceId>(9)}),
                ElementsAre(id<ResourceId>(1), id<ResourceId>(3)));

    EXPECT_TRUE(permits(policy, "10.0.0.1", tcp_port(2)));
    EXPECT_FALSE(permits(policy, "10.0.0.1", tcp_port(3)));
}

TEST(ClientPolicy, AgreesWithTheRuleSpelledOut) {
    auto rng = Rng::from_number(3);
    const auto random_address = [&] {
        return net::IpAddress{std::array<std::uint8_t, 4>{10, 0, static_cast<std::uint8_t>(rng() % 4),
                                                          static_cast<std::uint8_t>(rng() % 4)}};
    };
    for (int round = 0; round < 100; ++round) {
        ClientPolicy policy;
        std::vector<portal_api::GatewayCidrResource> model;
        for (std::uint8_t number = 0; number < 8; ++number) {
            const unsigned prefix[] = {8, 16, 22, 24, 30, 32};
            const net::IpNetwork network{random_address(), prefix[rng() % std::size(prefix)]};
            const auto port = static_cast<std::uint16_t>(rng() % 4);
            model.push_back({id<ResourceId>(number), "", network, {tcp(port, port)}});
            policy.allow(model.back(), {});
        }
        for (int i = 0; i < 200; ++i) {
            const auto address = random_address();
            const auto port = static_cast<std::uint16_t>(rng() % 4);
            const auto* longest = static_cast<const portal_api::GatewayCidrResource*>(nullptr);
            bool is_permitted = false;
            for (const auto& resource : model) {
                if (!resource.address.contains(address)) {
                    continue;
                }
                is_permitted = is_permitted || resource.filters.front().port_range_start == port;
                if (longest == nullptr || resource.address.prefix() >= longest->address.prefix()) {
                    longest = &resource;
                }
            }
            const auto verdict = policy.classify(address, tcp_port(port));
            ASSERT_EQ(verdict.has_value(), is_permitted);
            if (verdict) {
                ASSERT_EQ(*verdict, longest->id);
            }
        }
    }
}

portal_api::GatewayDnsResource names(std::uint8_t number, std::string_view pattern,
                                     std::vector<portal_api::Filter> filters = {}) {
    return {.id = id<ResourceId>(number), .name = {}, .address = std::string{pattern}, .filters = std::move(filters)};
}
dns::Name name(std::string_view text) {
    return dns::Name::parse(text).value();
}

TEST(ClientPolicy, CoversTheNamesOfItsDnsResources) {
    ClientPolicy policy;
    EXPECT_FALSE(policy.has_names());
    policy.allow(names(1, "*.example"), {});
    policy.allow(names(2, "wiki.test"), {});
    policy.allow(gateway_cidr(3, "10.0.0.0/24"), {});

    EXPECT_TRUE(policy.has_names());
    EXPECT_TRUE(policy.covers(id<ResourceId>(1), name("A.Example")));
    EXPECT_FALSE(policy.covers(id<ResourceId>(1), name("wiki.test")));
    EXPECT_TRUE(policy.covers(id<ResourceId>(2), name("wiki.test")));
    EXPECT_FALSE(policy.covers(id<ResourceId>(3), name("wiki.test")));
    EXPECT_FALSE(policy.covers(id<ResourceId>(4), name("wiki.test")));

    policy.revoke(id<ResourceId>(2));
    EXPECT_FALSE(policy.covers(id<ResourceId>(2), name("wiki.test")));
    policy.revoke(id<ResourceId>(1));
    EXPECT_FALSE(policy.has_names());
}

TEST(ClientPolicy, AnAddressThatIsNoPatternCoversNothing) {
    ClientPolicy policy;
    policy.allow(names(1, "a..b"), {});

    EXPECT_TRUE(policy.contains(id<ResourceId>(1)));
    EXPECT_FALSE(policy.covers(id<ResourceId>(1), name("a.b")));
}

TEST(ClientPolicy, SaysWhetherAResourceHasMoved) {
    ClientPolicy policy;
    EXPECT_FALSE(policy.allow(names(1, "*.example"), {}));
    EXPECT_FALSE(policy.allow(names(1, "*.example", {tcp(80, 80)}), {})) << "only its filters";
    EXPECT_TRUE(policy.allow(names(1, "*.test"), {}));
    EXPECT_TRUE(policy.allow(gateway_cidr(1, "10.0.0.0/24"), {}));
}

TEST(ClientPolicy, FiltersNamesByTheirResourceAlone) {
    ClientPolicy policy;
    policy.allow(names(1, "*.example", {tcp(80, 80)}), {});
    policy.allow(gateway_cidr(2, "0.0.0.0/0"), {});

    EXPECT_TRUE(policy.check(id<ResourceId>(1), tcp_port(80)).has_value());
    EXPECT_EQ(policy.check(id<ResourceId>(1), tcp_port(81)), std::unexpected{Refusal::kTcpPort});
    EXPECT_EQ(policy.check(id<ResourceId>(2), tcp_port(80)), std::unexpected{Refusal::kNoFilter}) << "has no names";
    ASSERT_TRUE(policy.update_filters(names(1, "*.example", {tcp(81, 81)})).has_value());
    EXPECT_TRUE(policy.check(id<ResourceId>(1), tcp_port(81)).has_value());
}

TEST(ClientPolicy, TheInternetIsEverythingButPrivateNetworks) {
    ClientPolicy policy;
    policy.allow(portal_api::GatewayInternetResource{id<ResourceId>(1)}, {});
    EXPECT_TRUE(permits(policy, "1.1.1.1", udp_port(53)));
    EXPECT_TRUE(permits(policy, "2606:4700::1", kPing));
    EXPECT_EQ(policy.classify(ip("10.0.0.1"), kPing), std::unexpected{Refusal::kPrivateAddress});
    EXPECT_EQ(policy.classify(ip("fd12::1"), kPing), std::unexpected{Refusal::kPrivateAddress});

    policy.allow(gateway_cidr(2, "10.0.0.0/24", {tcp(80, 80)}), {});
    policy.allow(gateway_cidr(3, "9.9.9.0/24", {tcp(80, 80)}), {});
    EXPECT_EQ(policy.classify(ip("10.0.0.1"), udp_port(53)), std::unexpected{Refusal::kUdpPort});
    EXPECT_EQ(policy.classify(ip("9.9.9.9"), tcp_port(80)), id<ResourceId>(3));
    EXPECT_EQ(policy.classify(ip("9.9.9.9"), udp_port(53)), id<ResourceId>(1)) << "is the Internet as well";

    policy.revoke(id<ResourceId>(1));
    EXPECT_FALSE(permits(policy, "1.1.1.1", udp_port(53)));
    EXPECT_FALSE(permits(policy, "9.9.9.9", udp_port(53)));
}

}  // namespace
}  // namespace culvert::tunnel
