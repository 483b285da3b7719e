#include "culvert/packet/coalescer.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/segmenter.h"

namespace culvert::packet {
namespace {

const auto kV4Source = net::SocketAddress{*net::IpAddress::parse("10.20.0.10"), 5201};
const auto kV4Destination = net::SocketAddress{*net::IpAddress::parse("100.64.0.1"), 40000};
const auto kV6Source = net::SocketAddress{*net::IpAddress::parse("fd10:20::10"), 5201};
const auto kV6Destination = net::SocketAddress{*net::IpAddress::parse("fd00:2021:1111::1"), 40000};

/// One write to the device: its virtio-net header and the packet behind it.
struct Written {
    VirtioNetHeader header;
    Bytes packet;
    std::size_t packets;
};

std::vector<Written> written(Coalescer& coalescer) {
    std::vector<Written> all;
    for (std::size_t i = 0; i < coalescer.size(); ++i) {
        const auto item = coalescer.item(i);
        Written one{item.header, {}, item.packets};
        EXPECT_GE(item.pieces.size(), 2U);
        EXPECT_LE(item.pieces.size(), Coalescer::kMaxPieces);
        EXPECT_EQ(item.pieces[0].iov_base, &item.header);
        EXPECT_EQ(item.pieces[0].iov_len, 10U);
        for (const auto& piece : item.pieces.subspan(1)) {
            append(one.packet, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
        }
        EXPECT_LE(one.packet.size(), Coalescer::kMaxItemBytes);
        all.push_back(std::move(one));
    }
    return all;
}

std::vector<Written> coalesce(const std::vector<Bytes>& packets) {
    Coalescer coalescer;
    for (const auto& packet : packets) {
        EXPECT_TRUE(coalescer.push_copy(packet));
    }
    return written(coalescer);
}

/// How many packets each item holds.
std::vector<std::size_t> shape(const std::vector<Written>& items) {
    std::vector<std::size_t> packets;
    for (const auto& item : items) {
        packets.push_back(item.packets);
    }
    return packets;
}

std::vector<Bytes> segment(Written& item) {
    std::vector<Bytes> segments;
    const auto offload = to_offload(item.header);
    EXPECT_TRUE(offload);
    Segmenter segmenter{TunPacket{item.packet, *offload}};
    while (const auto bytes = segmenter.next()) {
        segments.push_back(to_bytes(*bytes));
    }
    return segments;
}

/// A train of TCP segments as they leave one sender.
class Train {
public:
    TcpFields tcp{.sequence = 1000};
    IpFields ip{};
    bool v4 = true;

    Bytes next(std::size_t size, std::uint8_t extra_flags = 0) {
        auto own = tcp;
        own.flags |= extra_flags;
        auto packet = make_tcp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, own,
                               Bytes(size, std::byte{0x5a}), ip);
        tcp.sequence += static_cast<std::uint32_t>(size);
        ++ip.identification;
        return packet;
    }
};

TEST(Coalescer, MergesATrainOfTcpSegments) {
    for (const bool v4 : {true, false}) {
        Train train;
        train.v4 = v4;
        const auto header = (v4 ? 20U : 40U) + 20;

        const auto items = coalesce({train.next(1000), train.next(1000), train.next(1000), train.next(10)});

        ASSERT_EQ(shape(items), (std::vector<std::size_t>{4}));
        const auto& item = items[0];
        EXPECT_EQ(item.packet.size(), header + 3010U);
        EXPECT_EQ(item.header, (VirtioNetHeader{.flags = 1,
                                                .gso_type = static_cast<std::uint8_t>(v4 ? 1 : 4),
                                                .header_length = static_cast<std::uint16_t>(header),
                                                .gso_size = 1000,
                                                .checksum_start = static_cast<std::uint16_t>(v4 ? 20 : 40),
                                                .checksum_offset = 16}));
    }
}

TEST(Coalescer, LeavesTheKernelThePseudoHeaderSum) {
    for (const bool v4 : {true, false}) {
        Train train;
        train.v4 = v4;
        auto items = coalesce({train.next(1000), train.next(1000)});

        ASSERT_EQ(items.size(), 1U);
        auto packet = *IpPacket::parse(items[0].packet, kMaxSuperPacket);
        const auto field = load_be<std::uint16_t>(packet.l4().subspan(16));
        EXPECT_EQ(field, Checksum{}.add_pseudo_header(packet.address_bytes(), kProtocolTcp, 2020).sum());
        // The kernel sums from the start of L4, field included, and writes the complement.
        const auto finished = internet_checksum(packet.l4());
        store_be(packet.l4().subspan(16), finished);
        EXPECT_TRUE(packet.checksums_are_valid());
    }
}

TEST(Coalescer, LeavesASinglePacketUntouched) {
    const auto packet = Train{}.next(1000);

    const auto items = coalesce({packet});

    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].header, VirtioNetHeader{});
    EXPECT_EQ(to_hex(items[0].packet), to_hex(packet));
}

