// Published and specified byte strings: RFC 5769 and spec/relay.md section 14.
#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "culvert/stun/integrity.h"
#include "culvert/stun/message.h"
#include "culvert/stun/message_builder.h"

namespace culvert::stun {
namespace {

Bytes hex(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c != ' ' && c != '\n') {
            digits += c;
        }
    }
    return from_hex(digits).value();
}

TransactionId transaction_id(std::string_view text) {
    const auto bytes = hex(text);
    TransactionId id{};
    std::copy(bytes.begin(), bytes.end(), id.begin());
    return id;
}

net::SocketAddress address(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

// RFC 5769 pads with spaces where we write zeros, so these are read but not written.

constexpr std::string_view kRfc5769Password = "VOkJxbRl1RmTxUk/WvJxBt";

TEST(Rfc5769, SampleRequest) {
    const auto bytes = hex(R"(
        00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74 00240004 6e0001ff
        80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020 00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249
        c1b571a2 80280004 e57a3bcf)");

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->is(Class::kRequest, Method::kBinding));
    EXPECT_EQ(message->text(AttributeType::kSoftware), "STUN test client");
    EXPECT_EQ(message->u32(AttributeType::kPriority), 0x6e0001ffU);
    EXPECT_EQ(message->u64(AttributeType::kIceControlled), 0x932ff9b151263b36U);
    EXPECT_EQ(message->text(AttributeType::kUsername), "evtj:h6vY");
    EXPECT_TRUE(message->verify_integrity(as_bytes(kRfc5769Password)));
    EXPECT_TRUE(message->verify_fingerprint());
}

TEST(Rfc5769, SampleIpv4Response) {
    const auto bytes = hex(R"(
        0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200008 0001a147 e112a643
        00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96)");

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->text(AttributeType::kSoftware), "test vector");
    EXPECT_EQ(message->address(AttributeType::kXorMappedAddress), address("192.0.2.1:32853"));
    EXPECT_TRUE(message->verify_integrity(as_bytes(kRfc5769Password)));
    EXPECT_TRUE(message->verify_fingerprint());
}

TEST(Rfc5769, SampleIpv6Response) {
    const auto bytes = hex(R"(
        01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200014 0002a147 0113a9fa
        a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c)");

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->address(AttributeType::kXorMappedAddress),
              address("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
    EXPECT_TRUE(message->verify_integrity(as_bytes(kRfc5769Password)));
    EXPECT_TRUE(message->verify_fingerprint());
}

TEST(Rfc5769, SampleRequestWithLongTermAuthentication) {
    const auto bytes = hex(R"(
        00010060 2112a442 78ad3433 c6ad72c0 29da412e 00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000 0015001c
        662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341 0014000b 6578616d 706c652e 6f726700 00080014
        f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666)");

    const auto message = Message::parse(bytes);

    ASSERT_TRUE(message.has_value());
    const std::string_view username = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
    EXPECT_EQ(message->text(AttributeType::kUsername), username);
    EXPECT_EQ(message->text(AttributeType::kNonce), "f//499k954d6OL34oL9FSTvy64sA");
    EXPECT_EQ(message->text(AttributeType::kRealm), "example.org");
    EXPECT_TRUE(message->verify_integrity(long_term_key(username, "example.org", "TheMatrIX").reveal()));
}

// spec/relay.md section 14: written byte for byte, and read back.

constexpr std::string_view kUsername = "1893456000:voyDQ8ceOA0Q/GUjDhqzGKyWZJF18cJkB7wJrnZ3d8A";
constexpr std::string_view kPassword = "Ht7mhCfoSWt9LMWnLeqzBtm4VA6AbsTaHi1C0QoUkEQ";
constexpr std::string_view kRealm = "firezone";
constexpr std::string_view kNonce = "3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98";
constexpr std::string_view kClient = "example-client";
constexpr std::string_view kRelay = "firezone-relay; rev=xxxx";

LongTermKey key() {
    return long_term_key(kUsername, kRealm, kPassword);
}

void expect_signed(const Bytes& bytes) {
    const auto message = Message::parse(bytes);
    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->verify_integrity(key().reveal()));
}

/// Requests of the examples up to their credentials: method's own attributes and SOFTWARE.
MessageBuilder allocate_like(Method method, const TransactionId& id) {
    MessageBuilder builder{Class::kRequest, method, id};
    builder.requested_transport(kTransportUdp)
        .address_family(AttributeType::kAdditionalAddressFamily, net::Family::kIpv6)
        .text(AttributeType::kSoftware, kClient);
    return builder;
}

