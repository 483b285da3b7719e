#include "culvert/portal/device_pools.h"

#include <array>

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
SharedPools listed(const std::vector<DevicePool>& pools) {
    SharedPools all;
    for (const auto& each : pools) {
        all.emplace(each.id, std::make_shared<const DevicePool>(each));
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

TEST(DevicePools, AreMadeOnceForAllThatMayUseThem) {
    auto rng = Rng::from_number(1);
    Directory directory;
    const auto group = GroupId::random(rng);
    const std::array actors = {ActorId::random(rng), ActorId::random(rng), ActorId::random(rng)};
    for (const auto& actor : {actors[0], actors[1]}) {
        const auto id = MembershipId::random(rng);
        directory.memberships.emplace(id, Membership{id, actor, group});
    }
    for (const auto number : {std::uint8_t{1}, std::uint8_t{2}}) {
        directory.resources.emplace(
            pool_id(number), Resource{.id = pool_id(number), .type = ResourceType::kStaticDevicePool, .name = "pool"});
        const auto id = PolicyId::random(rng);
        directory.policies.emplace(id, Policy{.id = id, .group = group, .resource = pool_id(number)});
    }
    TimeWindows windows;
    const auto usable = [&](const PoolViews& views, const ActorId& actor) {
        return views.usable(directory, actor, {}, windows);
    };
    PoolViews views{directory};
    const auto first = usable(views, actors[0]);

    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(usable(views, actors[1]), first) << "the same objects";
    EXPECT_TRUE(usable(views, actors[2]).empty());

    directory.resources.at(pool_id(2)).name = "another name";
    views.update(directory);
    const auto second = usable(views, actors[0]);
    EXPECT_EQ(second.at(pool_id(1)), first.at(pool_id(1)));
    EXPECT_NE(second.at(pool_id(2)), first.at(pool_id(2)));
    EXPECT_EQ(second.at(pool_id(2))->name, "another name");
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
