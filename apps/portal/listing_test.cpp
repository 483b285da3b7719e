#include "apps/portal/listing.h"

#include <gtest/gtest.h>

namespace culvert::portal_server {
namespace {

UnixSeconds at(std::int64_t since_1970) {
    return UnixSeconds{std::chrono::seconds{since_1970}};
}

const Uuid kFirst = *Uuid::parse("00000000-0000-4000-8000-000000000001");
const Uuid kSecond = *Uuid::parse("00000000-0000-4000-8000-000000000002");

std::vector<TokenListing> tokens() {
    return {{.id = portal::TokenId{kFirst},
             .type = portal::TokenType::kClient,
             .actor = "B\xc3\xbcro",
             .site = std::nullopt,
             .created_at = at(1'796'000'000),
             .expires_at = at(1'796'000'100),
             .last_seen_at = at(1'796'000'060),
             .last_seen_remote_ip = "203.0.113.7",
             .last_seen_user_agent = "ua"},
            {.id = portal::TokenId{kSecond},
             .type = portal::TokenType::kRelay,
             .actor = std::nullopt,
             .site = std::nullopt,
             .created_at = at(1'796'000'000),
             .expires_at = std::nullopt,
             .last_seen_at = std::nullopt,
             .last_seen_remote_ip = std::nullopt,
             .last_seen_user_agent = std::nullopt}};
}

DeviceListing device(const std::string& name) {
    return {.id = kFirst,
            .kind = DeviceKind::kGateway,
            .name = name,
            .external_id = "x",
            .actor = std::nullopt,
            .site = "hq",
            .ipv4 = "100.64.0.1",
            .ipv6 = "fd00:2021:1111::1",
            .token = portal::TokenId{kSecond},
            .created_at = at(0),
            .last_seen_at = at(1'796'000'000),
            .last_seen_remote_ip = "203.0.113.7",
            .last_seen_version = "1.4.18",
            .revoked_at = std::nullopt};
}

TEST(Listing, AlignsColumnsByCharacters) {
    EXPECT_EQ(to_table(tokens(), at(1'796'000'099)),
              "ID                                    KIND    FOR         CREATED (UTC)     EXPIRES (UTC)     LAST SEEN "
              "(UTC)   FROM\n"
              "00000000-0000-4000-8000-000000000001  client  actor B\xc3\xbcro  2026-11-30 00:53  2026-11-30 00:55  "
              "2026-11-30 00:54  203.0.113.7\n"
              "00000000-0000-4000-8000-000000000002  relay   -           2026-11-30 00:53  never             never    "
              "         -\n");
    EXPECT_NE(to_table(tokens(), at(1'796'000'100)).find("  expired  "), std::string::npos);
}

TEST(Listing, IsJsonWithTheSameKeysInEveryObject) {
    EXPECT_EQ(to_json(tokens()),
              "[\n"
              R"( {"id":"00000000-0000-4000-8000-000000000001","kind":"client","actor":"Büro","site":null,)"
              R"("created_at":"2026-11-30T00:53:20Z","expires_at":"2026-11-30T00:55:00Z",)"
              R"("last_seen_at":"2026-11-30T00:54:20Z","last_seen_remote_ip":"203.0.113.7",)"
              R"("last_seen_user_agent":"ua"},)"
              "\n"
              R"( {"id":"00000000-0000-4000-8000-000000000002","kind":"relay","actor":null,"site":null,)"
              R"("created_at":"2026-11-30T00:53:20Z","expires_at":null,"last_seen_at":null,)"
              R"("last_seen_remote_ip":null,"last_seen_user_agent":null})"
              "\n]\n");
    EXPECT_EQ(to_json(std::vector<TokenListing>{}), "[]\n");
}

TEST(Listing, ShowsDevices) {
    EXPECT_EQ(to_table({device("gw")}),
              "ID                                    KIND     NAME  OF       STATUS  ADDRESSES                     "
              "CREATED (UTC)     LAST SEEN (UTC)   FROM         VERSION\n"
              "00000000-0000-4000-8000-000000000001  gateway  gw    site hq  active  100.64.0.1 fd00:2021:1111::1  "
              "1970-01-01 00:00  2026-11-30 00:53  203.0.113.7  1.4.18\n");
    auto revoked = device("gw");
    revoked.revoked_at = at(1'796'000'000);
    EXPECT_NE(to_table({revoked}).find("  revoked  "), std::string::npos);
    EXPECT_NE(to_json({revoked}).find(R"("revoked_at":"2026-11-30T00:53:20Z")"), std::string::npos);
    EXPECT_NE(to_json({revoked}).find(R"("token_id":"00000000-0000-4000-8000-000000000002")"), std::string::npos);
}

TEST(Listing, NoNameActsOnATerminal) {
    const auto hostile = device("a\x1b[2J\n\xc2\x9b\x7f\xff");
    for (const auto& text : {to_table({hostile}), to_json({hostile})}) {
        EXPECT_EQ(text.find_first_of("\x1b\x7f\xff"), std::string::npos) << text;
        EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos) << text;
        EXPECT_NE(text.find("a\\u001b[2J\\"), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace culvert::portal_server
