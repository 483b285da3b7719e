#include "culvert/crypto/hash.h"

#include <string>

#include <gtest/gtest.h>

namespace culvert::crypto {
namespace {

Bytes counting_bytes(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(i);
    }
    return bytes;
}

// RFC 1321 appendix A.5.
TEST(Hash, Md5AgreesWithThePublishedVectors) {
    EXPECT_EQ(to_hex(md5(ByteSpan{})), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(to_hex(md5(as_bytes("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
}

// FIPS 180-4 examples.
TEST(Hash, ShaAgreesWithThePublishedVectors) {
    EXPECT_EQ(to_hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// FIPS 202 example values of NIST.
TEST(Hash, Sha3AgreesWithThePublishedVectors) {
    EXPECT_EQ(to_hex(sha3_256(ByteSpan{})), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
    EXPECT_EQ(to_hex(sha3_256(as_bytes("abc"))), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
}

// RFC 7693 appendix B.
TEST(Hash, Blake2sAgreesWithThePublishedVector) {
    EXPECT_EQ(to_hex(blake2s(as_bytes("abc"))), "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

// The inputs of RFC 7693 appendix E, less the unkeyed hashes of other than 32 bytes, which we do not offer. The
// expected value comes from Python's hashlib.
TEST(Hash, Blake2sIsRightForManyLengthsOfKeyMessageAndOutput) {
    const auto pattern = [](std::size_t length, std::uint32_t seed) {
        std::uint32_t a = 0xDEAD4BAD * seed;
        std::uint32_t b = 1;
        Bytes bytes(length);
        for (auto& byte : bytes) {
            const std::uint32_t t = a + b;
            a = b;
            b = t;
            byte = static_cast<std::byte>(t >> 24);
        }
        return bytes;
    };
    Bytes all;
    for (const std::size_t out_size : {16U, 20U, 28U, 32U}) {
        for (const std::size_t in_size : {0U, 3U, 64U, 65U, 255U, 1024U}) {
            const auto message = pattern(in_size, static_cast<std::uint32_t>(in_size));
            Bytes out(out_size);
            if (out_size == 32) {
                append(all, blake2s(message));
            }
            const auto key = pattern(out_size, static_cast<std::uint32_t>(out_size));
            blake2s_keyed(key, {message}, out);
            append(all, out);
        }
    }
    EXPECT_EQ(to_hex(blake2s(all)), "859c9974448d4f335c2fdaa8577112e741e965e44c3a27acda95b0a7118d97c9");
}

// Known-answer test file of the BLAKE2 reference, keyed BLAKE2s, inputs of 0, 1 and 255 counting bytes.
TEST(Hash, KeyedBlake2sAgreesWithTheReferenceVectors) {
    const auto key = counting_bytes(32);
    EXPECT_EQ(to_hex(blake2s_keyed<32>(key, {})), "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49");
    EXPECT_EQ(to_hex(blake2s_keyed<32>(key, {counting_bytes(1)})),
              "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1");
    EXPECT_EQ(to_hex(blake2s_keyed<32>(key, {counting_bytes(255)})),
              "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd");
}

TEST(Hash, PiecesCountAsOneMessage) {
    EXPECT_EQ(sha256({as_bytes("ab"), ByteSpan{}, as_bytes("c")}), sha256(as_bytes("abc")));
    EXPECT_EQ(blake2s({as_bytes("a"), as_bytes("bc")}), blake2s(as_bytes("abc")));
    EXPECT_EQ(blake2s_keyed<16>(as_bytes("key"), {as_bytes("a"), as_bytes("bc")}),
              blake2s_keyed<16>(as_bytes("key"), {as_bytes("abc")}));
}

}  // namespace
}  // namespace culvert::crypto
