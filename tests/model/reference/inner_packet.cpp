#include "tests/model/reference/inner_packet.h"

#include <algorithm>
#include <array>

namespace culvert::model {
namespace {

constexpr std::size_t kIpv6Header = 40;
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragmentHeader = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kFlagSyn = 0x02;
constexpr std::uint8_t kFlagAck = 0x10;
constexpr std::uint8_t kCongestionExperienced = 3;

std::uint8_t at(ByteSpan bytes, std::size_t index) {
    return std::to_integer<std::uint8_t>(bytes[index]);
}
std::uint16_t u16(ByteSpan bytes, std::size_t index) {
    return load_be<std::uint16_t>(bytes.subspan(index));
}

bool has_source_route(ByteSpan options) {
    while (!options.empty() && at(options, 0) != 0) {
        const auto kind = at(options, 0) & 0x7fU;
        if (kind == 3 || kind == 9) {
            return true;
        }
        const std::size_t length = kind == 1 ? 1 : options.size() < 2 ? 0 : at(options, 1);
        if (length == 0 || length > options.size()) {
            return false;
        }
        options = options.subspan(length);
    }
    return false;
}

/// `is_quoted`: the packet may have been cut short.
bool read_ipv4(ByteSpan bytes, bool is_quoted, InnerPacket& packet) {
    if (bytes.size() < 20) {
        return false;
    }
    const std::size_t header = (at(bytes, 0) & 0x0fU) * 4U;
    const std::size_t total = u16(bytes, 2);
    if (header < 20 || bytes.size() < header || total < header || (total > bytes.size() && !is_quoted)) {
        return false;
    }
    packet.bytes = bytes.first(std::min(total, bytes.size()));
    packet.ecn = at(bytes, 1) & 3U;
    packet.is_fragment = (u16(bytes, 6) & 0x3fffU) != 0;
    packet.ttl = at(bytes, 8);
    packet.protocol = at(bytes, 9);
    packet.source = net::IpAddress::from_bytes(bytes.subspan(12, 4));
    packet.destination = net::IpAddress::from_bytes(bytes.subspan(16, 4));
    packet.is_source_routed = has_source_route(bytes.first(header).subspan(20));
    packet.l4 = packet.bytes.subspan(header);
    return true;
}

/// Steps over one extension header. False if there is none, or not all of it.
bool skip_extension(InnerPacket& packet) {
    const bool has_length =
        packet.protocol == kHopByHop || packet.protocol == kRouting || packet.protocol == kDestinationOptions;
    if ((!has_length && packet.protocol != kFragmentHeader && packet.protocol != kAuthentication) ||
        packet.l4.size() < 8) {
        return false;
    }
    std::size_t length = 8;
    if (has_length) {
        length += at(packet.l4, 1) * std::size_t{8};
    } else if (packet.protocol == kAuthentication) {
        length += at(packet.l4, 1) * std::size_t{4};
    } else if ((u16(packet.l4, 2) & 0xfff9U) != 0) {
        packet.is_fragment = true;
    }
    if (packet.l4.size() < length) {
        return false;
    }
    packet.is_source_routed |= packet.protocol == kRouting && at(packet.l4, 3) != 0;
    packet.protocol = at(packet.l4, 0);
    packet.l4 = packet.l4.subspan(length);
    return true;
}

bool read_ipv6(ByteSpan bytes, bool is_quoted, InnerPacket& packet) {
    if (bytes.size() < kIpv6Header) {
        return false;
    }
    const auto total = kIpv6Header + u16(bytes, 4);
    if (total > bytes.size() && !is_quoted) {
        return false;
    }
    packet.bytes = bytes.first(std::min(total, bytes.size()));
    packet.ecn = (at(bytes, 1) >> 4U) & 3U;
    packet.protocol = at(bytes, 6);
    packet.ttl = at(bytes, 7);
    packet.source = net::IpAddress::from_bytes(bytes.subspan(8, 16));
    packet.destination = net::IpAddress::from_bytes(bytes.subspan(24, 16));
    packet.l4 = packet.bytes.subspan(kIpv6Header);
    while (skip_extension(packet)) {
    }
    return true;
}

bool read_icmp(InnerPacket& packet) {
    if (packet.l4.size() < 8) {
        return false;
    }
    packet.icmp_type = at(packet.l4, 0);
    packet.icmp_code = at(packet.l4, 1);
    packet.payload = packet.l4.subspan(8);
    if (!packet.is_icmp_error()) {
        packet.source_port = packet.destination_port = u16(packet.l4, 4);
        packet.icmp_sequence = u16(packet.l4, 6);
    }
    return true;
}

bool read_tcp(bool is_quoted, InnerPacket& packet) {
    if (packet.l4.size() < 8) {
        return false;
    }
    packet.source_port = u16(packet.l4, 0);
    packet.destination_port = u16(packet.l4, 2);
    packet.tcp_sequence = load_be<std::uint32_t>(packet.l4.subspan(4));
    if (packet.l4.size() < 20) {
        return is_quoted;
    }
    const std::size_t header = (at(packet.l4, 12) >> 4U) * 4U;
    packet.tcp_acknowledgement = load_be<std::uint32_t>(packet.l4.subspan(8));
    packet.tcp_flags = at(packet.l4, 13);
    if (header < 20 || header > packet.l4.size()) {
        return is_quoted;
    }
    packet.payload = packet.l4.subspan(header);
    return true;
}

bool read_udp(InnerPacket& packet) {
    if (packet.l4.size() < 8) {
        return false;
    }
    packet.source_port = u16(packet.l4, 0);
    packet.destination_port = u16(packet.l4, 2);
    packet.udp_checksum = u16(packet.l4, 6);
    packet.payload = packet.l4.subspan(8);
    return true;
}

bool read_transport(bool is_quoted, InnerPacket& packet) {
    if (packet.is_fragment) {
        return true;
    }
    switch (packet.protocol) {
        case kProtocolIcmp:
        case kProtocolIcmpv6:
            return read_icmp(packet);
        case kProtocolTcp:
            return read_tcp(is_quoted, packet);
        case kProtocolUdp:
            return read_udp(packet);
        default:
            packet.payload = packet.l4;
            return true;
    }
}

std::optional<InnerPacket> read(ByteSpan bytes, bool is_quoted) {
    InnerPacket packet;
    if (bytes.empty()) {
        return std::nullopt;
    }
    const auto version = at(bytes, 0) >> 4U;
    const bool has_header = version == 4   ? read_ipv4(bytes, is_quoted, packet)
                            : version == 6 ? read_ipv6(bytes, is_quoted, packet)
                                           : false;
    if (!has_header || !read_transport(is_quoted, packet)) {
        return std::nullopt;
    }
    if (packet.payload.size() >= 16 && as_text(packet.payload.first(8)) == kMarker) {
        packet.marker = load_be<std::uint64_t>(packet.payload.subspan(8));
    }
    return packet;
}

/// The sum of 16-bit words, not yet folded; a last odd byte counts as the upper half of a word.
std::uint64_t sum(ByteSpan bytes) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        total += static_cast<std::uint64_t>(at(bytes, i)) << (i % 2 == 0 ? 8U : 0U);
    }
    return total;
}

