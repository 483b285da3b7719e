#include "culvert/tcp/segment.h"

#include <gtest/gtest.h>

#include "culvert/packet/builder.h"
#include "culvert/tcp/testing/remote_end.h"

namespace culvert::tcp {
namespace {

using test::socket;

const Route kRoute{socket("192.0.2.1:1000"), socket("192.0.2.2:53")};

Segment reread(const Bytes& packet) {
    static Bytes bytes;
    bytes = packet;
    return read_segment(packet::IpPacket::parse(bytes).value());
}

std::optional<std::uint16_t> segment_size_from(Bytes options) {
    const packet::TcpFields fields{.flags = packet::kTcpSyn, .options = std::move(options)};
    return reread(packet::make_tcp(kRoute.local, kRoute.remote, fields, {})).max_segment_size;
}

TEST(Sequence, HasAnOrderAcrossTheWrap) {
    const Sequence before{0xfffffff0};
    const auto after = before + 0x20;

    EXPECT_EQ(after, Sequence{0x10});
    EXPECT_LT(before, after);
    EXPECT_GT(after, before);
    EXPECT_EQ(distance(before, after), 0x20U);
    EXPECT_EQ(std::max(before, after), after);
}

TEST(Segment, IsReadAsItWasWritten) {
    const auto payload = to_bytes(as_bytes("question"));
    const Segment segment{.sequence = Sequence{1},
                          .acknowledgement = Sequence{2},
                          .flags = packet::kTcpAck | packet::kTcpPsh,
                          .window = 3,
                          .max_segment_size = std::nullopt,
                          .payload = payload};

    const auto packet = make_packet(kRoute, segment);
    const auto read = reread(packet);

    EXPECT_EQ(read.sequence, segment.sequence);
    EXPECT_EQ(read.acknowledgement, segment.acknowledgement);
    EXPECT_EQ(read.flags, segment.flags);
    EXPECT_EQ(read.window, 3);
    EXPECT_TRUE(equal(read.payload, payload));
}

TEST(Segment, SynAndFinCountAsAByteEach) {
    EXPECT_EQ(Segment{.flags = packet::kTcpSyn}.length(), 1U);
    EXPECT_EQ(Segment{.flags = packet::kTcpSyn | packet::kTcpFin}.length(), 2U);
}

TEST(Segment, FindsTheSegmentSizeAmongOtherOptions) {
    EXPECT_EQ(segment_size_from(*from_hex("020405b4")), 1460);
    EXPECT_EQ(segment_size_from(*from_hex("01010103030701020404d80101000000")), 1240);
    EXPECT_EQ(segment_size_from(*from_hex("00000000020405b4")), std::nullopt) << "behind the end";
}

TEST(Segment, SurvivesMalformedOptions) {
    EXPECT_EQ(segment_size_from(*from_hex("08000000020405b4")), std::nullopt) << "length 0";
    EXPECT_EQ(segment_size_from(*from_hex("08010000020405b4")), std::nullopt) << "length 1";
    EXPECT_EQ(segment_size_from(*from_hex("0101080201010102")), std::nullopt) << "cut";
    EXPECT_EQ(segment_size_from(*from_hex("020a05b4")), std::nullopt) << "longer than what is left";
    EXPECT_EQ(segment_size_from(*from_hex("0203050101010101")), std::nullopt) << "of another length";
}

TEST(Segment, IsRefusedWithWhatItsSenderExpects) {
    const auto of_ack = refusal_of({.acknowledgement = Sequence{77}, .flags = packet::kTcpAck});
    ASSERT_TRUE(of_ack.has_value());
    EXPECT_EQ(of_ack->flags, packet::kTcpRst);
    EXPECT_EQ(of_ack->sequence, Sequence{77});

    const auto of_syn = refusal_of({.sequence = Sequence{0xffffffff}, .flags = packet::kTcpSyn});
    ASSERT_TRUE(of_syn.has_value());
    EXPECT_EQ(of_syn->flags, packet::kTcpRst | packet::kTcpAck);
    EXPECT_EQ(of_syn->sequence, Sequence{0});
    EXPECT_EQ(of_syn->acknowledgement, Sequence{0});

    EXPECT_EQ(refusal_of({.flags = packet::kTcpRst}), std::nullopt);
}

}  // namespace
}  // namespace culvert::tcp
