#include "culvert/portal/device_pools.h"

#include <gtest/gtest.h>

namespace culvert::portal {
namespace {

using portal_api::DeviceAccessRefusal;
using portal_api::DevicePool;
using portal_api::PoolDevice;

ResourceId pool_id(std::uint8_t number) {
    return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}};
}
PoolDevice device(std::uint8_t number) {
    return {ClientId{Uuid{std::array<std::uint8_t, 16>{number}}},
            *net::IpAddress::parse("100.64.0." + std::to_string(number)),
            *net::IpAddress::parse("fd00:2021:1111::" + std::to_string(number))};
}
DevicePool pool(std::uint8_t number, const std::vector<std::uint8_t>& devices) {
    DevicePool made{pool_id(number), "pool", {}, {}};
    for (const auto each : devices) {
        made.devices.push_back(device(each));
    }
    return made;
}
std::map<ResourceId, DevicePool> listed(const std::vector<DevicePool>& pools) {
    std::map<ResourceId, DevicePool> all;
    for (const auto& each : pools) {
        all.emplace(each.id, each);
    }
    return all;
}
portal_api::CreateFlow request(std::optional<std::string> ipv4, std::optional<std::string> ipv6) {
    return {pool_id(1), {}, std::move(ipv4), std::move(ipv6)};
}

TEST(DevicePools, FindTheDeviceWithTheAddress) {
    const auto two = pool(1, {2, 3});

    EXPECT_EQ(find_device(two, request("100.64.0.3", {})), device(3));
    EXPECT_EQ(find_device(two, request({}, "fd00:2021:1111::2")), device(2));
    EXPECT_EQ(find_device(two, request("100.64.0.4", {})), std::unexpected{DeviceAccessRefusal::kForbidden});
}

TEST(DevicePools, SayWhatIsWrongWithARequest) {
    const auto one = pool(1, {2});

    EXPECT_EQ(find_device(one, request({}, {})), std::unexpected{DeviceAccessRefusal::kMissingAddress});
    EXPECT_EQ(find_device(one, request("100.64.0.2", "fd00:2021:1111::2")),
              std::unexpected{DeviceAccessRefusal::kAmbiguousAddress});
    for (const auto* text : {"", "100.64.0", "100.64.0.2/32", "fd00:2021:1111::2"}) {
        EXPECT_EQ(find_device(one, request(text, {})), std::unexpected{DeviceAccessRefusal::kInvalidAddress}) << text;
    }
    EXPECT_EQ(find_device(one, request({}, "100.64.0.2")), std::unexpected{DeviceAccessRefusal::kInvalidAddress});
}

TEST(DevicePools, DifferByDevicesThatAreLost) {
    const auto changes = compare(listed({pool(1, {2, 3}), pool(2, {3})}), listed({pool(1, {}), pool(2, {3})}));

    EXPECT_EQ(changes.lost_devices, std::vector{device(2)}) << "another pool still leads to the other one";
    EXPECT_TRUE(changes.deleted.empty());
    EXPECT_EQ(changes.updated, std::vector{pool(1, {})});
}

TEST(DevicePools, LoseADeviceOnce) {
    const auto changes = compare(listed({pool(1, {2}), pool(2, {2})}), listed({pool(1, {}), pool(2, {})}));

    EXPECT_EQ(changes.lost_devices, std::vector{device(2)});
    EXPECT_EQ(changes.updated.size(), 2U);
}

TEST(DevicePools, ThatGoTakeTheirDevicesAlong) {
    const auto changes = compare(listed({pool(1, {2})}), listed({pool(2, {3})}));

    EXPECT_TRUE(changes.lost_devices.empty());
    EXPECT_EQ(changes.deleted, std::vector{pool_id(1)});
    EXPECT_EQ(changes.updated, std::vector{pool(2, {3})});
    EXPECT_TRUE(compare(listed({pool(1, {2})}), listed({pool(1, {2})})).updated.empty());
}

}  // namespace
}  // namespace culvert::portal