/// Whether a sum that includes the checksum field comes out as all ones.
bool is_complete(std::uint64_t total) {
    while (total > 0xffff) {
        total = (total & 0xffffU) + (total >> 16U);
    }
    return total == 0xffff;
}

std::uint64_t pseudo_header(const InnerPacket& packet) {
    return sum(packet.source.bytes()) + sum(packet.destination.bytes()) + packet.l4.size() + packet.protocol;
}

Bytes without_mutable_fields(const InnerPacket& packet) {
    auto bytes = to_bytes(packet.bytes);
    if (packet.source.is_v4()) {
        bytes[1] &= std::byte{0xfc};
        bytes[10] = bytes[11] = std::byte{0};
        if ((bytes[6] & std::byte{0x40}) != std::byte{0}) {
            bytes[4] = bytes[5] = std::byte{0};  // merging and splitting of trains numbers anew
        }
    } else {
        bytes[1] &= std::byte{0xcf};
    }
    return bytes;
}

}  // namespace

bool InnerPacket::is_icmp_error() const {
    if (protocol == kProtocolIcmp) {
        return icmp_type == 3 || icmp_type == 11;
    }
    return protocol == kProtocolIcmpv6 && icmp_type >= 1 && icmp_type <= 3;
}

bool InnerPacket::is_prohibited() const {
    return (protocol == kProtocolIcmp && icmp_type == 3 && icmp_code == 13) ||
           (protocol == kProtocolIcmpv6 && icmp_type == 1 && icmp_code == 1);
}

bool InnerPacket::is_echo_request() const {
    return (protocol == kProtocolIcmp && icmp_type == 8) || (protocol == kProtocolIcmpv6 && icmp_type == 128);
}

bool InnerPacket::is_echo_reply() const {
    return (protocol == kProtocolIcmp && icmp_type == 0) || (protocol == kProtocolIcmpv6 && icmp_type == 129);
}

bool InnerPacket::is_syn() const {
    return is_tcp() && (tcp_flags & (kFlagSyn | kFlagAck)) == kFlagSyn;
}

bool InnerPacket::is_syn_ack() const {
    return is_tcp() && (tcp_flags & (kFlagSyn | kFlagAck)) == (kFlagSyn | kFlagAck);
}

std::optional<InnerPacket> read_packet(ByteSpan bytes) {
    return read(bytes, false);
}

std::optional<InnerPacket> read_quoted(const InnerPacket& error) {
    return error.is_icmp_error() ? read(error.payload, true) : std::nullopt;
}

bool are_checksums_right(const InnerPacket& packet) {
    if (packet.source.is_v4() && !is_complete(sum(packet.bytes.first((at(packet.bytes, 0) & 0x0fU) * 4U)))) {
        return false;
    }
    if (packet.is_fragment) {
        return true;
    }
    switch (packet.protocol) {
        case kProtocolIcmp:
            return is_complete(sum(packet.l4));
        case kProtocolUdp:
            if (u16(packet.l4, 6) == 0) {
                return packet.source.is_v4();
            }
            [[fallthrough]];
        case kProtocolTcp:
        case kProtocolIcmpv6:
            return is_complete(sum(packet.l4) + pseudo_header(packet));
        default:
            return true;
    }
}

bool is_unchanged(const InnerPacket& before, const InnerPacket& after) {
    const bool is_ecn_right = before.ecn == after.ecn || (before.ecn != 0 && after.ecn == kCongestionExperienced);
    return is_ecn_right && before.source.family() == after.source.family() &&
           without_mutable_fields(before) == without_mutable_fields(after);
}

std::string first_difference(ByteSpan before, ByteSpan after) {
    const auto [a, b] = std::ranges::mismatch(before, after);
    const auto rest = [](ByteSpan bytes, auto from) {
        const auto offset = from - bytes.begin();
        return to_hex(bytes.subspan(static_cast<std::size_t>(offset)).first(from == bytes.end() ? 0 : 1));
    };
    return "byte " + std::to_string(a - before.begin()) + ": " + rest(before, a) + " -> " + rest(after, b);
}

}  // namespace culvert::model
