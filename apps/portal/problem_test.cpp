#include "apps/portal/problem.h"

#include <gtest/gtest.h>

namespace culvert::portal_server {
namespace {

using namespace std::chrono_literals;

TEST(Problem, IsWhatTheSpecificationShows) {
    const auto response = to_problem({401, "invalid_token", "Token is invalid or expired"});
    EXPECT_EQ(response.status, 401U);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_FALSE(response.retry_after);
    EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Unauthorized","status":401,)"
                             R"("detail":"Token is invalid or expired","code":"invalid_token"})"
                             "\n");
}

TEST(Problem, SaysWhenToTryAgain) {
    const auto response = to_problem({503, "rate_limit", R"(say "please")", 1s});
    EXPECT_EQ(response.retry_after, 1s);
    EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Service Unavailable","status":503,)"
                             R"("detail":"say \"please\"","code":"rate_limit"})"
                             "\n");
}

}  // namespace
}  // namespace culvert::portal_server
