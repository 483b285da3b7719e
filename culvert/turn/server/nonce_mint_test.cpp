#include "culvert/turn/server/nonce_mint.h"

#include <set>

#include <gtest/gtest.h>

#include "culvert/turn/server/constants.h"

namespace culvert::turn {
namespace {

using namespace std::chrono_literals;

net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}

class NonceMintTest : public testing::Test {
protected:
    Rng rng_ = Rng::from_number(3);
    NonceMint mint_{rng_};
    const net::SocketAddress alice_ = at("198.51.100.1:1000");
    const Instant start_{1234567ms};
};

TEST_F(NonceMintTest, KnowsWhenANonceWasIssued) {
    const auto nonce = mint_.issue(alice_, start_ + 300us);

    EXPECT_EQ(mint_.issued_at(nonce, alice_, start_ + 1s), start_);
    EXPECT_EQ(mint_.issued_at(nonce, alice_, start_ + kNonceLifetime), start_);
    EXPECT_EQ(mint_.issued_at(nonce, alice_, start_ + kNonceLifetime + 1ms), std::nullopt);
}

TEST_F(NonceMintTest, ANonceIsForOneAddressAndPort) {
    const auto nonce = mint_.issue(alice_, start_);

    EXPECT_FALSE(mint_.issued_at(nonce, at("198.51.100.1:1001"), start_));
    EXPECT_FALSE(mint_.issued_at(nonce, at("198.51.100.2:1000"), start_));
    EXPECT_FALSE(mint_.issued_at(nonce, at("[2001:db8::1]:1000"), start_));
}

TEST_F(NonceMintTest, ANonceOfAnotherRunOrAlteredOrFromTheFutureIsUnknown) {
    NonceMint other{rng_};
    EXPECT_FALSE(mint_.issued_at(other.issue(alice_, start_), alice_, start_));
    EXPECT_FALSE(mint_.issued_at(mint_.issue(alice_, start_ + 10ms), alice_, start_));
    for (std::size_t i = 0; i < 16; ++i) {
        auto bytes = mint_.issue(alice_, start_).bytes();
        bytes[i] ^= 1;
        EXPECT_FALSE(mint_.issued_at(Uuid{bytes}, alice_, start_ + 10ms)) << i;
    }
}

TEST_F(NonceMintTest, NoncesOfDifferentTimesDiffer) {
    std::set<std::string> texts;
    for (int i = 0; i < 100; ++i) {
        texts.insert(mint_.issue(alice_, start_ + i * 1ms).to_string());
    }
    EXPECT_EQ(texts.size(), 100U);
}

TEST(NonceMint, ReadsAnyTextualForm) {
    const auto expected = Uuid::parse("3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98");

    EXPECT_EQ(NonceMint::parse("3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98"), expected);
    EXPECT_EQ(NonceMint::parse("3F0E6C5A-8B1D-4C27-9A64-D2E7F5B01C98"), expected);
    EXPECT_EQ(NonceMint::parse("3f0e6c5a8b1d4c279a64d2e7f5b01c98"), expected);
    EXPECT_EQ(NonceMint::parse("{3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98}"), expected);
    EXPECT_EQ(NonceMint::parse("urn:uuid:3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98"), expected);
    EXPECT_EQ(NonceMint::parse(""), std::nullopt);
    EXPECT_EQ(NonceMint::parse("{"), std::nullopt);
    EXPECT_EQ(NonceMint::parse("3f0e6c5a8b1d4c279a64d2e7f5b01c9g"), std::nullopt);
}

}  // namespace
}  // namespace culvert::turn