TEST(Coalescer, MergesInPlace) {
    Train train;
    auto first = train.next(1000);
    auto second = train.next(1000);
    Coalescer coalescer;

    coalescer.push(MutableByteSpan{first});
    coalescer.push(*IpPacket::parse(second));

    ASSERT_EQ(coalescer.size(), 1U);
    const auto item = coalescer.item(0);
    ASSERT_EQ(item.pieces.size(), 4U);
    EXPECT_EQ(item.pieces[1].iov_len, 40U);
    EXPECT_EQ(item.pieces[2].iov_base, first.data() + 40);
    EXPECT_EQ(item.pieces[3].iov_base, second.data() + 40);
    EXPECT_EQ(item.pieces[3].iov_len, 1000U);
}

TEST(Coalescer, GivesMergedPacketsBackAsTheyCame) {
    Train train;
    std::vector<Bytes> pushed{train.next(1000), train.next(1000), train.next(300)};
    pushed.push_back(make_udp(kV4Source, kV4Destination, Bytes(500)));
    Coalescer coalescer;
    for (const auto& packet : pushed) {
        ASSERT_TRUE(coalescer.push_copy(packet));
    }

    const auto items = written(coalescer);  // builds the merged headers

    ASSERT_EQ(shape(items), (std::vector<std::size_t>{3, 1}));
    std::vector<Bytes> given;
    for (std::size_t i = 0; i < coalescer.size(); ++i) {
        for (const auto packet : coalescer.packets(i)) {
            given.push_back(to_bytes(packet));
        }
    }
    EXPECT_EQ(given, pushed);
}

TEST(Coalescer, MergesUdpDatagramsOfOneSize) {
    for (const bool v4 : {true, false}) {
        std::vector<Bytes> packets;
        for (const std::size_t size : {500U, 500U, 300U, 500U}) {
            packets.push_back(make_udp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination, Bytes(size)));
        }

        const auto items = coalesce(packets);

        ASSERT_EQ(shape(items), (std::vector<std::size_t>{3, 1}));  // the short one ended the first
        EXPECT_EQ(items[0].header.gso_type, 5);
        EXPECT_EQ(items[0].header.gso_size, 500);
        EXPECT_EQ(items[0].header.checksum_offset, 6);
        auto bytes = items[0].packet;
        EXPECT_EQ(IpPacket::parse(bytes, kMaxSuperPacket)->payload().size(), 1300U);
    }
}

TEST(Coalescer, EndsATrainAtPush) {
    Train train;

    auto items = coalesce(
        {train.next(100), train.next(100, kTcpPsh), train.next(100), train.next(100), train.next(50, kTcpPsh)});

    ASSERT_EQ(shape(items), (std::vector<std::size_t>{2, 3}));
    EXPECT_EQ(IpPacket::parse(items[0].packet)->tcp_flags(), kTcpAck | kTcpPsh);
    EXPECT_EQ(IpPacket::parse(items[1].packet)->tcp_flags(), kTcpAck | kTcpPsh);
}

TEST(Coalescer, DoesNotContinueAPacketWithPush) {
    Train train;

    EXPECT_EQ(shape(coalesce({train.next(100, kTcpPsh), train.next(100)})), (std::vector<std::size_t>{1, 1}));
}

TEST(Coalescer, EndsATrainAtAShortSegment) {
    Train train;

    EXPECT_EQ(shape(coalesce({train.next(100), train.next(99), train.next(99), train.next(100)})),
              (std::vector<std::size_t>{2, 1, 1}));
}

TEST(Coalescer, KeepsWhatIsNoPlainDataApart) {
    for (const std::uint8_t flags : {kTcpFin, kTcpSyn, kTcpRst, std::uint8_t{0x20}, std::uint8_t{0x40}, kTcpCwr}) {
        Train train;
        EXPECT_EQ(shape(coalesce({train.next(100), train.next(100, flags), train.next(100), train.next(100)})),
                  (std::vector<std::size_t>{1, 1, 2}))
            << int{flags};
    }
    Train train;
    EXPECT_EQ(shape(coalesce({train.next(100), train.next(0), train.next(100)})), (std::vector<std::size_t>{1, 1, 1}));
}

