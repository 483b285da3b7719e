// The byte-level examples of spec/relay.md section 14: what goes over the wire, octet by octet.

#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/stun/integrity.h"
#include "culvert/turn/server/responses.h"
#include "culvert/turn/server/server_fixture.h"

namespace culvert::turn::test {
namespace {

const auto kClient = at("198.51.100.23:51820");
const auto kExampleUser = "1893456000:voyDQ8ceOA0Q/GUjDhqzGKyWZJF18cJkB7wJrnZ3d8A";

Relay example_relay() {
    return Relay{with_ports(dual_stack(), 55555, 55555)};
}

stun::LongTermKey example_key() {
    return relay_key(*RelayUsername::parse(kExampleUser), kStampSecret);
}

const auto kAllocateWithNonce = hex(R"(
    000300ac 2112a442 a1a2a3a4 a5a6a7a8 a9aaabac 00190004 11000000 80000004
    02000000 8022000e 6578616d 706c652d 636c6965 6e740000 00060036 31383933
    34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47 4b79575a
    4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265 7a6f6e65
    00150024 33663065 36633561 2d386231 642d3463 32372d39 6136342d 64326537
    66356230 31633938 00080014 07b1a278 1555c9bc 08645227 e311da16 c2359dd9)");

const auto kRefreshToDelete = hex(R"(
    000400b4 2112a442 c1c2c3c4 c5c6c7c8 c9cacbcc 00190004 11000000 80000004
    02000000 8022000e 6578616d 706c652d 636c6965 6e740000 000d0004 00000000
    00060036 31383933
    34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47 4b79575a
    4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265 7a6f6e65
    00150024 33663065 36633561 2d386231 642d3463 32372d39 6136342d 64326537
    66356230 31633938 00080014 b901ff08 7290b0cf d30d2350 7a7db549 d68c782a)");

/// The example's request with a nonce that counts, after a look at its own signature.
Bytes with_live_nonce(const Relay& relay, const Bytes& example) {
    EXPECT_TRUE(stun::Message::parse(example)->verify_integrity(example_key().reveal()));
    constexpr std::string_view kExampleNonce = "3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98";
    constexpr std::size_t kIntegrityAttribute = 24;
    auto request = example;
    const auto nonce = relay.server.make_nonce(kClient, relay.now).to_string();
    const auto at = as_text(request).find(kExampleNonce);
    std::ranges::copy(as_bytes(nonce), request.begin() + static_cast<std::ptrdiff_t>(at));
    const auto end = request.size() - kIntegrityAttribute;
    const auto tag = stun::message_integrity(ByteSpan{request}.first(end), example_key().reveal());
    std::ranges::copy(tag, request.begin() + static_cast<std::ptrdiff_t>(end + 4));
    return request;
}

TEST(ServerBytes, AnswersBinding) {
    auto relay = example_relay();

    const auto commands = relay.receive(hex(R"(
        00010014 2112a442 01020304 05060708 090a0b0c 8022000e 6578616d 706c652d
        636c6965 6e740000)"),
                                        kClient);

    const std::vector<Command> expected{SendMessage{kClient, hex(R"(
        01010028 2112a442 01020304 05060708 090a0b0c 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00200008 0001eb7e e721c055)")}};
    EXPECT_EQ(commands, expected);
}

const auto kSignedUnauthorized = hex(R"(
    0113007c 2112a442 01020304 05060708 090a0b0c 80220018 66697265 7a6f6e65
    2d72656c 61793b20 7265763d 78787878 00090010 00000401 556e6175 74686f72
    697a6564 00140008 66697265 7a6f6e65 00150024 33663065 36633561 2d386231
    642d3463 32372d39 6136342d 64326537 66356230 31633938 00080014 da4aad00
    6a55503d d9cbd169 6389e0b2 e4de1011)");

TEST(ServerBytes, SignsUnauthorizedResponse) {
    const stun::Header request{Class::kRequest, Method::kAllocate,
                               stun::Message::parse(kSignedUnauthorized)->transaction_id()};

    const auto response =
        error_response(request, stun::kUnauthorized, Uuid::parse("3f0e6c5a-8b1d-4c27-9a64-d2e7f5b01c98"),
                       kRelaySoftware, example_key());

    EXPECT_EQ(to_hex(response), to_hex(kSignedUnauthorized));
}

TEST(ServerBytes, ChallengesAllocateWithoutNonce) {
    auto relay = example_relay();

    const auto commands = relay.receive(hex(R"(
        00030084 2112a442 01020304 05060708 090a0b0c 00190004 11000000 80000004
        02000000 8022000e 6578616d 706c652d 636c6965 6e740000 00060036 31383933
        34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47 4b79575a
        4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265 7a6f6e65
        00080014 717c683c ba0f8db3 9b0e5563 ba056737 4182915e)"),
                                        kClient);

    const auto* response = Relay::only_response(commands);
    ASSERT_NE(response, nullptr);
    ASSERT_EQ(response->payload.size(), kSignedUnauthorized.size());
    // All but the random nonce and the signature over it is as in the example.
    constexpr std::size_t kNonceAt = 0x54;
    EXPECT_EQ(to_hex(ByteSpan{response->payload}.first(kNonceAt)),
              to_hex(ByteSpan{kSignedUnauthorized}.first(kNonceAt)));
    const auto message = stun::Message::parse(response->payload);
    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->verify_integrity(example_key().reveal()));
    EXPECT_TRUE(Uuid::parse(*message->text(AttributeType::kNonce)).has_value());
}

TEST(ServerBytes, AllocatesBothFamilies) {
    auto relay = example_relay();

    const auto commands = relay.receive(with_live_nonce(relay, kAllocateWithNonce), kClient);

    const std::vector<Command> expected{CreateAllocation{55555, net::Family::kIpv4},
                                        CreateAllocation{55555, net::Family::kIpv6}, SendMessage{kClient, hex(R"(
        0103006c 2112a442 a1a2a3a4 a5a6a7a8 a9aaabac 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00160008 0001f811 ea12d570 00160014
        0002f811 0113a9fa a1f2a3a4 a5a6a7a8 a9aaabad 00200008 0001eb7e e721c055
        000d0004 00000258 00080014 17f1b044 3eb70bb0 d27666fb 687726d6 c3a28f7f)")}};
    EXPECT_EQ(commands, expected);
}

TEST(ServerBytes, BindsChannel) {
    auto relay = example_relay();
    relay.receive(with_live_nonce(relay, kAllocateWithNonce), kClient);

    const auto commands = relay.receive(with_live_nonce(relay, hex(R"(
        000900b0 2112a442 b1b2b3b4 b5b6b7b8 b9babbbc 00120008 0001bd52 e112a60f
        000c0004 40000000 8022000e 6578616d 706c652d 636c6965 6e740000 00060036
        31383933 34353630 30303a76 6f794451 3863654f 4130512f 47556a44 68717a47
        4b79575a 4a463138 634a6b42 37774a72 6e5a3364 38410000 00140008 66697265
        7a6f6e65 00150024 33663065 36633561 2d386231 642d3463 32372d39 6136342d
        64326537 66356230 31633938 00080014 26e185d4 7aabb55a 9717f285 d514f55f
        8c537926)")),
                                        kClient);

    const std::vector<Command> expected{CreateChannelBinding{kClient, 0x4000, at("192.0.2.77:40000"), 55555},
                                        SendMessage{kClient, hex(R"(
        01090034 2112a442 b1b2b3b4 b5b6b7b8 b9babbbc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00080014 0306bec1 c111915a b65861ea
        bee97f9a a4296c35)")}};
    EXPECT_EQ(commands, expected);
}

TEST(ServerBytes, DeletesAllocation) {
    auto relay = example_relay();
    relay.receive(with_live_nonce(relay, kAllocateWithNonce), kClient);

    const auto commands = relay.receive(with_live_nonce(relay, kRefreshToDelete), kClient);

    const std::vector<Command> expected{FreeAllocation{55555, net::Family::kIpv4},
                                        FreeAllocation{55555, net::Family::kIpv6}, SendMessage{kClient, hex(R"(
        0104003c 2112a442 c1c2c3c4 c5c6c7c8 c9cacbcc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 000d0004 00000000 00080014 68e6facd
        23099881 6aa0476d 35e312f2 6c300c24)")}};
    EXPECT_EQ(commands, expected);
}

TEST(ServerBytes, SignsAllocationMismatch) {
    auto relay = example_relay();

    const auto commands = relay.receive(with_live_nonce(relay, kRefreshToDelete), kClient);

    const std::vector<Command> expected{SendMessage{kClient, hex(R"(
        01140050 2112a442 c1c2c3c4 c5c6c7c8 c9cacbcc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 00090017 00000425 416c6c6f 63617469
        6f6e204d 69736d61 74636800 00080014 10610fd2 e9a62618 39b4da02 7155bcd0
        da1666b5)")}};
    EXPECT_EQ(commands, expected);
}

TEST(ServerBytes, DoesNotSignBadRequestForMissingTransport) {
    auto relay = example_relay();

    const auto commands = relay.receive(hex("00030000 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc"), kClient);

    const std::vector<Command> expected{SendMessage{kClient, hex(R"(
        01130030 2112a442 d1d2d3d4 d5d6d7d8 d9dadbdc 80220018 66697265 7a6f6e65
        2d72656c 61793b20 7265763d 78787878 0009000f 00000400 42616420 52657175
        65737400)")}};
    EXPECT_EQ(commands, expected);
}

TEST(ServerBytes, ForwardsChannelDataOfTheExample) {
    auto relay = example_relay();
    relay.receive(with_live_nonce(relay, kAllocateWithNonce), kClient);
    relay.username = kExampleUser;
    relay.request(bind(0x4000, "192.0.2.77:40000"), kClient);
    const auto datagram = hex("40000011 04000000 53cc0d0a 99c0ffee 00112233 44");

    const auto to = relay.server.handle_client_input(datagram, kClient, relay.now, relay.wall_now);

    ASSERT_TRUE(to.has_value());
    EXPECT_EQ(to->port, 55555);
    EXPECT_EQ(to->peer, at("192.0.2.77:40000"));
    EXPECT_EQ(to_hex(to->payload), "0400000053cc0d0a99c0ffee0011223344");
    EXPECT_EQ(relay.receive_data("192.0.2.77:40000", 55555), "198.51.100.23:51820 16384");
}

}  // namespace
}  // namespace culvert::turn::test
