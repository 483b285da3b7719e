#include "culvert/stun/message.h"

#include <algorithm>
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "culvert/stun/integrity.h"
#include "culvert/stun/message_builder.h"

namespace culvert::stun {
namespace {

constexpr TransactionId kId{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},  std::byte{5},  std::byte{6},
                            std::byte{7}, std::byte{8}, std::byte{9}, std::byte{10}, std::byte{11}, std::byte{12}};

MessageBuilder request() {
    return MessageBuilder{Class::kRequest, Method::kBinding, kId};
}

TEST(Header, RoundTripsEveryClassAndMethod) {
    for (const auto cls : {Class::kRequest, Class::kIndication, Class::kSuccess, Class::kError}) {
        for (std::uint16_t method = 0; method < 0x1000; ++method) {
            const auto bytes = MessageBuilder{cls, static_cast<Method>(method), kId}.build();

            const auto header = Header::parse(bytes);

            ASSERT_TRUE(header.has_value());
            ASSERT_EQ(*header, (Header{cls, static_cast<Method>(method), kId}));
        }
    }
}

TEST(Header, RejectsWhatIsShorterThanAHeader) {
    const auto bytes = request().build();
    for (std::size_t size = 0; size < kHeaderSize; ++size) {
        EXPECT_EQ(Header::parse(ByteSpan{bytes}.first(size)).error(), ParseError::kTooShort);
    }
}

TEST(Header, RejectsAWrongCookieAndLeadingBits) {
    auto bytes = request().build();
    bytes[4] ^= std::byte{1};
    EXPECT_EQ(Header::parse(bytes).error(), ParseError::kNotStun);

    bytes = request().build();
    bytes[0] |= std::byte{0x40};
    EXPECT_EQ(Header::parse(bytes).error(), ParseError::kNotStun);
}

TEST(Header, RejectsALengthThatIsNotWhatFollows) {
    auto bytes = request().u32(AttributeType::kPriority, 1).build();
    bytes.push_back(std::byte{0});
    EXPECT_EQ(Header::parse(bytes).error(), ParseError::kLengthMismatch);

    bytes.resize(bytes.size() - 2);
    EXPECT_EQ(Header::parse(bytes).error(), ParseError::kLengthMismatch);
}

TEST(Header, RejectsALengthThatIsNotAMultipleOfFour) {
    auto bytes = request().build();
    bytes.resize(kHeaderSize + 2);
    bytes[3] = std::byte{2};

    EXPECT_EQ(Header::parse(bytes).error(), ParseError::kLengthMismatch);
}

TEST(Message, RejectsAnAttributeThatIsLongerThanTheMessage) {
    auto bytes = request().raw(AttributeType::kSoftware, {}).build();
    bytes[kHeaderSize + 3] = std::byte{1};

    EXPECT_EQ(Message::parse(bytes).error(), ParseError::kAttributeOverrun);
}

TEST(Message, AcceptsATextOf128BytesAndRefusesALongerOne) {
    for (const auto type :
         {AttributeType::kUsername, AttributeType::kRealm, AttributeType::kNonce, AttributeType::kSoftware}) {
        const auto longest = request().text(type, std::string(128, 'x')).build();
        const auto too_long = request().text(type, std::string(129, 'x')).build();

        EXPECT_TRUE(Message::parse(longest).has_value());
        EXPECT_EQ(Message::parse(too_long).error(), ParseError::kBadAttributeValue);
    }
}

TEST(Message, AcceptsLongerUsernamesAndShorterOtherTextsAtARelay) {
    const auto username = request().text(AttributeType::kUsername, std::string(512, 'x')).build();
    const auto long_username = request().text(AttributeType::kUsername, std::string(513, 'x')).build();
    const auto long_realm = request().text(AttributeType::kRealm, std::string(128, 'x')).build();

    EXPECT_TRUE(Message::parse(username, kRelayTextLimits).has_value());
    EXPECT_FALSE(Message::parse(long_username, kRelayTextLimits).has_value());
    EXPECT_FALSE(Message::parse(long_realm, kRelayTextLimits).has_value());
}

TEST(Message, RefusesTextThatIsNotUtf8) {
    for (const std::string text : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3",
                                   "\xff", "a\xe2\x82", "\xf5\x80\x80\x80"}) {
        const auto bytes = request().text(AttributeType::kUsername, text).build();
        EXPECT_EQ(Message::parse(bytes).error(), ParseError::kBadAttributeValue) << to_hex(as_bytes(text));
    }
    for (const std::string text : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
        const auto bytes = request().text(AttributeType::kUsername, text).build();
        EXPECT_TRUE(Message::parse(bytes).has_value()) << to_hex(as_bytes(text));
    }
}