TEST(Coalescer, MergesOnlyWithinOneHeader) {
    const auto after = [](auto change, bool v4 = true) {
        Train train;
        train.v4 = v4;
        train.tcp.options = Bytes(12, std::byte{1});
        std::vector<Bytes> packets{train.next(100)};
        change(train);
        packets.push_back(train.next(100));
        return shape(coalesce(packets)).size();
    };

    EXPECT_EQ(after([](Train&) {}), 1U);
    EXPECT_EQ(after([](Train& train) { ++train.tcp.sequence; }), 2U);
    EXPECT_EQ(after([](Train& train) { --train.tcp.sequence; }), 2U);
    EXPECT_EQ(after([](Train& train) { ++train.tcp.acknowledgement; }), 2U);
    EXPECT_EQ(after([](Train& train) { --train.tcp.window; }), 2U);
    EXPECT_EQ(after([](Train& train) { train.tcp.options[11] = std::byte{2}; }), 2U);
    EXPECT_EQ(after([](Train& train) { train.tcp.options.resize(8); }), 2U);
    for (const bool v4 : {true, false}) {
        EXPECT_EQ(after([](Train& train) { --train.ip.ttl; }, v4), 2U);
        EXPECT_EQ(after([](Train& train) { train.ip.ecn = net::Ecn::kCe; }, v4), 2U);
    }
    EXPECT_EQ(after([](Train& train) { train.ip.dont_fragment = false; }), 2U);
    EXPECT_EQ(after([](Train& train) { train.ip.identification = 9999; }), 1U);
}

TEST(Coalescer, WantsConsecutiveIdentificationsWithoutDf) {
    Train train;
    train.ip.dont_fragment = false;
    const auto first = train.next(100);
    const auto second = train.next(100);
    train.ip.identification = 77;
    const auto third = train.next(100);

    EXPECT_EQ(shape(coalesce({first, second, third})), (std::vector<std::size_t>{2, 1}));
}

TEST(Coalescer, IgnoresTheFlowLabel) {
    Train train;
    train.v4 = false;
    const auto first = train.next(100);
    auto second = train.next(100);
    second[3] = std::byte{0x77};

    EXPECT_EQ(shape(coalesce({first, second})), (std::vector<std::size_t>{2}));
}

TEST(Coalescer, NeverMergesIpOptions) {
    Train train;
    std::vector<Bytes> packets{train.next(100), train.next(100), train.next(100)};
    for (auto& packet : packets) {
        packet.insert(packet.begin() + 20, 4, std::byte{1});
        packet[0] = std::byte{0x46};
        store_be(MutableByteSpan{packet}.subspan(2), static_cast<std::uint16_t>(packet.size()));
    }

    EXPECT_EQ(shape(coalesce(packets)).size(), 3U);
}

TEST(Coalescer, NeverMergesUdpWithoutChecksum) {
    auto packet = make_udp(kV4Source, kV4Destination, Bytes(100));
    store_be(MutableByteSpan{packet}.subspan(26), std::uint16_t{0});

    EXPECT_EQ(shape(coalesce({packet, packet})).size(), 2U);
}

TEST(Coalescer, MergesInterleavedFlows) {
    Train a;
    Train b;
    b.v4 = false;
    std::vector<Bytes> packets;
    for (int i = 0; i < 10; ++i) {
        packets.push_back(a.next(100));
        packets.push_back(b.next(200));
        packets.push_back(make_icmp_echo_request(kV4Source.ip, kV4Destination.ip, 1, 1, {}));
    }

    const auto items = coalesce(packets);

    ASSERT_EQ(items.size(), 12U);
    EXPECT_EQ(items[0].packets, 10U);
    EXPECT_EQ(items[1].packets, 10U);
}

TEST(Coalescer, StaysWithinLengthAndPieceLimits) {
    Train train;
    std::vector<Bytes> full;
    for (int i = 0; i < 60; ++i) {
        full.push_back(train.next(1240));
    }
    EXPECT_EQ(shape(coalesce(full)), (std::vector<std::size_t>{52, 8}));  // 40 + 52 * 1240 <= 65535

    Train tiny;
    std::vector<Bytes> small;
    for (int i = 0; i < 1500; ++i) {
        small.push_back(tiny.next(1));
    }
    EXPECT_EQ(shape(coalesce(small)), (std::vector<std::size_t>{1022, 478}));

    const std::vector<Bytes> datagrams(100, make_udp(kV4Source, kV4Destination, Bytes(10)));
    EXPECT_EQ(shape(coalesce(datagrams)), (std::vector<std::size_t>{64, 36}));
}

