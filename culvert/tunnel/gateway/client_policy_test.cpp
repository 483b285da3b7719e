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

}  // namespace
}  // namespace culvert::tunnel
