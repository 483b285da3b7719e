#include "tests/model/wire/wireguard_message.h"

#include <gtest/gtest.h>

namespace culvert::model::wire {
namespace {

Bytes message(std::uint8_t type, std::size_t size) {
    Bytes bytes(size);
    bytes[0] = std::byte{type};
    for (std::size_t i = 4; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(i);
    }
    return bytes;
}

TEST(WireGuardMessage, KnowsTheSizeOfEveryType) {
    EXPECT_TRUE(WireGuardMessage::decode(message(1, 148)).has_value());
    EXPECT_FALSE(WireGuardMessage::decode(message(1, 147)).has_value());
    EXPECT_TRUE(WireGuardMessage::decode(message(2, 92)).has_value());
    EXPECT_FALSE(WireGuardMessage::decode(message(2, 93)).has_value());
    EXPECT_TRUE(WireGuardMessage::decode(message(3, 64)).has_value());
    EXPECT_FALSE(WireGuardMessage::decode(message(3, 65)).has_value());
    EXPECT_TRUE(WireGuardMessage::decode(message(4, 32)).has_value());
    EXPECT_FALSE(WireGuardMessage::decode(message(4, 31)).has_value());
}

TEST(WireGuardMessage, RejectsReservedBytes) {
    auto bytes = message(4, 32);
    bytes[2] = std::byte{1};

    EXPECT_TRUE(WireGuardMessage::looks_like(bytes));
    EXPECT_FALSE(WireGuardMessage::decode(bytes).has_value());
}

TEST(WireGuardMessage, ReadsIndicesAndCounter) {
    const auto response = message(2, 92);
    EXPECT_EQ(WireGuardMessage::decode(response)->sender, 0x07060504U);
    EXPECT_EQ(WireGuardMessage::decode(response)->receiver, 0x0b0a0908U);
    const auto data = message(4, 32);
    EXPECT_EQ(WireGuardMessage::decode(data)->receiver, 0x07060504U);
    EXPECT_EQ(WireGuardMessage::decode(data)->counter, 0x0f0e0d0c0b0a0908U);
    EXPECT_TRUE(WireGuardMessage::decode(data)->is_keepalive());
}

}  // namespace
}  // namespace culvert::model::wire