TEST(Message, RefusesKnownAttributesOfAWrongLength) {
    const std::array<std::byte, 5> five{};
    for (const auto type :
         {AttributeType::kLifetime, AttributeType::kChannelNumber, AttributeType::kPriority,
          AttributeType::kRequestedTransport, AttributeType::kIceControlled, AttributeType::kIceControlling,
          AttributeType::kUseCandidate, AttributeType::kMessageIntegrity, AttributeType::kFingerprint,
          AttributeType::kAdditionalAddressFamily, AttributeType::kRequestedAddressFamily}) {
        const auto bytes = request().raw(type, five).build();
        EXPECT_EQ(Message::parse(bytes).error(), ParseError::kBadAttributeLength) << static_cast<int>(type);
    }
    for (const auto type : {AttributeType::kErrorCode, AttributeType::kXorMappedAddress}) {
        const auto bytes = request().raw(type, ByteSpan{five}.first(3)).build();
        EXPECT_EQ(Message::parse(bytes).error(), ParseError::kBadAttributeLength) << static_cast<int>(type);
    }
}

TEST(Message, RefusesAnAddressWhoseSizeDoesNotFitItsFamily) {
    std::array<std::byte, 8> value{};
    value[1] = std::byte{2};
    const auto v6_of_v4_size = request().raw(AttributeType::kXorPeerAddress, value).build();
    value[1] = std::byte{3};
    const auto unknown = request().raw(AttributeType::kXorPeerAddress, value).build();

    EXPECT_EQ(Message::parse(v6_of_v4_size).error(), ParseError::kBadAttributeLength);
    EXPECT_EQ(Message::parse(unknown).error(), ParseError::kBadAttributeValue);
}

TEST(Message, RefusesAnUnknownAddressFamilyAndAnImpossibleErrorCode) {
    const std::array family{std::byte{3}, std::byte{0}, std::byte{0}, std::byte{0}};
    const std::array low{std::byte{0}, std::byte{0}, std::byte{2}, std::byte{0}};
    const std::array high{std::byte{0}, std::byte{0}, std::byte{7}, std::byte{0}};
    const std::array number{std::byte{0}, std::byte{0}, std::byte{4}, std::byte{100}};

    EXPECT_EQ(Message::parse(request().raw(AttributeType::kRequestedAddressFamily, family).build()).error(),
              ParseError::kBadAttributeValue);
    for (const auto& value : {low, high, number}) {
        EXPECT_EQ(Message::parse(request().raw(AttributeType::kErrorCode, value).build()).error(),
                  ParseError::kBadAttributeValue);
    }
}

TEST(Message, ShowsUnknownAttributesToWhoeverIterates) {
    constexpr auto kUnknownRequired = static_cast<AttributeType>(0x7abc);
    constexpr auto kUnknownOptional = static_cast<AttributeType>(0xfabc);
    const auto bytes = request()
                           .raw(kUnknownRequired, as_bytes("x"))
                           .u32(AttributeType::kPriority, 7)
                           .raw(kUnknownOptional, as_bytes("abcde"))
                           .build();

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    std::vector<std::pair<AttributeType, std::string>> seen;
    for (const auto& attribute : message->attributes()) {
        seen.emplace_back(attribute.type, to_hex(attribute.value));
    }
    const std::vector<std::pair<AttributeType, std::string>> expected{
        {kUnknownRequired, "78"}, {AttributeType::kPriority, "00000007"}, {kUnknownOptional, "6162636465"}};
    EXPECT_EQ(seen, expected);
    EXPECT_TRUE(is_comprehension_required(kUnknownRequired));
    EXPECT_FALSE(is_comprehension_required(kUnknownOptional));
}

