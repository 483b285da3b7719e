#include "culvert/turn/channel_data.h"

#include <array>

#include <gtest/gtest.h>

namespace culvert::turn {
namespace {

std::optional<ChannelDataHeader> strict(std::string_view hex) {
    return decode_channel_data(from_hex(hex).value(), TrailingBytes::kRefuse);
}
std::optional<ChannelDataHeader> tolerant(std::string_view hex) {
    return decode_channel_data(from_hex(hex).value(), TrailingBytes::kTolerate);
}

TEST(ChannelData, ReadsAMatchingLength) {
    EXPECT_EQ(strict("40020003010203"), (ChannelDataHeader{0x4002, 3}));
    EXPECT_EQ(tolerant("40020003010203"), (ChannelDataHeader{0x4002, 3}));
    EXPECT_EQ(strict("4fff0000"), (ChannelDataHeader{0x4fff, 0}));
}

TEST(ChannelData, PaddingIsForTheRelayOnly) {
    EXPECT_FALSE(strict("4002000301020300").has_value());
    EXPECT_EQ(tolerant("4002000301020300"), (ChannelDataHeader{0x4002, 3}));
}

TEST(ChannelData, RefusesAnIncompletePayloadOrHeader) {
    for (const auto* const hex : {"", "40", "400200", "400200030102"}) {
        EXPECT_FALSE(strict(hex).has_value()) << hex;
        EXPECT_FALSE(tolerant(hex).has_value()) << hex;
    }
}

TEST(ChannelData, RefusesNumbersThatAreNoChannels) {
    EXPECT_FALSE(strict("3fff0000").has_value());
    EXPECT_FALSE(strict("80000000").has_value());
    EXPECT_TRUE(strict("40000000").has_value());
    EXPECT_TRUE(strict("7fff0000").has_value());
}

TEST(ChannelData, WritesWhatTheRelayExpects) {
    std::array<std::byte, 8> packet{};
    encode_channel_data_header(packet, {0x4002, 148});
    EXPECT_EQ(to_hex(packet), "4002009400000000");
}

}  // namespace
}  // namespace culvert::turn
