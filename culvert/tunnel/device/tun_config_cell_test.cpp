#include "culvert/tunnel/device/tun_config_cell.h"

#include <gtest/gtest.h>

#include "culvert/tunnel/testing/test_values.h"

namespace culvert::tunnel {
namespace {

TunConfig config(std::string_view route) {
    return {.ipv4 = test::ip("100.64.0.1"),
            .ipv6 = test::ip("fd00:2021:1111::1"),
            .ipv4_routes = {test::network(route)},
            .ipv6_routes = {}};
}

TEST(TunConfigCell, TellsOfAChangeOnce) {
    TunConfigCell cell;
    EXPECT_EQ(cell.poll(), std::nullopt);

    cell.set(config("10.1.0.0/16"));

    EXPECT_EQ(cell.poll(), config("10.1.0.0/16"));
    EXPECT_EQ(cell.poll(), std::nullopt);
    cell.set(config("10.1.0.0/16"));
    EXPECT_EQ(cell.poll(), std::nullopt);
}

TEST(TunConfigCell, TellsOnlyTheLastOfSeveralChanges) {
    TunConfigCell cell;
    cell.set(config("10.1.0.0/16"));
    cell.set(config("10.2.0.0/16"));

    EXPECT_EQ(cell.poll(), config("10.2.0.0/16"));
    EXPECT_EQ(cell.poll(), std::nullopt);
}

TEST(TunConfigCell, IsSilentAboutAChangeThatWasUndone) {
    TunConfigCell cell;
    cell.set(config("10.1.0.0/16"));
    EXPECT_TRUE(cell.poll());

    cell.set(config("10.2.0.0/16"));
    cell.set(config("10.1.0.0/16"));

    EXPECT_EQ(cell.poll(), std::nullopt);
}

}  // namespace
}  // namespace culvert::tunnel