TEST(Message, ReadsBackWhatTheBuilderWrote) {
    const auto v4 = *net::SocketAddress::parse("192.0.2.1:3478");
    const auto v6 = *net::SocketAddress::parse("[2001:db8::7]:55555");
    const auto bytes = MessageBuilder{Class::kError, Method::kAllocate, kId}
                           .text(AttributeType::kUsername, "alice")
                           .u32(AttributeType::kLifetime, 600)
                           .u64(AttributeType::kIceControlled, 0x0123456789abcdef)
                           .flag(AttributeType::kUseCandidate)
                           .channel_number(0x4abc)
                           .requested_transport(kTransportUdp)
                           .address_family(AttributeType::kAdditionalAddressFamily, net::Family::kIpv6)
                           .address(AttributeType::kXorRelayedAddress, v4)
                           .address(AttributeType::kXorRelayedAddress, v6)
                           .address(AttributeType::kXorMappedAddress, v6)
                           .error_code(438, "Stale Nonce")
                           .build();

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->is(Class::kError, Method::kAllocate));
    EXPECT_EQ(message->transaction_id(), kId);
    EXPECT_EQ(message->text(AttributeType::kUsername), "alice");
    EXPECT_EQ(message->u32(AttributeType::kLifetime), 600U);
    EXPECT_EQ(message->u64(AttributeType::kIceControlled), 0x0123456789abcdefU);
    EXPECT_TRUE(message->has(AttributeType::kUseCandidate));
    EXPECT_FALSE(message->has(AttributeType::kIceControlling));
    EXPECT_EQ(message->channel_number(), 0x4abc);
    EXPECT_EQ(message->requested_transport(), 17);
    EXPECT_EQ(message->address_family(AttributeType::kAdditionalAddressFamily), net::Family::kIpv6);
    EXPECT_EQ(message->address(AttributeType::kXorRelayedAddress), v4);
    EXPECT_EQ(message->addresses(AttributeType::kXorRelayedAddress), (std::vector{v4, v6}));
    EXPECT_EQ(message->address(AttributeType::kXorMappedAddress), v6);
    ASSERT_TRUE(message->error_code().has_value());
    EXPECT_EQ(message->error_code()->code, 438);
    EXPECT_EQ(message->error_code()->reason, "Stale Nonce");
}

TEST(Message, VerifiesIntegrityWithTheRightKeyOnly) {
    const auto bytes = request().text(AttributeType::kUsername, "a:b").integrity(as_bytes("secret")).build();

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->has_integrity());
    EXPECT_TRUE(message->verify_integrity(as_bytes("secret")));
    EXPECT_FALSE(message->verify_integrity(as_bytes("Secret")));
}

TEST(Message, DoesNotVerifyWhatWasChangedOrNeverSigned) {
    const auto signed_bytes = request().text(AttributeType::kUsername, "a:b").integrity(as_bytes("k")).build();
    for (const std::size_t at : {std::size_t{9}, std::size_t{24}, signed_bytes.size() - 1}) {
        auto changed = signed_bytes;
        changed[at] ^= std::byte{1};
        const auto message = Message::parse(changed);
        ASSERT_TRUE(message.has_value());
        EXPECT_FALSE(message->verify_integrity(as_bytes("k"))) << at;
    }

    const auto bare = request().build();
    EXPECT_FALSE(Message::parse(bare)->verify_integrity(as_bytes("k")));
    EXPECT_FALSE(Message::parse(bare)->verify_fingerprint());
}

TEST(Message, HidesAttributesAfterMessageIntegrityExceptFingerprint) {
    const auto bytes = request()
                           .u32(AttributeType::kPriority, 1)
                           .integrity(as_bytes("k"))
                           .flag(AttributeType::kUseCandidate)
                           .text(AttributeType::kUsername, std::string(600, '\xff'))
                           .fingerprint()
                           .build();

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->has(AttributeType::kPriority));
    EXPECT_FALSE(message->has(AttributeType::kUseCandidate));
    EXPECT_FALSE(message->has(AttributeType::kUsername));
    EXPECT_TRUE(message->verify_integrity(as_bytes("k")));
    EXPECT_TRUE(message->verify_fingerprint());
}

TEST(Message, DoesNotVerifyAFingerprintThatIsWrongOrNotLast) {
    auto bytes = request().fingerprint().build();
    bytes.back() ^= std::byte{1};
    EXPECT_FALSE(Message::parse(bytes)->verify_fingerprint());

    const auto not_last = request().fingerprint().u32(AttributeType::kPriority, 1).build();
    EXPECT_FALSE(Message::parse(not_last)->verify_fingerprint());
}

TEST(Crc32, AgreesWithThePublishedCheckValue) {
    EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926);
}

TEST(TransactionId, DiffersFromCallToCall) {
    auto rng = Rng::from_number(1);
    EXPECT_NE(make_transaction_id(rng), make_transaction_id(rng));
}

}  // namespace
}  // namespace culvert::stun
