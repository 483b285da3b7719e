#include "tests/model/wire/stun_message.h"

#include <gtest/gtest.h>

#include "tests/model/wire/test_messages.h"

namespace culvert::model::wire {
namespace {

/// The sample request of RFC 5769 section 2.1, with zero padding as senders should write it; so its integrity and
/// fingerprint are not those of the RFC.
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

Bytes check() {
    return StunWriter{stun_type::kBinding}
        .add(stun_attribute::kUsername, "evtj:h6vY")
        .add_integrity(as_bytes(kPassword))
        .add_fingerprint()
        .done();
}

/// RFC 5769 section 2.2; its only padding is within SOFTWARE and is a space, as RFC 5389 still allowed.
const Bytes kSampleResponse = *from_hex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a6430008001"
    "42b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96");

TEST(StunMessage, RecognisesItselfByCookieAndFirstBits) {
    auto bytes = check();
    EXPECT_TRUE(StunMessage::looks_like(bytes));
    bytes[4] ^= std::byte{1};
    EXPECT_FALSE(StunMessage::looks_like(bytes));
    EXPECT_FALSE(StunMessage::looks_like(ByteSpan{bytes}.first(19)));
}

TEST(StunMessage, RejectsNonZeroPaddingWrongLengthsAndCutAttributes) {
    EXPECT_EQ(StunMessage::decode(kSampleResponse).error(), "STUN padding is not zero");

    auto longer = check();
    longer.push_back(std::byte{0});
    EXPECT_FALSE(StunMessage::decode(longer).has_value());

    auto overrun = StunWriter{stun_type::kBinding}.add(stun_attribute::kSoftware, "abcd").done();
    overrun[23] = std::byte{5};
    EXPECT_EQ(StunMessage::decode(overrun).error(), "STUN attribute is cut short or not padded");
}

TEST(StunMessage, ReadsAddressesOfTheSampleResponse) {
    auto bytes = kSampleResponse;
    bytes[35] = std::byte{0};

    const auto message = StunMessage::decode(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->xor_address(stun_attribute::kXorMappedAddress)->to_string(), "192.0.2.1:32853");
    EXPECT_EQ(message->type(), stun_type::kBinding | stun_type::kSuccess);
}

TEST(StunMessage, ReadsIpv6Addresses) {
    const auto address = *net::SocketAddress::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    const auto bytes = StunWriter{stun_type::kBinding}.add_address(stun_attribute::kXorMappedAddress, address).done();

    EXPECT_EQ(StunMessage::decode(bytes)->xor_address(stun_attribute::kXorMappedAddress), address);
}

TEST(StunMessage, ChecksOrderOfAttributes) {
    const auto bytes = check();
    const auto message = StunMessage::decode(bytes);
    using namespace stun_attribute;

    EXPECT_TRUE(message->has_order({{kUsername}, {kPriority, true}, {kMessageIntegrity}, {kFingerprint}}));
    EXPECT_FALSE(message->has_order({{kMessageIntegrity}, {kUsername}, {kFingerprint}}));
    EXPECT_FALSE(message->has_order({{kUsername}, {kMessageIntegrity}}));
    EXPECT_FALSE(message->has_order({{kUsername}, {kPriority}, {kMessageIntegrity}, {kFingerprint}}));
}

TEST(StunMessage, VerifiesIntegrityAndFingerprint) {
    // The values of the RFC are over the bytes with their padding, which decode() refuses to the products.
    auto bytes = check();
    EXPECT_TRUE(StunMessage::decode(bytes)->has_integrity(as_bytes(kPassword)));
    EXPECT_TRUE(StunMessage::decode(bytes)->has_fingerprint());
    EXPECT_FALSE(StunMessage::decode(bytes)->has_integrity(as_bytes("another")));

    bytes[24] ^= std::byte{1};
    EXPECT_FALSE(StunMessage::decode(bytes)->has_integrity(as_bytes(kPassword)));
    EXPECT_FALSE(StunMessage::decode(bytes)->has_fingerprint());
}

/// spec/relay.md 14.5: REFRESH success, signed with the key of that section's example.
TEST(StunMessage, FingerprintIsTheChecksumOfTheRfc) {
    const auto covered = ByteSpan{kSampleResponse}.first(kSampleResponse.size() - 8);
    EXPECT_EQ(crc32(covered) ^ 0x5354554E, 0xc07d4c96);
}

}  // namespace
}  // namespace culvert::model::wire
