// Everything that reads packets from the TUN device or from a peer: parser, changes, ICMP errors, segmentation with any
// offload fields, and merging. Checks what must hold for any input, besides memory safety.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "culvert/packet/coalescer.h"
#include "culvert/packet/ecn.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::packet;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void try_views(Bytes bytes) {
    auto parsed = IpPacket::parse(bytes);
    if (!parsed) {
        return;
    }
    IpPacket& packet = *parsed;
    require(packet.size() <= bytes.size() && packet.l4_offset() + packet.payload().size() <= packet.size());

    if (const auto inspected = inspect_icmp_error(packet); inspected && *inspected) {
        const auto& error = **inspected;
        require(packet.is_icmp());
        auto translated = translate_icmp_error(error, error.embedded.destination, error.embedded.source, 7);
        const auto again = IpPacket::parse(translated, kMaxSuperPacket);
        require(again.has_value() && again->checksums_are_valid());
        require(!make_icmp_error(IcmpErrorKind::kProhibited, packet));
    }
    if (auto error = make_icmp_error(IcmpErrorKind::kUnreachable, packet)) {
        const auto answer = IpPacket::parse(*error);
        require(answer.has_value() && answer->checksums_are_valid());
        require(!make_icmp_error(IcmpErrorKind::kProhibited, *answer));
    }

    packet.recompute_checksums();
    require(packet.checksums_are_valid());
    apply_outer_ecn(packet, net::Ecn::kCe);
    packet.set_source(packet.destination());
    if (packet.source_value()) {
        packet.set_source_value(4242);
        packet.set_destination_value(17);
        require(packet.destination_value()->value == 17);
    }
    require(packet.checksums_are_valid());
}

/// Returns the wire packets.
std::vector<Bytes> try_segmenter(Bytes bytes, const Offload& offload) {
    std::vector<Bytes> segments;
    Segmenter segmenter{TunPacket{bytes, offload}};
    const auto expected = segmenter.remaining();
    require(segmenter.error().has_value() == (expected == 0));
    while (const auto segment = segmenter.next()) {
        require(segment->size() <= kMaxIpPacket);
        if (offload.kind != Offload::Kind::kNone) {
            const auto packet = IpPacket::parse(*segment);
            require(packet.has_value() && packet->size() == segment->size() && packet->checksums_are_valid());
        }
        segments.push_back(to_bytes(*segment));
    }
    require(segments.size() == expected);
    return segments;
}

/// Merges, checks that each item undone is as many packets as went in, and returns how many came out.
std::size_t try_coalescer(Coalescer& coalescer) {
    std::size_t packets = 0;
    for (std::size_t i = 0; i < coalescer.size(); ++i) {
        const auto item = coalescer.item(i);
        packets += item.packets;
        require(item.pieces.size() <= Coalescer::kMaxPieces);
        if (item.packets == 1) {
            require(item.pieces.size() == 2 && item.header == VirtioNetHeader{});
            continue;
        }
        // The header of the super-packet is a piece of its own: what was pushed stays as it was.
        require(item.pieces.size() == item.packets + 2);
        Bytes merged;
        for (const auto& piece : item.pieces.subspan(1)) {
            append(merged, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
        }
        require(merged.size() <= Coalescer::kMaxItemBytes);
        require(try_segmenter(merged, *to_offload(item.header)).size() == item.packets);
    }
    return packets;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input{data, size};
    const auto switches = input.u8();
    Offload offload{.kind = static_cast<Offload::Kind>(switches & 3U),
                    .segment_size = input.u16(),
                    .needs_checksum = (switches & 4U) != 0,
                    .checksum_start = input.u16(),
                    .checksum_offset = input.u16()};
    Coalescer coalescer;
    coalescer.set_coalescing((switches & 8U) == 0, (switches & 16U) == 0);
    coalescer.set_verify_checksums((switches & 32U) != 0);

    std::size_t pushed = 0;
    while (input.left() > 2 && pushed < Coalescer::kMaxPackets / 2) {
        const auto bytes = input.take(input.u16());
        try_views(bytes);
        pushed += coalescer.push_copy(bytes) ? 1 : 0;
        for (const auto& segment : try_segmenter(bytes, offload)) {
            pushed += coalescer.push_copy(segment) ? 1 : 0;
        }
    }
    require(try_coalescer(coalescer) == pushed);
    return 0;
}
