#include "culvert/packet/fragment.h"

#include "culvert/packet/checksum.h"

namespace culvert::packet {
namespace {

constexpr std::size_t kUnit = 8;  // of offsets
constexpr std::size_t kMaxLength = 65535;

// IPv4: flags and offset, bytes 6 and 7.
constexpr std::uint16_t kV4DontFragment = 0x4000;
constexpr std::uint16_t kV4MoreFragments = 0x2000;
constexpr std::uint16_t kV4OffsetInUnits = 0x1fff;

// IPv6: bytes 2 and 3 of the fragment header.
constexpr std::uint16_t kV6MoreFragments = 0x0001;
constexpr std::uint16_t kV6Offset = 0xfff8;

bool is_v4(ByteSpan packet) {
    return static_cast<std::uint8_t>(packet[0]) >> 4 == 4;
}

std::optional<Fragment> read_v4(ByteSpan packet) {
    if (packet.size() < kIpv4FragmentHeader || packet[0] != std::byte{0x45}) {
        return std::nullopt;
    }
    const std::size_t length = load_be<std::uint16_t>(packet.subspan(2));
    if (length < kIpv4FragmentHeader || length > packet.size()) {
        return std::nullopt;
    }
    const auto flags = load_be<std::uint16_t>(packet.subspan(6));
    if ((flags & (kV4MoreFragments | kV4OffsetInUnits)) == 0) {
        return std::nullopt;
    }
    return Fragment{.source = net::IpAddress::from_bytes(packet.subspan(12, 4)),
                    .destination = net::IpAddress::from_bytes(packet.subspan(16, 4)),
                    .identification = load_be<std::uint16_t>(packet.subspan(4)),
                    .protocol = static_cast<std::uint8_t>(packet[9]),
                    .ecn = static_cast<net::Ecn>(static_cast<std::uint8_t>(packet[1]) & 0x03U),
                    .offset = static_cast<std::size_t>(flags & kV4OffsetInUnits) * kUnit,
                    .is_last = (flags & kV4MoreFragments) == 0,
                    .header = packet.first(kIpv4FragmentHeader),
                    .payload = packet.first(length).subspan(kIpv4FragmentHeader)};
}

std::optional<Fragment> read_v6(ByteSpan packet) {
    if (packet.size() < kIpv6FragmentHeader || static_cast<std::uint8_t>(packet[6]) != kProtocolFragment) {
        return std::nullopt;
    }
    const auto length = kIpv6HeaderLength + load_be<std::uint16_t>(packet.subspan(4));
    if (length < kIpv6FragmentHeader || length > packet.size()) {
        return std::nullopt;
    }
    const auto fragment = packet.subspan(kIpv6HeaderLength);
    const auto flags = load_be<std::uint16_t>(fragment.subspan(2));
    if ((flags & (kV6MoreFragments | kV6Offset)) == 0) {
        return std::nullopt;
    }
    return Fragment{.source = net::IpAddress::from_bytes(packet.subspan(8, 16)),
                    .destination = net::IpAddress::from_bytes(packet.subspan(24, 16)),
                    .identification = load_be<std::uint32_t>(fragment.subspan(4)),
                    .protocol = static_cast<std::uint8_t>(fragment[0]),
                    .ecn = static_cast<net::Ecn>((static_cast<std::uint8_t>(packet[1]) >> 4) & 0x03U),
                    .offset = static_cast<std::size_t>(flags & kV6Offset),
                    .is_last = (flags & kV6MoreFragments) == 0,
                    .header = packet.first(kIpv6FragmentHeader),
                    .payload = packet.first(length).subspan(kIpv6FragmentHeader)};
}

void write_v4_header(MutableByteSpan header, std::size_t payload_size, std::uint16_t place) {
    const auto dont_fragment = load_be<std::uint16_t>(header.subspan(6)) & kV4DontFragment;
    store_be(header.subspan(2), static_cast<std::uint16_t>(kIpv4FragmentHeader + payload_size));
    store_be(header.subspan(6), static_cast<std::uint16_t>(dont_fragment | place));
    store_be(header.subspan(10), std::uint16_t{0});
    store_be(header.subspan(10), internet_checksum(header.first(kIpv4FragmentHeader)));
}

void write_v6_header(MutableByteSpan header, std::size_t payload_size, std::uint16_t place) {
    constexpr auto kFragmentHeader = kIpv6FragmentHeader - kIpv6HeaderLength;
    store_be(header.subspan(4), static_cast<std::uint16_t>(kFragmentHeader + payload_size));
    store_be(header.subspan(kIpv6HeaderLength + 2), place);
}

void set_ecn(MutableByteSpan header, net::Ecn ecn) {
    const auto bits = static_cast<std::uint8_t>(ecn);
    if (is_v4(header)) {
        header[1] = (header[1] & std::byte{0xfc}) | std::byte{bits};
    } else {
        header[1] = (header[1] & std::byte{0xcf}) | std::byte{static_cast<std::uint8_t>(bits << 4)};
    }
}

}  // namespace

std::optional<Fragment> read_fragment(ByteSpan packet) {
    if (packet.empty()) {
        return std::nullopt;
    }
    const auto version = static_cast<std::uint8_t>(packet[0]) >> 4;
    auto fragment = version == 4 ? read_v4(packet) : version == 6 ? read_v6(packet) : std::nullopt;
    if (!fragment || fragment->payload.empty() || (!fragment->is_last && fragment->payload.size() % kUnit != 0)) {
        return std::nullopt;
    }
    // What the length field counts of the whole's headers: all of IPv4, of IPv6 the fragment header.
    const auto counted = version == 4 ? kIpv4FragmentHeader : kIpv6FragmentHeader - kIpv6HeaderLength;
    return fragment->end() + counted <= kMaxLength ? fragment : std::nullopt;
}

void write_whole_header(MutableByteSpan header, std::size_t payload_size, net::Ecn ecn) {
    set_ecn(header, ecn);
    if (is_v4(header)) {
        write_v4_header(header, payload_size, 0);
    } else {
        write_v6_header(header, payload_size, 0);
    }
}

void write_fragment_header(MutableByteSpan header, std::size_t offset, std::size_t payload_size, bool is_last) {
    if (is_v4(header)) {
        const auto more = is_last ? std::uint16_t{0} : kV4MoreFragments;
        write_v4_header(header, payload_size, static_cast<std::uint16_t>(offset / kUnit | more));
    } else {
        const auto more = is_last ? std::uint16_t{0} : kV6MoreFragments;
        write_v6_header(header, payload_size, static_cast<std::uint16_t>(offset | more));
    }
}

std::size_t fragment_header_length(ByteSpan packet) {
    if (is_v4(packet)) {
        return packet[0] == std::byte{0x45} ? kIpv4FragmentHeader : 0;
    }
    const bool has_fragment_header =
        packet.size() > kIpv6FragmentHeader && static_cast<std::uint8_t>(packet[6]) == kProtocolFragment;
    return has_fragment_header ? kIpv6FragmentHeader : 0;
}

}  // namespace culvert::packet