TEST(Coalescer, MergesNothingWhenSwitchedOff) {
    Train train;
    const auto tcp1 = train.next(100);
    const auto tcp2 = train.next(100);
    const auto udp = make_udp(kV4Source, kV4Destination, Bytes(10));
    const auto shape_with = [&](bool tcp, bool merge_udp) {
        Coalescer coalescer;
        coalescer.set_coalescing(tcp, merge_udp);
        for (const auto* packet : {&tcp1, &tcp2, &udp, &udp}) {
            coalescer.push_copy(*packet);
        }
        auto items = written(coalescer);
        for (const auto& item : items) {
            EXPECT_EQ(item.header == VirtioNetHeader{}, item.packets == 1);
        }
        return shape(items);
    };

    EXPECT_EQ(shape_with(false, false), (std::vector<std::size_t>{1, 1, 1, 1}));
    EXPECT_EQ(shape_with(true, false), (std::vector<std::size_t>{2, 1, 1}));
    EXPECT_EQ(shape_with(false, true), (std::vector<std::size_t>{1, 1, 2}));
}

TEST(Coalescer, DoesNotRepairCorruptPacketsWhenAskedToVerify) {
    Train train;
    const auto first = train.next(100);
    auto corrupt = train.next(100);
    corrupt.back() ^= std::byte{1};
    const auto third = train.next(100);
    Coalescer coalescer;
    coalescer.set_verify_checksums(true);

    for (const Bytes* packet : {&first, static_cast<const Bytes*>(&corrupt), &third}) {
        coalescer.push_copy(*packet);
    }

    const auto items = written(coalescer);
    ASSERT_EQ(shape(items), (std::vector<std::size_t>{1, 1, 1}));
    EXPECT_EQ(to_hex(items[1].packet), to_hex(corrupt));
}

TEST(Coalescer, CanGrowAnItemThatWasLookedAt) {
    Train train;
    Coalescer coalescer;
    coalescer.push_copy(train.next(100));
    coalescer.push_copy(train.next(100));
    EXPECT_EQ(coalescer.item(0).packets, 2U);

    coalescer.push_copy(train.next(100));

    auto items = written(coalescer);
    ASSERT_EQ(shape(items), (std::vector<std::size_t>{3}));
    EXPECT_EQ(IpPacket::parse(items[0].packet)->size(), 340U);
}

TEST(Coalescer, ForgetsEverythingOnClear) {
    Train train;
    Coalescer coalescer;
    coalescer.push_copy(train.next(100));

    coalescer.clear();
    EXPECT_TRUE(coalescer.empty());
    coalescer.push_copy(train.next(100));

    EXPECT_EQ(shape(written(coalescer)), (std::vector<std::size_t>{1}));
}

