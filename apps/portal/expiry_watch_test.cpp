#include "apps/portal/expiry_watch.h"

#include <array>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"

namespace culvert::portal_server {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

constexpr UnixSeconds kNow{seconds{1'796'000'000}};

TokenListing token(unsigned char number, std::optional<UnixSeconds> expires_at, bool is_used = true) {
    std::array<std::uint8_t, 16> bytes{};
    bytes[0] = number;
    return {.id = portal::TokenId{Uuid{bytes}},
            .actor = std::nullopt,
            .site = std::nullopt,
            .created_at = {},
            .expires_at = expires_at,
            .last_seen_at = is_used ? std::optional{kNow} : std::nullopt,
            .last_seen_remote_ip = std::nullopt,
            .last_seen_user_agent = std::nullopt};
}

TEST(ExpiryWatch, CountsTokensInUseThatEndWithinTwoWeeks) {
    ExpiryWatch watch;
    watch.look_at({token(1, kNow + days{14}), token(2, kNow + days{14} + seconds{1}), token(3, kNow),
                   token(4, std::nullopt), token(5, kNow + hours{1}, false)},
                  kNow);
    EXPECT_EQ(watch.count(), 1U);
    watch.look_at({}, kNow);
    EXPECT_EQ(watch.count(), 0U);
}

TEST(ExpiryWatch, WarnsOnceADay) {
    ExpiryWatch watch;
    std::vector<std::string> lines;
    const log::CaptureScope capture{log::Level::kWarn, [&](log::Level, std::string_view, std::string_view,
                                                           const std::vector<log::TextField>& fields) {
                                        lines.push_back(fields.at(0).value + " " + fields.at(2).value);
                                    }};
    const auto due = token(1, kNow + days{3});
    watch.look_at({due}, kNow);
    EXPECT_EQ(lines, std::vector<std::string>{due.id.to_string() + " 2026-12-03T00:53:20Z"});
    watch.look_at({due}, kNow + hours{23});
    EXPECT_EQ(lines.size(), 1U);
    watch.look_at({due}, kNow + hours{24});
    EXPECT_EQ(lines.size(), 2U);
}

}  // namespace
}  // namespace culvert::portal_server
