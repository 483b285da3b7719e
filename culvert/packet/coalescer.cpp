#include "culvert/packet/coalescer.h"

#include <algorithm>
#include <cassert>

#include "culvert/packet/checksum.h"
#include "culvert/packet/constants.h"

namespace culvert::packet {

namespace {

constexpr std::size_t kChunkBytes = 128 * 1024;
constexpr std::size_t kMaxChunks = 64;
/// Packets that one receive call brings at most in practice: 8 messages of 64 segments.
constexpr std::size_t kExpectedPackets = 512;

bool equal_at(MutableByteSpan a, MutableByteSpan b, std::size_t offset, std::size_t length) {
    return std::memcmp(a.data() + offset, b.data() + offset, length) == 0;
}

std::size_t flow_slot(const IpPacket& packet, std::size_t slots) {
    constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15ULL;
    const auto addresses = packet.address_bytes();
    std::uint64_t hash = load_le<std::uint32_t>(packet.l4());  // both ports
    hash = hash << 8 | packet.protocol();
    for (std::size_t i = 0; i < addresses.size(); i += 8) {
        hash = (hash ^ load_le<std::uint64_t>(addresses.subspan(i))) * kMix;
        hash ^= hash >> 32;
    }
    return hash % slots;
}

/// Bytes of a TCP header that say whether it can be merged at all: exactly ACK, or ACK and PSH.
bool is_mergeable_tcp(const IpPacket& packet) {
    constexpr auto kReservedBits = std::byte{0x0f};
    const auto flags = packet.tcp_flags();
    return (flags == kTcpAck || flags == (kTcpAck | kTcpPsh)) && (packet.l4()[12] & kReservedBits) == std::byte{0};
}

/// A datagram with a checksum (one without would get one by being merged) and nothing behind its end.
bool is_mergeable_udp(const IpPacket& packet) {
    const auto l4 = packet.l4();
    return load_be<std::uint16_t>(l4.subspan(4)) == l4.size() &&
           load_be<std::uint16_t>(l4.subspan(kUdpChecksumOffset)) != 0;
}

}  // namespace

Coalescer::Coalescer() : iovecs_(kMaxPieces) {
    items_.reserve(kExpectedPackets);
    pieces_.reserve(kExpectedPackets);
    last_item_of_flow_.fill(kNone);
}

void Coalescer::set_coalescing(bool tcp, bool udp) {
    coalesce_tcp_ = tcp;
    coalesce_udp_ = udp;
    last_item_of_flow_.fill(kNone);  // packets that are not merged are not tracked either
}

bool Coalescer::push(MutableByteSpan packet) {
    if (const auto parsed = IpPacket::parse(packet)) {
        return push(*parsed);
    }
    return append_item(packet);
}

bool Coalescer::push_copy(ByteSpan packet) {
    const auto copy = allocate(packet.size());
    if (copy.empty()) {
        return false;
    }
    std::ranges::copy(packet, copy.begin());
    return push(copy);
}

bool Coalescer::push(const IpPacket& packet) {
    const bool is_coalesced = (packet.is_tcp() && coalesce_tcp_) || (packet.is_udp() && coalesce_udp_);
    if (!is_coalesced) {
        return append_item(packet.bytes());
    }

    auto& last = last_item_of_flow_[flow_slot(packet, kFlowSlots)];
    const bool continues_flow = last != kNone && is_same_flow(items_[last], packet);
    if (!is_candidate(packet)) {
        if (continues_flow) {
            last = kNone;  // nothing may be merged across this packet
        }
        return append_item(packet.bytes());
    }
    if (continues_flow && pieces_.size() < kMaxPackets && can_merge(items_[last], packet)) {
        if (!merge(items_[last], packet)) {
            last = kNone;
        }
        return true;
    }
    if (!append_item(packet.bytes())) {
        return false;
    }
    if (start(items_.back(), packet)) {
        last = static_cast<std::uint32_t>(items_.size() - 1);
    } else if (continues_flow) {
        last = kNone;
    }
    return true;
}

bool Coalescer::append_item(MutableByteSpan packet) {
    if (packet.empty() || pieces_.size() >= kMaxPackets) {
        return false;
    }
    const auto piece = static_cast<std::uint32_t>(pieces_.size());
    pieces_.push_back({packet.data(), static_cast<std::uint32_t>(packet.size()), kNone});
    Record& record = items_.emplace_back();
    record.first_piece = piece;
    record.last_piece = piece;
    record.packets = 1;
    record.bytes = static_cast<std::uint32_t>(packet.size());
    return true;
}

bool Coalescer::is_candidate(const IpPacket& packet) const {
    const auto plain_header = packet.is_v4() ? kIpv4HeaderLength : kIpv6HeaderLength;
    if (packet.l4_offset() != plain_header || packet.payload().empty()) {
        return false;
    }
    if (packet.is_tcp() ? !is_mergeable_tcp(packet) : !is_mergeable_udp(packet)) {
        return false;
    }
    return !verify_checksums_ || packet.checksums_are_valid();
}

bool Coalescer::is_same_flow(const Record& record, const IpPacket& packet) const {
    if (record.is_v4 != packet.is_v4() || record.is_tcp != packet.is_tcp()) {
        return false;
    }
    const auto addresses = packet.address_bytes();
    const auto head = head_of(record);
    const auto head_addresses = head.subspan(record.is_v4 ? 12 : 8, addresses.size());
    return equal_at(head_addresses, addresses, 0, addresses.size()) &&
           equal_at(head.subspan(record.l4_offset), packet.l4(), 0, 4);
}

bool Coalescer::start(Record& record, const IpPacket& packet) {
    const auto payload = packet.payload().size();
    record.is_v4 = packet.is_v4();
    record.is_tcp = packet.is_tcp();
    record.l4_offset = static_cast<std::uint16_t>(packet.l4_offset());
    record.header_length = static_cast<std::uint16_t>(packet.size() - payload);
    record.segment_size = static_cast<std::uint16_t>(payload);
    if (record.is_v4) {
        record.next_identification = static_cast<std::uint16_t>(load_be<std::uint16_t>(packet.bytes().subspan(4)) + 1);
    }
    if (record.is_tcp) {
        record.next_sequence = packet.tcp_sequence() + static_cast<std::uint32_t>(payload);
        record.has_push = (packet.tcp_flags() & kTcpPsh) != 0;
    }
    return !record.has_push;
}

bool Coalescer::can_merge(const Record& record, const IpPacket& packet) const {
    const auto size = packet.payload().size();
    if (size > record.segment_size || packet.size() - size != record.header_length ||
        record.bytes + size > kMaxItemBytes) {
        return false;
    }

    const auto head = head_of(record);
    const auto bytes = packet.bytes();
    if (record.is_v4) {
        constexpr auto kFlags = std::byte{0xe0};
        constexpr auto kDontFragment = std::byte{0x40};
        const bool same_header =
            head[1] == bytes[1] && head[8] == bytes[8] && ((head[6] ^ bytes[6]) & kFlags) == std::byte{0};
        const bool same_train = (bytes[6] & kDontFragment) != std::byte{0} ||
                                load_be<std::uint16_t>(bytes.subspan(4)) == record.next_identification;
        if (!same_header || !same_train) {
            return false;
        }
    } else {
        constexpr std::uint32_t kTrafficClass = 0x0ff00000;
        const bool same_class = ((load_be<std::uint32_t>(head) ^ load_be<std::uint32_t>(bytes)) & kTrafficClass) == 0;
        if (!same_class || head[7] != bytes[7]) {
            return false;
        }
    }
    if (!record.is_tcp) {
        return true;
    }
    // Acknowledgement; window; urgent pointer and options.
    const auto l4 = head.subspan(record.l4_offset);
    const auto options_end = static_cast<std::size_t>(record.header_length - record.l4_offset);
    return packet.tcp_sequence() == record.next_sequence && equal_at(l4, packet.l4(), 8, 4) &&
           equal_at(l4, packet.l4(), 14, 2) && equal_at(l4, packet.l4(), 18, options_end - 18);
}

bool Coalescer::merge(Record& record, const IpPacket& packet) {
    const auto payload = packet.payload();
    const auto size = static_cast<std::uint32_t>(payload.size());
    const auto piece = static_cast<std::uint32_t>(pieces_.size());
    pieces_.push_back({payload.data(), size, kNone});
    pieces_[record.last_piece].next = piece;
    record.last_piece = piece;
    ++record.packets;
    record.bytes += size;
    record.next_identification = static_cast<std::uint16_t>(record.next_identification + 1);
    record.next_sequence += size;
    record.has_push = record.is_tcp && (packet.tcp_flags() & kTcpPsh) != 0;

    const auto most_packets = record.is_tcp ? kMaxPieces - 2 : kMaxUdpSegments;
    return size == record.segment_size && !record.has_push && record.packets < most_packets;
}

void Coalescer::write_super_header(Record& record) {
    const MutableByteSpan head{super_header_.data(), record.header_length};
    std::ranges::copy(head_of(record).first(record.header_length), head.begin());
    const std::size_t l4_length = record.bytes - record.l4_offset;
    MutableByteSpan addresses;
    if (record.is_v4) {
        const auto header = head.first(kIpv4HeaderLength);
        store_be(header.subspan(2), static_cast<std::uint16_t>(record.bytes));
        store_be(header.subspan(10), std::uint16_t{0});
        store_be(header.subspan(10), internet_checksum(header));
        addresses = header.subspan(12, 8);
    } else {
        store_be(head.subspan(4), static_cast<std::uint16_t>(l4_length));
        addresses = head.subspan(8, 32);
    }

    // The kernel finishes the checksum from the sum of the pseudo-header.
    const auto l4 = head.subspan(record.l4_offset);
    const auto protocol = record.is_tcp ? kProtocolTcp : kProtocolUdp;
    const auto checksum_offset = record.is_tcp ? kTcpChecksumOffset : kUdpChecksumOffset;
    store_be(l4.subspan(checksum_offset), Checksum{}.add_pseudo_header(addresses, protocol, l4_length).sum());
    if (!record.is_tcp) {
        store_be(l4.subspan(4), static_cast<std::uint16_t>(l4_length));
    } else if (record.has_push) {
        l4[13] |= std::byte{kTcpPsh};
    }

    record.header = {
        .flags = kVirtioNeedsChecksum,
        .gso_type = !record.is_tcp ? kVirtioGsoUdpL4 : (record.is_v4 ? kVirtioGsoTcp4 : kVirtioGsoTcp6),
        .header_length = record.header_length,
        .gso_size = record.segment_size,
        .checksum_start = record.l4_offset,
        .checksum_offset = static_cast<std::uint16_t>(checksum_offset),
    };
}

Coalescer::Item Coalescer::item(std::size_t i) {
    assert(i < items_.size());

    Record& record = items_[i];
    iovecs_[0] = {&record.header, sizeof record.header};
    std::size_t count = 1;
    auto piece = record.first_piece;
    if (record.packets > 1) {
        write_super_header(record);
        const auto& [data, length, next] = pieces_[piece];
        iovecs_[count++] = {super_header_.data(), record.header_length};
        iovecs_[count++] = {data + record.header_length, length - record.header_length};
        piece = next;
    }
    for (; piece != kNone; piece = pieces_[piece].next) {
        iovecs_[count++] = {pieces_[piece].data, pieces_[piece].length};
    }
    return {record.header, std::span{iovecs_}.first(count), record.packets};
}

std::vector<ByteSpan> Coalescer::packets(std::size_t i) const {
    assert(i < items_.size());

    const Record& record = items_[i];
    std::vector<ByteSpan> packets{head_of(record)};
    for (auto piece = pieces_[record.first_piece].next; piece != kNone; piece = pieces_[piece].next) {
        packets.emplace_back(pieces_[piece].data - record.header_length, pieces_[piece].length + record.header_length);
    }
    return packets;
}

void Coalescer::clear() {
    items_.clear();
    pieces_.clear();
    last_item_of_flow_.fill(kNone);
    chunk_ = 0;
    chunk_used_ = 0;
}

MutableByteSpan Coalescer::head_of(const Record& record) const {
    const auto& piece = pieces_[record.first_piece];
    return {piece.data, piece.length};
}

MutableByteSpan Coalescer::allocate(std::size_t length) {
    if (length == 0 || length > kChunkBytes) {
        return {};
    }
    if (chunk_ < chunks_.size() && chunk_used_ + length > kChunkBytes) {
        ++chunk_;
        chunk_used_ = 0;
    }
    if (chunk_ == chunks_.size()) {
        if (chunk_ == kMaxChunks) {
            return {};
        }
        chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(kChunkBytes));
    }
    const MutableByteSpan space{chunks_[chunk_].get() + chunk_used_, length};
    chunk_used_ += length;
    return space;
}

}  // namespace culvert::packet