TEST(Coalescer, IsBounded) {
    Coalescer coalescer;
    auto packet = make_ip(kV4Source.ip, kV4Destination.ip, 47, {});
    for (std::size_t i = 0; i < Coalescer::kMaxPackets; ++i) {
        ASSERT_TRUE(coalescer.push(MutableByteSpan{packet}));
    }
    EXPECT_FALSE(coalescer.push(MutableByteSpan{packet}));
    EXPECT_FALSE(coalescer.push_copy(packet));

    coalescer.clear();
    const Bytes large(65535, std::byte{1});
    std::size_t copies = 0;
    while (coalescer.push_copy(large)) {
        ASSERT_LT(++copies, 200U);
    }
    EXPECT_GE(copies, 64U);
    EXPECT_FALSE(coalescer.push(MutableByteSpan{}));
    EXPECT_FALSE(coalescer.push_copy(Bytes(200'000)));
}

TEST(Coalescer, PassesOnWhatIsNoIpPacket) {
    const auto garbage = *from_hex("ff00ff");

    const auto items = coalesce({garbage});

    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(to_hex(items[0].packet), "ff00ff");
}

/// Key of what must stay in order: for plain packets all bytes before the ports count, for others the protocol.
std::string flow_of(const Bytes& bytes) {
    auto copy = bytes;
    const auto packet = *IpPacket::parse(copy);
    auto key = to_hex(packet.address_bytes()) + to_hex(std::array{std::byte{packet.protocol()}});
    if (packet.is_tcp() || packet.is_udp()) {
        key += to_hex(packet.l4().first(4));
    }
    return key;
}

// The kernel will undo the merging, or could have done it. Either way each flow must be the same packets in the same
// order as before.
TEST(Coalescer, SegmentingWhatWasMergedRestoresEveryFlow) {
    auto rng = Rng::from_number(7);
    for (int round = 0; round < 60; ++round) {
        struct Flow {
            bool v4;
            bool tcp;
            std::uint16_t port;
            std::size_t size;
            TcpFields fields;
            IpFields ip;
        };
        std::vector<Flow> flows(1 + rng.below(round % 3 == 0 ? 150 : 6));
        for (auto& flow : flows) {
            flow = {.v4 = rng.below(2) == 0,
                    .tcp = rng.below(3) != 0,
                    .port = static_cast<std::uint16_t>(rng.next_u32()),
                    .size = 1 + rng.below(1200),
                    .fields = {.sequence = rng.next_u32(), .options = Bytes(4 * rng.below(4), std::byte{1})},
                    .ip = {.dont_fragment = rng.below(2) == 0,
                           .identification = static_cast<std::uint16_t>(rng.next_u32())}};
        }
        std::map<std::string, std::vector<std::string>> sent;
        std::vector<Bytes> packets;
        for (int i = 0; i < 300; ++i) {
            auto& flow = flows[rng.below(flows.size())];
            if (rng.below(10) == 0) {
                ++flow.fields.acknowledgement;
            }
            if (rng.below(10) == 0) {
                flow.ip.ecn = static_cast<net::Ecn>(rng.below(4));
            }
            if (rng.below(30) == 0) {
                flow.fields.sequence -= static_cast<std::uint32_t>(rng.below(3000));  // retransmission
            }
            auto tcp = flow.fields;
            if (rng.below(12) == 0) {
                tcp.flags |= kTcpPsh;
            }
            if (rng.below(25) == 0) {
                tcp.flags |= static_cast<std::uint8_t>(rng.below(256));
            }
            Bytes payload(rng.below(8) == 0 ? rng.below(flow.size + 1) : flow.size);
            rng.fill(payload);
            const net::SocketAddress source{flow.v4 ? kV4Source.ip : kV6Source.ip, flow.port};
            const auto& destination = flow.v4 ? kV4Destination : kV6Destination;
            packets.push_back(flow.tcp ? make_tcp(source, destination, tcp, payload, flow.ip)
                                       : make_udp(source, destination, payload, flow.ip));
            flow.fields.sequence += static_cast<std::uint32_t>(payload.size());
            ++flow.ip.identification;
            sent[flow_of(packets.back())].push_back(to_hex(packets.back()));
        }

        std::map<std::string, std::vector<std::string>> received;
        auto items = coalesce(packets);
        for (auto& item : items) {
            for (const auto& bytes : segment(item)) {
                received[flow_of(bytes)].push_back(to_hex(bytes));
            }
        }
        ASSERT_EQ(received, sent) << "round " << round;
        ASSERT_LT(items.size(), packets.size());
    }
}

TEST(Coalescer, MergingWhatWasSegmentedRestoresTheSuperPacket) {
    auto rng = Rng::from_number(8);
    for (int round = 0; round < 100; ++round) {
        const bool v4 = rng.below(2) == 0;
        const auto size = 100 + rng.below(1000);
        Bytes payload(size + 1 + rng.below(60 * size));
        payload.resize(std::min<std::size_t>(payload.size(), 65000));
        rng.fill(payload);
        auto super = make_tcp(v4 ? kV4Source : kV6Source, v4 ? kV4Destination : kV6Destination,
                              {.sequence = rng.next_u32(), .flags = kTcpAck | kTcpPsh}, payload);
        const auto original = super;

        Segmenter segmenter{TunPacket{super,
                                      {.kind = v4 ? Offload::Kind::kTcp4 : Offload::Kind::kTcp6,
                                       .segment_size = static_cast<std::uint16_t>(size)}}};
        Coalescer coalescer;
        while (const auto bytes = segmenter.next()) {
            coalescer.push_copy(*bytes);
        }

        auto items = written(coalescer);
        ASSERT_EQ(items.size(), 1U);
        ASSERT_EQ(items[0].header.gso_size, size);
        IpPacket::parse(items[0].packet, kMaxSuperPacket)->recompute_checksums();
        ASSERT_EQ(to_hex(items[0].packet), to_hex(original));
    }
}

}  // namespace
}  // namespace culvert::packet
