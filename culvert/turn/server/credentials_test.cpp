#include "culvert/turn/server/credentials.h"

#include <limits>

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

constexpr WallTime at_second(std::int64_t seconds) {
    return WallTime{std::chrono::seconds{seconds}};
}

// Vectors of spec/relay.md section 14.
TEST(RelayCredentials, DeriveThePublishedPasswords) {
    const std::string zeros(64, '0');

    EXPECT_EQ(relay_password({1893456000, "voyDQ8ceOA0Q/GUjDhqzGKyWZJF18cJkB7wJrnZ3d8A"},
                             "9f2c5be1a7d04836c1e85f7093bd4aa26e7f01d3c85b294ae0637c1f5d8ab4e2"),
              "Ht7mhCfoSWt9LMWnLeqzBtm4VA6AbsTaHi1C0QoUkEQ");
    EXPECT_EQ(relay_password({2000000000, "abc"}, zeros), "8DzcO/YLttQwfJjS8LTxPpe9gLzlWTPCC8buGGHxpaQ");
    EXPECT_EQ(relay_password({2000000000, ""}, zeros), "Ne07AjUVVUyUxv2PKVObact6V0z056nI+IApt4J92o0");
}

TEST(RelayCredentials, DeriveThePublishedKey) {
    const auto key = relay_key({1893456000, "voyDQ8ceOA0Q/GUjDhqzGKyWZJF18cJkB7wJrnZ3d8A"},
                               "9f2c5be1a7d04836c1e85f7093bd4aa26e7f01d3c85b294ae0637c1f5d8ab4e2");

    EXPECT_EQ(to_hex(key.reveal()), "21fc3bdef014ac85a236f8ad61ad1653");
}

TEST(RelayUsername, NeedsOneColonAfterADecimalNumber) {
    EXPECT_TRUE(RelayUsername::parse("1:"));
    EXPECT_TRUE(RelayUsername::parse("18446744073709551615:salt"));
    EXPECT_FALSE(RelayUsername::parse(""));
    EXPECT_FALSE(RelayUsername::parse("1"));
    EXPECT_FALSE(RelayUsername::parse(":salt"));
    EXPECT_FALSE(RelayUsername::parse("1:a:b"));
    EXPECT_FALSE(RelayUsername::parse("-1:salt"));
    EXPECT_FALSE(RelayUsername::parse(" 1:salt"));
    EXPECT_FALSE(RelayUsername::parse("0x1:salt"));
    EXPECT_FALSE(RelayUsername::parse("18446744073709551616:salt"));
}

TEST(RelayUsername, IsPutTogetherWithoutLeadingZeros) {
    EXPECT_EQ(RelayUsername::parse("007:x")->to_string(), "7:x");
}

TEST(RelayUsername, ExpiresAfterTheStartOfItsSecond) {
    const RelayUsername username{1000, "s"};

    EXPECT_TRUE(username.is_valid_at(at_second(999)));
    EXPECT_TRUE(username.is_valid_at(at_second(1000)));
    EXPECT_FALSE(username.is_valid_at(at_second(1000) + std::chrono::milliseconds{1}));
    EXPECT_FALSE(username.is_valid_at(at_second(1001)));
}

TEST(RelayUsername, TakesAnyExpiry) {
    EXPECT_TRUE((RelayUsername{std::numeric_limits<std::uint64_t>::max(), "s"}.is_valid_at(at_second(2'000'000'000))));
    EXPECT_TRUE((RelayUsername{std::uint64_t{1} << 63, "s"}.is_valid_at(at_second(2'000'000'000))));
    EXPECT_FALSE((RelayUsername{0, "s"}.is_valid_at(at_second(2'000'000'000))));
}

}  // namespace
}  // namespace culvert::turn
