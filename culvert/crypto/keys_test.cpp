#include "culvert/crypto/keys.h"

#include <gtest/gtest.h>

namespace culvert::crypto {
namespace {

Secret<32> secret(std::string_view hex) {
    return Secret<32>::from_bytes(*from_hex(hex));
}

PublicKey public_key(std::string_view hex) {
    PublicKey key;
    std::memcpy(key.bytes.data(), from_hex(hex)->data(), key.bytes.size());
    return key;
}

// RFC 7748 section 6.1.
TEST(KeyPair, AgreesWithThePublishedExchange) {
    const auto bob = KeyPair::from_private(secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    const auto alice = public_key("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");

    EXPECT_EQ(to_hex(bob.public_key().bytes), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    EXPECT_EQ(*bob.shared_secret(alice), secret("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
}

// RFC 7748 section 5.2.
TEST(KeyPair, AgreesWithThePublishedIteration) {
    auto k = public_key("0900000000000000000000000000000000000000000000000000000000000000");
    auto u = k;
    for (int i = 1; i <= 1000; ++i) {
        const auto next = KeyPair::from_private(Secret<32>{k.bytes}).shared_secret(u);
        u = k;
        std::memcpy(k.bytes.data(), next->reveal().data(), k.bytes.size());
        if (i == 1) {
            EXPECT_EQ(to_hex(k.bytes), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
        }
    }
    EXPECT_EQ(to_hex(k.bytes), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(KeyPair, TwoPairsAgreeOnTheirSecret) {
    auto rng = Rng::from_number(1);
    const auto a = KeyPair::generate(rng);
    const auto b = KeyPair::generate(rng);

    EXPECT_NE(a.public_key(), b.public_key());
    EXPECT_EQ(*a.shared_secret(b.public_key()), *b.shared_secret(a.public_key()));
}

TEST(KeyPair, RefusesPointsOfLowOrder) {
    auto rng = Rng::from_number(1);
    const auto pair = KeyPair::generate(rng);

    EXPECT_FALSE(pair.shared_secret(PublicKey{}));
    EXPECT_FALSE(pair.shared_secret(public_key("0100000000000000000000000000000000000000000000000000000000000000")));
}

TEST(PublicKey, RoundTripsThroughText) {
    auto rng = Rng::from_number(2);
    const auto key = KeyPair::generate(rng).public_key();

    EXPECT_EQ(key.to_string().size(), 44U);
    EXPECT_EQ(PublicKey::parse(key.to_string()), key);
}

TEST(PublicKey, RefusesTextThatIsNot32Bytes) {
    EXPECT_FALSE(PublicKey::parse(""));
    EXPECT_FALSE(PublicKey::parse("AAAA"));
    EXPECT_FALSE(PublicKey::parse("!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
}

TEST(Secret, ComparesByValue) {
    EXPECT_EQ(Secret<32>{}, Secret<32>{});
    EXPECT_FALSE(Secret<32>{} == secret("0100000000000000000000000000000000000000000000000000000000000000"));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abcd")));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace culvert::crypto
