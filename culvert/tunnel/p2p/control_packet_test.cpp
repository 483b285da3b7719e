#include "culvert/tunnel/p2p/control_packet.h"

#include <gtest/gtest.h>

namespace culvert::tunnel::p2p {
namespace {

const std::string kGoodbyeHex = "600000000008ff00" + std::string(64, '0') + "0200000000000000";

TEST(ControlPacket, SpellsGoodbyeAsTheWireWantsIt) {
    EXPECT_EQ(to_hex(goodbye_packet()), kGoodbyeHex);
}

TEST(ControlPacket, ParsesWhatItMakes) {
    const auto packet = make_control_packet(EventType::kDomainStatus, as_bytes("{}"));

    ASSERT_TRUE(packet);
    EXPECT_TRUE(is_control_packet(*packet));
    const auto parsed = parse_control_packet(*packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->event_type, 1);
    EXPECT_EQ(as_text(parsed->payload), "{}");
    EXPECT_EQ(load_be<std::uint16_t>(ByteSpan{*packet}.subspan(4)), 10);
}

TEST(ControlPacket, CutsPaddingOff) {
    auto packet = *make_control_packet(EventType::kAssignedIps, as_bytes("{}"));
    packet.resize(packet.size() + 14);

    EXPECT_EQ(as_text(parse_control_packet(packet)->payload), "{}");
}

TEST(ControlPacket, IgnoresReservedBytesAndTrafficClass) {
    auto packet = *from_hex(kGoodbyeHex);
    packet[0] = std::byte{0x6f};
    packet[1] = std::byte{0xff};
    packet[7] = std::byte{64};
    packet[47] = std::byte{1};

    ASSERT_TRUE(parse_control_packet(packet));
    EXPECT_EQ(parse_control_packet(packet)->event_type, 2);
}

TEST(ControlPacket, NeedsEveryMark) {
    const auto good = *from_hex(kGoodbyeHex);
    const auto with = [&](std::size_t at, std::uint8_t value) {
        auto changed = good;
        changed[at] = std::byte{value};
        return changed;
    };
    EXPECT_TRUE(is_control_packet(good));
    EXPECT_FALSE(is_control_packet(with(0, 0x40))) << "IPv4";
    EXPECT_FALSE(is_control_packet(with(5, 7))) << "payload too short";
    EXPECT_FALSE(is_control_packet(with(6, 17))) << "UDP";
    EXPECT_FALSE(is_control_packet(with(23, 1))) << "source ::1";
    EXPECT_FALSE(is_control_packet(with(24, 1))) << "destination 100::";
    EXPECT_FALSE(is_control_packet(ByteSpan{good}.first(47)));
    EXPECT_FALSE(is_control_packet({}));
    EXPECT_FALSE(parse_control_packet(with(5, 9))) << "payload longer than the packet";
}

TEST(ControlPacket, NeverExceedsTheMtu) {
    const Bytes largest(1232);
    EXPECT_EQ(make_control_packet(EventType::kAssignedIps, largest)->size(), 1280U);
    const Bytes too_large(1233);
    EXPECT_FALSE(make_control_packet(EventType::kAssignedIps, too_large));
}

}  // namespace
}  // namespace culvert::tunnel::p2p
