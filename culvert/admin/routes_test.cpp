#include "culvert/admin/routes.h"

#include <set>
#include <utility>

#include <gtest/gtest.h>

namespace culvert::admin {
namespace {

TEST(Routes, LeadToOnePlaceEach) {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const auto& route : routes()) {
        EXPECT_TRUE(seen.emplace(route.method, route.pattern).second) << route.method << ' ' << route.pattern;
        EXPECT_NE(route.handler, nullptr);
    }
}

TEST(Routes, TakeParametersOutOfThePath) {
    const auto found = find_route("DELETE", "/sites/a/tokens/b");
    ASSERT_TRUE(found && found->route != nullptr);
    EXPECT_EQ(found->route->pattern, "/sites/:id/tokens/:token_id");
    EXPECT_EQ(found->parameters, (std::vector<std::string>{"a", "b"}));
}

TEST(Routes, KnowWhatElseIsPossible) {
    const auto found = find_route("POST", "/sites/a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->route, nullptr);
    EXPECT_EQ(found->allowed, "GET, PATCH, PUT, DELETE");
}

TEST(Routes, AreNotFoundByHalfAPath) {
    for (const auto* path : {"", "/", "/site", "/sites/a/", "/sites/a/tokens/b/c", "sites", "//sites", "/sitesx",
                             "/gateway_groupsx", "/admin/", "/client/websocket"}) {
        EXPECT_FALSE(find_route("GET", path)) << path;
    }
}

TEST(Routes, HaveOlderNames) {
    const auto site = find_route("POST", "/gateway_groups");
    ASSERT_TRUE(site && site->route != nullptr);
    EXPECT_EQ(site->route->pattern, "/sites");
    EXPECT_EQ(site->wrapper, "gateway_group");
    const auto group = find_route("PATCH", "/actor_groups/x/memberships");
    ASSERT_TRUE(group && group->route != nullptr);
    EXPECT_EQ(group->route->pattern, "/groups/:id/memberships");
    EXPECT_EQ(group->wrapper, "actor_group");
}

}  // namespace
}  // namespace culvert::admin
