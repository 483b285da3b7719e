#include "culvert/crypto/hmac.h"

#include <gtest/gtest.h>

#include "culvert/crypto/pbkdf2.h"

namespace culvert::crypto {
namespace {

// RFC 2202 section 3.
TEST(Hmac, Sha1AgreesWithThePublishedVectors) {
    EXPECT_EQ(to_hex(hmac_sha1(Bytes(20, std::byte{0x0b}), {as_bytes("Hi There")})),
              "b617318655057264e28bc0b6fb378c8ef146be00");
    EXPECT_EQ(to_hex(hmac_sha1(as_bytes("Jefe"), {as_bytes("what do ya want "), as_bytes("for nothing?")})),
              "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    EXPECT_EQ(to_hex(hmac_sha1(Bytes(80, std::byte{0xaa}),
                               {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
              "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

// RFC 4231 section 4.
TEST(Hmac, Sha256AgreesWithThePublishedVectors) {
    EXPECT_EQ(to_hex(hmac_sha256(Bytes(20, std::byte{0x0b}), {as_bytes("Hi There")})),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")})),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, std::byte{0xaa}),
                                 {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// The definition of RFC 2104, spelled out.
TEST(Hmac, Blake2sFollowsTheDefinitionOfHmac) {
    const auto key = as_bytes("a key of some length");
    Bytes inner(64, std::byte{0x36});
    Bytes outer(64, std::byte{0x5c});
    for (std::size_t i = 0; i < key.size(); ++i) {
        inner[i] ^= key[i];
        outer[i] ^= key[i];
    }
    const auto message = as_bytes("what do ya want for nothing?");

    EXPECT_EQ(hmac_blake2s(key, {message}), blake2s({outer, blake2s({inner, message})}));
}

TEST(Hmac, AnEmptyKeyIsNotThePreviousKey) {
    const auto with_empty_key = hmac_sha256({}, {as_bytes("x")});
    (void)hmac_sha256(as_bytes("other"), {as_bytes("x")});

    EXPECT_EQ(hmac_sha256({}, {as_bytes("x")}), with_empty_key);
    // RFC 2104 pads a short key with zeros.
    EXPECT_EQ(hmac_sha256(Bytes(1), {as_bytes("x")}), with_empty_key);
}

// RFC 7914 section 11.
TEST(Pbkdf2, AgreesWithThePublishedVectors) {
    EXPECT_EQ(to_hex(pbkdf2_hmac_sha256(as_bytes("passwd"), as_bytes("salt"), 1, 64)),
              "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
              "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

}  // namespace
}  // namespace culvert::crypto
