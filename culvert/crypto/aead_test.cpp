#include "culvert/crypto/aead.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert::crypto {
namespace {

Secret<32> secret(std::string_view hex) {
    return Secret<32>::from_bytes(*from_hex(hex));
}

std::vector<AeadBackend> available_backends() {
    std::vector<AeadBackend> backends;
    for (const auto backend : {AeadBackend::kIpsecMb, AeadBackend::kBoringSsl, AeadBackend::kOpenSsl}) {
        if (is_available(backend)) {
            backends.push_back(backend);
        }
    }
    return backends;
}

// Beyond 16 blocks, which is what AVX-512 code takes at a time.
constexpr std::size_t kMaxTestSize = 2100;

class EveryBackend : public testing::TestWithParam<AeadBackend> {};
INSTANTIATE_TEST_SUITE_P(Transport, EveryBackend, testing::ValuesIn(available_backends()),
                         [](const auto& instance) { return std::string{to_string(instance.param)}; });

// RFC 8439 appendix A.5 has additional data, which transport packets lack, so the reference here is the one-shot
// function that the vectors below pin down.
TEST_P(EveryBackend, AgreesWithTheOneShotFunctionForAllSizes) {
    auto rng = Rng::from_number(7);
    const Secret<32> key{rng.array<32>()};
    TransportKey transport{key, GetParam()};

    for (std::size_t size = 0; size <= kMaxTestSize; ++size) {
        Bytes plaintext(size);
        rng.fill(plaintext);
        const auto counter = rng.next_u64();
        Bytes expected(size + kTagSize);
        aead_seal(key, counter, plaintext, {}, expected);

        Bytes sealed(size + kTagSize);
        transport.seal(counter, plaintext, sealed);

        ASSERT_EQ(sealed, expected) << "size " << size;
        ASSERT_TRUE(transport.open(counter, sealed)) << "size " << size;
        sealed.resize(size);
        ASSERT_EQ(sealed, plaintext) << "size " << size;
    }
}

TEST_P(EveryBackend, SealsInPlace) {
    TransportKey transport{Secret<32>{}, GetParam()};
    Bytes plaintext(1280, std::byte{3});
    Bytes expected(plaintext.size() + kTagSize);
    transport.seal(5, plaintext, expected);

    auto in_place = plaintext;
    in_place.resize(plaintext.size() + kTagSize);
    transport.seal(5, ByteSpan{in_place}.first(plaintext.size()), in_place);

    EXPECT_EQ(in_place, expected);
}

TEST_P(EveryBackend, RefusesEveryFlippedBitAndGoesOn) {
    TransportKey transport{Secret<32>{}, GetParam()};
    const Bytes plaintext(33, std::byte{9});
    Bytes sealed(plaintext.size() + kTagSize);
    transport.seal(1, plaintext, sealed);

    for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
        auto forged = sealed;
        forged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        ASSERT_FALSE(transport.open(1, forged)) << "bit " << bit;
    }
    EXPECT_TRUE(transport.open(1, sealed));
}

TEST_P(EveryBackend, RefusesWrongCountersKeysAndShortMessages) {
    auto rng = Rng::from_number(3);
    TransportKey transport{Secret<32>{}, GetParam()};
    TransportKey other{Secret<32>{rng.array<32>()}, GetParam()};
    Bytes sealed(kTagSize);
    transport.seal(1, {}, sealed);

    auto copy = sealed;
    EXPECT_FALSE(transport.open(2, copy));
    copy = sealed;
    EXPECT_FALSE(other.open(1, copy));
    copy = sealed;
    EXPECT_FALSE(transport.open(1, MutableByteSpan{copy}.first(kTagSize - 1)));
    EXPECT_FALSE(transport.open(1, {}));
    EXPECT_TRUE(transport.open(1, sealed));
}

TEST_P(EveryBackend, SurvivesBeingMoved) {
    TransportKey transport{Secret<32>{}, GetParam()};
    Bytes sealed(kTagSize);
    transport.seal(1, {}, sealed);

    auto moved = std::move(transport);

    EXPECT_TRUE(moved.open(1, sealed));
}

TEST(Aead, ChoosesTheFastestBackendThatIsThere) {
    EXPECT_TRUE(is_available(AeadBackend::kOpenSsl));
    EXPECT_EQ(transport_aead_backend(), available_backends().front());
}

// RFC 8439 appendix A.5.
TEST(Aead, OpensThePublishedMessage) {
    const auto key = secret("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    const auto sealed = *from_hex(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b01"
        "00d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b35"
        "06383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f8"
        "3fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a67276"
        "27097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb223923"
        "36fea1851f38");
    Bytes plaintext(sealed.size() - kTagSize);

    // The nonce of the vector, 000000000102030405060708, as a counter.
    ASSERT_TRUE(aead_open(key, 0x0807060504030201, sealed, *from_hex("f33388860000000000004e91"), plaintext));

    EXPECT_TRUE(
        as_text(plaintext).starts_with("Internet-Drafts are draft documents valid for a maximum of six months"));
}

TEST(Aead, AuthenticatesAdditionalData) {
    const Secret<32> key;
    Bytes sealed(5 + kTagSize);
    Bytes opened(5);
    aead_seal(key, 0, as_bytes("hello"), as_bytes("context"), sealed);

    EXPECT_FALSE(aead_open(key, 0, sealed, as_bytes("another"), opened));
    EXPECT_FALSE(aead_open(key, 1, sealed, as_bytes("context"), opened));
    ASSERT_TRUE(aead_open(key, 0, sealed, as_bytes("context"), opened));
    EXPECT_EQ(as_text(opened), "hello");
}

// draft-irtf-cfrg-xchacha-03 appendix A.3.1.
TEST(Aead, ExtendedNonceAgreesWithThePublishedVector) {
    const auto key = secret("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    XNonce nonce;
    std::memcpy(nonce.data(), from_hex("404142434445464748494a4b4c4d4e4f5051525354555657")->data(), nonce.size());
    const auto additional = *from_hex("50515253c0c1c2c3c4c5c6c7");
    const auto plaintext = as_bytes(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
        "be "
        "it.");
    Bytes sealed(plaintext.size() + kTagSize);

    xaead_seal(key, nonce, plaintext, additional, sealed);

    EXPECT_TRUE(to_hex(sealed).starts_with("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b"));
    EXPECT_TRUE(to_hex(sealed).ends_with("c0875924c1c7987947deafd8780acf49"));
    Bytes opened(plaintext.size());
    ASSERT_TRUE(xaead_open(key, nonce, sealed, additional, opened));
    EXPECT_TRUE(equal(opened, plaintext));
    sealed[0] ^= std::byte{1};
    EXPECT_FALSE(xaead_open(key, nonce, sealed, additional, opened));
}

}  // namespace
}  // namespace culvert::crypto
