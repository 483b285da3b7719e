#include "culvert/tunnel/client/devices/device_pools.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

using namespace test;

constexpr Service kSsh{Service::Protocol::kTcp, 22};
constexpr Service kWeb{Service::Protocol::kTcp, 80};

portal_api::PoolDevice device(std::uint8_t number) {
    return {id<ClientId>(number), ip("100.64.0." + std::to_string(number)),
            ip("fd00:2021:1111::" + std::to_string(number))};
}
portal_api::DevicePool pool(std::uint8_t number, std::vector<std::uint8_t> devices,
                            std::vector<portal_api::Filter> filters = {}) {
    portal_api::DevicePool made{id<ResourceId>(number), "pool", std::move(filters), {}};
    for (const auto each : devices) {
        made.devices.push_back(device(each));
    }
    return made;
}
DevicePools::Way way(std::uint8_t device, std::uint8_t pool) {
    return {id<ClientId>(device), id<ResourceId>(pool)};
}

class DevicePoolsTest : public ::testing::Test {
protected:
    std::optional<DevicePools::Way> find(std::uint8_t device, const Service& service,
                                         const std::set<ResourceId>& preferred = {}) {
        const auto found = pools.find_way(ip("100.64.0." + std::to_string(device)), service, preferred);
        const auto* found_way = found ? std::get_if<DevicePools::Way>(&*found) : nullptr;
        return found_way == nullptr ? std::nullopt : std::optional{*found_way};
    }
    std::optional<Refusal> refusal(std::uint8_t device, const Service& service) {
        const auto found = pools.find_way(ip("100.64.0." + std::to_string(device)), service, {});
        const auto* refused = found ? std::get_if<Refusal>(&*found) : nullptr;
        return refused == nullptr ? std::nullopt : std::optional{*refused};
    }

    DevicePools pools;
};

TEST_F(DevicePoolsTest, LeadToTheirDevicesAlone) {
    pools.upsert(pool(1, {2, 3}));

    EXPECT_EQ(find(2, kSsh), way(2, 1));
    EXPECT_EQ(pools.device_at(ip("fd00:2021:1111::3")), id<ClientId>(3));
    EXPECT_EQ(pools.find_way(ip("100.64.0.4"), kSsh, {}), std::nullopt);
    EXPECT_EQ(pools.addresses().size(), 4U);
}

TEST_F(DevicePoolsTest, TakeTheFirstThatPermitsTheService) {
    pools.upsert(pool(1, {2}, {tcp(80, 80)}));
    pools.upsert(pool(2, {2}, {tcp(22, 22), tcp(80, 80)}));

    EXPECT_EQ(find(2, kSsh), way(2, 2));
    EXPECT_EQ(find(2, kWeb), way(2, 1));
    EXPECT_EQ(find(2, kWeb, {id<ResourceId>(2)}), way(2, 2)) << "granted already";
    EXPECT_EQ(find(2, kSsh, {id<ResourceId>(1)}), way(2, 2)) << "granted, but not for this";
    EXPECT_EQ(refusal(2, {Service::Protocol::kTcp, 443}), Refusal::kTcpPort);
}

TEST_F(DevicePoolsTest, AreChangedInPlace) {
    pools.upsert(pool(1, {2, 3}, {tcp(22, 22)}));
    pools.upsert(pool(1, {3, 4}));

    EXPECT_FALSE(pools.has_device(id<ResourceId>(1), id<ClientId>(2)));
    EXPECT_TRUE(pools.has_device(id<ResourceId>(1), id<ClientId>(4)));
    EXPECT_EQ(find(2, kSsh), std::nullopt);
    EXPECT_EQ(find(3, kWeb), way(3, 1));
    EXPECT_TRUE(pools.erase(id<ResourceId>(1)));
    EXPECT_FALSE(pools.erase(id<ResourceId>(1)));
    EXPECT_TRUE(pools.addresses().empty());
}

TEST_F(DevicePoolsTest, DrawNoTrafficThatIsSomebodyElses) {
    auto greedy = pool(1, {2});
    greedy.devices.push_back({id<ClientId>(9), ip("192.0.2.1"), ip("fd00:2021:1111:8000::1")});
    greedy.devices.push_back({id<ClientId>(8), ip("100.100.111.1"), ip("2001:db8::1")});
    pools.upsert(greedy);

    EXPECT_EQ(pools.addresses().size(), 2U);
    EXPECT_EQ(pools.find_way(ip("192.0.2.1"), kSsh, {}), std::nullopt);
}

TEST_F(DevicePoolsTest, OfTwoThatDisagreeWhoseAnAddressIsTheFirstIsRight) {
    auto other = pool(2, {});
    other.devices.push_back({id<ClientId>(7), ip("100.64.0.2"), ip("fd00:2021:1111::7")});
    pools.upsert(other);
    pools.upsert(pool(1, {2}, {tcp(22, 22)}));

    EXPECT_EQ(find(2, kSsh), way(2, 1));
    EXPECT_EQ(find(2, kWeb), std::nullopt);
    EXPECT_EQ(pools.device_at(ip("100.64.0.2")), id<ClientId>(2));
}

TEST_F(DevicePoolsTest, AreListedWithoutThoseToKeep) {
    pools.upsert(pool(1, {}));
    pools.upsert(pool(2, {}));

    EXPECT_EQ(pools.ids_except({id<ResourceId>(1)}), std::vector{id<ResourceId>(2)});
}

}  // namespace
}  // namespace culvert::tunnel
