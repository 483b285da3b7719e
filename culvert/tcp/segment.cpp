#include "culvert/tcp/segment.h"

#include "culvert/packet/builder.h"

namespace culvert::tcp {
namespace {

// RFC 9293 section 3.2.
constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kNoOperation = 1;
constexpr std::uint8_t kMaxSegmentSize = 2;
constexpr std::uint8_t kMaxSegmentSizeLength = 4;

std::optional<std::uint16_t> read_max_segment_size(ByteSpan options) {
    while (!options.empty()) {
        const auto kind = static_cast<std::uint8_t>(options[0]);
        if (kind == kEndOfOptions) {
            break;
        }
        if (kind == kNoOperation) {
            options = options.subspan(1);
            continue;
        }
        const std::size_t length = options.size() < 2 ? 0 : static_cast<std::size_t>(options[1]);
        if (length < 2 || length > options.size()) {
            break;
        }
        if (kind == kMaxSegmentSize && length == kMaxSegmentSizeLength) {
            return load_be<std::uint16_t>(options.subspan(2));
        }
        options = options.subspan(length);
    }
    return std::nullopt;
}

}  // namespace

Segment read_segment(const packet::IpPacket& packet) {
    const ByteSpan header = packet.l4();
    const auto payload = packet.payload();
    Segment segment;
    segment.sequence = Sequence{load_be<std::uint32_t>(header.subspan(4))};
    segment.acknowledgement = Sequence{load_be<std::uint32_t>(header.subspan(8))};
    segment.flags = static_cast<std::uint8_t>(header[13]);
    segment.window = load_be<std::uint16_t>(header.subspan(14));
    segment.payload = payload;
    if (segment.has(packet::kTcpSyn)) {
        const auto header_length = (static_cast<std::size_t>(header[12]) >> 4U) * 4;
        segment.max_segment_size = read_max_segment_size(header.first(header_length).subspan(packet::kTcpHeaderLength));
    }
    return segment;
}

Route route_of(const packet::IpPacket& packet) {
    return {{packet.destination(), packet.destination_port()}, {packet.source(), packet.source_port()}};
}

Bytes make_packet(const Route& route, const Segment& segment) {
    packet::TcpFields fields{.sequence = segment.sequence.value(),
                             .acknowledgement = segment.acknowledgement.value(),
                             .flags = segment.flags,
                             .window = segment.window,
                             .options = {}};
    if (segment.max_segment_size) {
        fields.options = {std::byte{kMaxSegmentSize}, std::byte{kMaxSegmentSizeLength}};
        append_be(fields.options, *segment.max_segment_size);
    }
    return packet::make_tcp(route.local, route.remote, fields, segment.payload);
}

std::optional<Segment> refusal_of(const Segment& segment) {
    if (segment.has(packet::kTcpRst)) {
        return std::nullopt;
    }
    Segment refusal;
    if (segment.has(packet::kTcpAck)) {
        refusal.flags = packet::kTcpRst;
        refusal.sequence = segment.acknowledgement;
    } else {
        refusal.flags = packet::kTcpRst | packet::kTcpAck;
        refusal.acknowledgement = segment.sequence + segment.length();
    }
    return refusal;
}

}  // namespace culvert::tcp