Bytes sign_with_nonce(MessageBuilder& builder) {
    return builder.text(AttributeType::kUsername, kUsername)
        .text(AttributeType::kRealm, kRealm)
        .text(AttributeType::kNonce, kNonce)
        .integrity(key().reveal())
        .build();
}

TEST(RelayVectors, Key) {
    EXPECT_EQ(to_hex(key().reveal()), "21fc3bdef014ac85a236f8ad61ad1653");
}

TEST(RelayVectors, Binding) {
    const auto id = transaction_id("01020304 05060708 090a0b0c");
    EXPECT_EQ(MessageBuilder(Class::kRequest, Method::kBinding, id).text(AttributeType::kSoftware, kClient).build(),
              hex(R"(00010014 2112a442 01020304 05060708 090a0b0c 8022000e 6578616d 706c652d
                     636c6965 6e740000)"));
    EXPECT_EQ(MessageBuilder(Class::kSuccess, Method::kBinding, id)
                  .text(AttributeType::kSoftware, kRelay)
                  .address(AttributeType::kXorMappedAddress, address("198.51.100.23:51820"))
                  .build(),
              hex(R"(01010028 2112a442 01020304 05060708 090a0b0c 80220018 66697265 7a6f6e65
                     2d72656c 61793b20 7265763d 78787878 00200008 0001eb7e e721c055)"));
}

TEST(RelayVectors, AllocateWithoutNonceAndItsSigned401) {
    const auto id = transaction_id("01020304 05060708 090a0b0c");
    const auto request = hex(R"(
        00030084 2112a442 01020304 05060708 090a0b0c 00190004 11000000 80000004
        02000000 8022000e 6578616d 706c652d 636c6965 6e740000 00060036 31383933
        34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47 4b79575a
        4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265 7a6f6e65
        00080014 717c683c ba0f8db3 9b0e5563 ba056737 4182915e)");
    EXPECT_EQ(allocate_like(Method::kAllocate, id)
                  .text(AttributeType::kUsername, kUsername)
                  .text(AttributeType::kRealm, kRealm)
                  .integrity(key().reveal())
                  .build(),
              request);
    expect_signed(request);

    const auto response = hex(R"(
        0113007c 2112a442 01020304 05060708 090a0b0c 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00090010 00000401 556e6175 74686f72
        697a6564 00140008 66697265 7a6f6e65 00150024 33663065 36633561 2d386231
        642d3463 32372d39 6136342d 64326537 66356230 31633938 00080014 da4aad00
        6a55503d d9cbd169 6389e0b2 e4de1011)");
    EXPECT_EQ(MessageBuilder(Class::kError, Method::kAllocate, id)
                  .text(AttributeType::kSoftware, kRelay)
                  .error_code(kUnauthorized, "Unauthorized")
                  .text(AttributeType::kRealm, kRealm)
                  .text(AttributeType::kNonce, kNonce)
                  .integrity(key().reveal())
                  .build(),
              response);
    expect_signed(response);
    EXPECT_EQ(Message::parse(response)->error_code()->code, 401);
    EXPECT_EQ(Message::parse(response)->text(AttributeType::kNonce), kNonce);
}

TEST(RelayVectors, AllocateWithNonceAndItsDualStackSuccess) {
    const auto id = transaction_id("a1a2a3a4 a5a6a7a8 a9aaabac");
    auto request = allocate_like(Method::kAllocate, id);
    EXPECT_EQ(sign_with_nonce(request), hex(R"(
        000300ac 2112a442 a1a2a3a4 a5a6a7a8 a9aaabac 00190004 11000000 80000004
        02000000 8022000e 6578616d 706c652d 636c6965 6e740000 00060036 31383933
        34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47 4b79575a
        4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265 7a6f6e65
        00150024 33663065 36633561 2d386231 642d3463 32372d39 6136342d 64326537
        66356230 31633938 00080014 07b1a278 1555c9bc 08645227 e311da16 c2359dd9)"));

    const auto response = hex(R"(
        0103006c 2112a442 a1a2a3a4 a5a6a7a8 a9aaabac 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00160008 0001f811 ea12d570 00160014
        0002f811 0113a9fa a1f2a3a4 a5a6a7a8 a9aaabad 00200008 0001eb7e e721c055
        000d0004 00000258 00080014 17f1b044 3eb70bb0 d27666fb 687726d6 c3a28f7f)");
    EXPECT_EQ(MessageBuilder(Class::kSuccess, Method::kAllocate, id)
                  .text(AttributeType::kSoftware, kRelay)
                  .address(AttributeType::kXorRelayedAddress, address("203.0.113.50:55555"))
                  .address(AttributeType::kXorRelayedAddress, address("[2001:db8:50::1]:55555"))
                  .address(AttributeType::kXorMappedAddress, address("198.51.100.23:51820"))
                  .u32(AttributeType::kLifetime, 600)
                  .integrity(key().reveal())
                  .build(),
              response);
    expect_signed(response);
    EXPECT_EQ(Message::parse(response)->addresses(AttributeType::kXorRelayedAddress),
              (std::vector{address("203.0.113.50:55555"), address("[2001:db8:50::1]:55555")}));
}

TEST(RelayVectors, ChannelBind) {
    const auto id = transaction_id("b1b2b3b4 b5b6b7b8 b9babbbc");
    MessageBuilder request{Class::kRequest, Method::kChannelBind, id};
    request.address(AttributeType::kXorPeerAddress, address("192.0.2.77:40000"))
        .channel_number(0x4000)
        .text(AttributeType::kSoftware, kClient);
    EXPECT_EQ(sign_with_nonce(request), hex(R"(
        000900b0 2112a442 b1b2b3b4 b5b6b7b8 b9babbbc 00120008 0001bd52 e112a60f
        000c0004 40000000 8022000e 6578616d 706c652d 636c6965 6e740000 00060036
        31383933 34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47
        4b79575a 4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265
        7a6f6e65 00150024 33663065 36633561 2d386231 642d3463 32372d39 6136342d
        64326537 66356230 31633938 00080014 26e185d4 7aabb55a 9717f285 d514f55f
        8c537926)"));
    EXPECT_EQ(MessageBuilder(Class::kSuccess, Method::kChannelBind, id)
                  .text(AttributeType::kSoftware, kRelay)
                  .integrity(key().reveal())
                  .build(),
              hex(R"(
        01090034 2112a442 b1b2b3b4 b5b6b7b8 b9babbbc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00080014 0306bec1 c111915a b65861ea
        bee97f9a a4296c35)"));
}

TEST(RelayVectors, RefreshWithLifetimeZero) {
    const auto id = transaction_id("c1c2c3c4 c5c6c7c8 c9cacbcc");
    auto request = allocate_like(Method::kRefresh, id);
    request.u32(AttributeType::kLifetime, 0);
    const auto bytes = sign_with_nonce(request);
    EXPECT_EQ(bytes.size(), 200U);
    EXPECT_EQ(to_hex(ByteSpan{bytes}.last(20)), "b901ff087290b0cfd30d23507a7db549d68c782a");

    EXPECT_EQ(MessageBuilder(Class::kSuccess, Method::kRefresh, id)
                  .text(AttributeType::kSoftware, kRelay)
                  .u32(AttributeType::kLifetime, 0)
                  .integrity(key().reveal())
                  .build(),
              hex(R"(
        0104003c 2112a442 c1c2c3c4 c5c6c7c8 c9cacbcc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 000d0004 00000000 00080014 68e6facd
        23099881 6aa0476d 35e312f2 6c300c24)"));
    EXPECT_EQ(MessageBuilder(Class::kError, Method::kRefresh, id)
                  .text(AttributeType::kSoftware, kRelay)
                  .error_code(kAllocationMismatch, "Allocation Mismatch")
                  .integrity(key().reveal())
                  .build(),
              hex(R"(
        01140050 2112a442 c1c2c3c4 c5c6c7c8 c9cacbcc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00090017 00000425 416c6c6f 63617469
        6f6e204d 69736d61 74636800 00080014 10610fd2 e9a62618 39b4da02 7155bcd0
        da1666b5)"));
}

TEST(RelayVectors, Unsigned400) {
    EXPECT_EQ(MessageBuilder(Class::kError, Method::kAllocate, transaction_id("d1d2d3d4 d5d6d7d8 d9dadbdc"))
                  .text(AttributeType::kSoftware, kRelay)
                  .error_code(kBadRequest, "Bad Request")
                  .build(),
              hex(R"(
        01130030 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 0009000f 00000400 42616420 52657175
        65737400)"));
}

}  // namespace
}  // namespace culvert::stun
