#include "culvert/packet/segmenter.h"

#include <algorithm>

#include "culvert/packet/constants.h"
#include "culvert/packet/fragment.h"

namespace culvert::packet {

namespace {

constexpr std::size_t kTcpSequenceOffset = 4;
constexpr std::size_t kTcpFlagsOffset = 13;
constexpr std::size_t kUdpLengthOffset = 4;
constexpr std::size_t kIcmpChecksumOffset = 2;

void clear_u16(MutableByteSpan bytes, std::size_t at) {
    store_be(bytes.subspan(at), std::uint16_t{0});
}

bool matches(Offload::Kind kind, const IpPacket& packet) {
    switch (kind) {
        case Offload::Kind::kTcp4:
            return packet.is_tcp() && packet.is_v4();
        case Offload::Kind::kTcp6:
            return packet.is_tcp() && packet.is_v6();
        case Offload::Kind::kUdp:
            // A length field that stops short of the end would leave bytes that belong to no datagram.
            return packet.is_udp() && packet.payload().size() + kUdpHeaderLength == packet.l4().size();
        case Offload::Kind::kNone:
            break;
    }
    return false;
}

/// Whether the offload names the checksum field that the packet's own protocol has.
bool is_own_checksum(const IpPacket& packet, const Offload& offload) {
    if (offload.checksum_start != packet.l4_offset()) {
        return false;
    }
    return (packet.is_tcp() && offload.checksum_offset == kTcpChecksumOffset) ||
           (packet.is_udp() && offload.checksum_offset == kUdpChecksumOffset) ||
           (packet.is_icmp() && offload.checksum_offset == kIcmpChecksumOffset);
}

}  // namespace

std::string_view to_string(SegmentError error) {
    switch (error) {
        case SegmentError::kMalformed:
            return "not an acceptable IP packet";
        case SegmentError::kKindMismatch:
            return "offload does not fit the protocol";
        case SegmentError::kBadSegmentSize:
            return "segments exceed the MTU of the tunnel";
        case SegmentError::kBadChecksumField:
            return "checksum field outside of the packet";
    }
    return "unknown";
}

Segmenter::Segmenter(TunPacket packet) {
    const bool is_super_packet = packet.offload.kind != Offload::Kind::kNone;
    const auto parsed = IpPacket::parse(packet.bytes, is_super_packet ? kMaxSuperPacket : kMaxIpPacket);
    if (!parsed) {
        error_ = SegmentError::kMalformed;
    } else if (is_super_packet) {
        prepare_super_packet(*parsed, packet.offload);
    } else {
        prepare_single(*parsed, packet.offload);
    }
}

Segmenter::Segmenter(const IpPacket& packet, const Offload& offload) {
    if (offload.kind != Offload::Kind::kNone) {
        prepare_super_packet(packet, offload);
    } else {
        prepare_single(packet, offload);
    }
}

void Segmenter::prepare_single(const IpPacket& packet, const Offload& offload) {
    if (packet.size() > kMaxIpPacket) {
        prepare_fragments(packet);
        return;
    }
    if (offload.needs_checksum) {
        if (is_own_checksum(packet, offload)) {
            // Afresh: the sum in the field may be that of addresses which were translated since.
            IpPacket{packet}.recompute_checksums();
        } else {
            const std::size_t start = offload.checksum_start;
            const std::size_t field = start + offload.checksum_offset;
            if (field + 2 > packet.size()) {
                error_ = SegmentError::kBadChecksumField;
                return;
            }
            store_be(packet.bytes().subspan(field), Checksum{}.add(packet.bytes().subspan(start)).udp_value());
        }
    }
    data_ = packet.bytes().data();
    length_ = static_cast<std::uint32_t>(packet.size());
    ecn_ = packet.ecn();
    is_exhausted_ = false;
}

void Segmenter::prepare_fragments(const IpPacket& packet) {
    const auto header_length = fragment_header_length(packet.bytes());
    if (header_length == 0) {
        error_ = SegmentError::kBadSegmentSize;
        return;
    }
    constexpr std::size_t kUnit = 8;  // of the lengths of all fragments but the last
    data_ = packet.bytes().data();
    length_ = static_cast<std::uint32_t>(packet.size());
    payload_offset_ = static_cast<std::uint32_t>(header_length);
    is_exhausted_ = false;
    cut_ = Cut::kFragments;
    ecn_ = packet.ecn();
    header_length_ = static_cast<std::uint16_t>(header_length);
    segment_size_ = static_cast<std::uint16_t>((kMaxIpPacket - header_length) / kUnit * kUnit);
    std::ranges::copy(packet.bytes().first(header_length), header_.begin());
}

void Segmenter::prepare_super_packet(const IpPacket& packet, const Offload& offload) {
    if (!matches(offload.kind, packet)) {
        error_ = SegmentError::kKindMismatch;
        return;
    }
    const auto payload = packet.payload().size();
    const auto header_length = packet.size() - payload;
    if (offload.segment_size == 0 ||
        header_length + std::min<std::size_t>(offload.segment_size, payload) > kMaxIpPacket) {
        error_ = SegmentError::kBadSegmentSize;
        return;
    }

    data_ = packet.bytes().data();
    length_ = static_cast<std::uint32_t>(packet.size());
    payload_offset_ = static_cast<std::uint32_t>(header_length);
    is_exhausted_ = false;
    cut_ = Cut::kSegments;
    ecn_ = packet.ecn();
    is_v4_ = packet.is_v4();
    is_tcp_ = packet.is_tcp();
    l4_offset_ = static_cast<std::uint16_t>(packet.l4_offset());
    header_length_ = static_cast<std::uint16_t>(header_length);
    segment_size_ = offload.segment_size;

    const auto header = MutableByteSpan{header_}.first(header_length);
    std::ranges::copy(packet.bytes().first(header_length), header.begin());
    if (is_v4_) {
        ipv4_identification_ = load_be<std::uint16_t>(header.subspan(4));
        clear_u16(header, 2);
        clear_u16(header, 4);
        clear_u16(header, 10);
        ipv4_sum_.add(header.first((static_cast<std::size_t>(header[0]) & 0x0fU) * 4));
    }
    const auto l4 = header.subspan(l4_offset_);
    if (is_tcp_) {
        tcp_sequence_ = packet.tcp_sequence();
        tcp_flags_ = packet.tcp_flags();
        store_be(l4.subspan(kTcpSequenceOffset), std::uint32_t{0});
        l4[kTcpFlagsOffset] = std::byte{0};
        clear_u16(l4, kTcpChecksumOffset);
    } else {
        clear_u16(l4, kUdpLengthOffset);
        clear_u16(l4, kUdpChecksumOffset);
    }
    l4_sum_.add_pseudo_header(packet.address_bytes(), packet.protocol(), 0).add(l4);
}

std::optional<MutableByteSpan> Segmenter::next() {
    if (is_exhausted_) {
        return std::nullopt;
    }
    switch (cut_) {
        case Cut::kSegments:
            return build_segment();
        case Cut::kFragments:
            return build_fragment();
        case Cut::kNone:
            break;
    }
    is_exhausted_ = true;
    return MutableByteSpan{data_, length_};
}

std::optional<MutableByteSpan> Segmenter::next_to_keep() {
    if (cut_ != Cut::kFragments || is_exhausted_) {
        return next();
    }
    is_exhausted_ = true;
    return MutableByteSpan{data_, length_};
}

MutableByteSpan Segmenter::build_fragment() {
    const std::size_t left = length_ - payload_offset_;
    const std::size_t size = std::min<std::size_t>(segment_size_, left);
    const MutableByteSpan fragment{data_ + payload_offset_ - header_length_, header_length_ + size};
    std::memcpy(fragment.data(), header_.data(), header_length_);
    is_exhausted_ = size == left;
    write_fragment_header(fragment, payload_offset_ - header_length_, size, is_exhausted_);
    payload_offset_ += static_cast<std::uint32_t>(size);
    return fragment;
}

MutableByteSpan Segmenter::build_segment() {
    const std::size_t left = length_ - payload_offset_;
    const std::size_t size = std::min<std::size_t>(segment_size_, left);
    const bool is_first = index_ == 0;
    const bool is_last = size == left;

    // Everything in front of this payload belongs to segments that are done; and the header comes from header_, so
    // that it does not matter if a payload shorter than the header lets two headers overlap.
    const MutableByteSpan segment{data_ + payload_offset_ - header_length_, header_length_ + size};
    std::memcpy(segment.data(), header_.data(), header_length_);

    if (is_v4_) {
        const auto length = static_cast<std::uint16_t>(segment.size());
        const auto identification = static_cast<std::uint16_t>(ipv4_identification_ + index_);
        store_be(segment.subspan(2), length);
        store_be(segment.subspan(4), identification);
        store_be(segment.subspan(10), Checksum{ipv4_sum_}.add_u16(length).add_u16(identification).value());
    } else {
        store_be(segment.subspan(4), static_cast<std::uint16_t>(segment.size() - kIpv6HeaderLength));
    }

    const auto l4 = segment.subspan(l4_offset_);
    const auto payload = segment.subspan(header_length_);
    Checksum checksum{l4_sum_};
    checksum.add_u16(static_cast<std::uint16_t>(l4.size()));
    if (is_tcp_) {
        auto flags = tcp_flags_;
        if (!is_first) {
            flags &= static_cast<std::uint8_t>(~kTcpCwr);
        }
        if (!is_last) {
            flags &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPsh));
        }
        store_be(l4.subspan(kTcpSequenceOffset), tcp_sequence_);
        l4[kTcpFlagsOffset] = std::byte{flags};
        checksum.add_u32(tcp_sequence_).add_u16(flags).add(payload);
        store_be(l4.subspan(kTcpChecksumOffset), checksum.value());
        tcp_sequence_ += static_cast<std::uint32_t>(size);
    } else {
        const auto length = static_cast<std::uint16_t>(l4.size());
        store_be(l4.subspan(kUdpLengthOffset), length);
        checksum.add_u16(length).add(payload);
        store_be(l4.subspan(kUdpChecksumOffset), checksum.udp_value());
    }

    payload_offset_ += static_cast<std::uint32_t>(size);
    ++index_;
    is_exhausted_ = is_last;
    return segment;
}

std::size_t Segmenter::remaining() const {
    if (is_exhausted_) {
        return 0;
    }
    if (cut_ == Cut::kNone) {
        return 1;
    }
    const std::size_t left = length_ - payload_offset_;
    return std::max<std::size_t>(1, (left + segment_size_ - 1) / segment_size_);
}

}  // namespace culvert::packet
