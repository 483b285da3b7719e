#include "culvert/packet/icmp_error.h"

#include <algorithm>
#include <cassert>

#include "culvert/packet/builder.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/extension_headers.h"

namespace culvert::packet {

namespace {

constexpr std::uint8_t kDestinationUnreachable = 3;
constexpr std::uint8_t kSourceQuench = 4;
constexpr std::uint8_t kRedirect = 5;
constexpr std::uint8_t kTimeExceeded = 11;
constexpr std::uint8_t kParameterProblem = 12;
constexpr std::uint8_t kFragmentationNeeded = 4;  // code of kDestinationUnreachable

constexpr std::uint8_t kV6DestinationUnreachable = 1;
constexpr std::uint8_t kV6PacketTooBig = 2;
constexpr std::uint8_t kV6TimeExceeded = 3;
constexpr std::uint8_t kV6FirstInformational = 128;
constexpr std::uint8_t kV6Redirect = 137;

/// L4 bytes of the original that an ICMPv4 error embeds behind the IP header (RFC 792).
constexpr std::size_t kEmbeddedL4Bytes = 8;
/// So that an ICMPv6 error fits into the tunnel with an IP header to spare (spec/tunnel.md section 2.5).
constexpr std::size_t kMaxEmbeddedV6 = kMaxIpPacket - 2 * kIpv6HeaderLength;

struct TypeAndCode {
    std::uint8_t type;
    std::uint8_t code;
};

constexpr TypeAndCode type_and_code(IcmpErrorKind kind, bool is_v4) {
    switch (kind) {
        case IcmpErrorKind::kProhibited:
            return is_v4 ? TypeAndCode{kDestinationUnreachable, 13} : TypeAndCode{kV6DestinationUnreachable, 1};
        case IcmpErrorKind::kUnreachable:
            break;
    }
    return is_v4 ? TypeAndCode{kDestinationUnreachable, 0} : TypeAndCode{kV6DestinationUnreachable, 3};
}

/// Any message that must not be answered with an error; more types than inspect_icmp_error() understands.
bool is_any_icmp_error(const IpPacket& packet) {
    if (!packet.is_icmp()) {
        return false;
    }
    const auto type = packet.icmp_type();
    if (packet.is_v6()) {
        return type < kV6FirstInformational || type == kV6Redirect;
    }
    return type == kDestinationUnreachable || type == kSourceQuench || type == kRedirect || type == kTimeExceeded ||
           type == kParameterProblem;
}

bool is_single_host(const net::IpAddress& address) {
    return !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
}

bool is_known_error(const IpPacket& packet) {
    const auto type = packet.icmp_type();
    const auto code = packet.icmp_code();
    if (packet.is_v4()) {
        return (type == kDestinationUnreachable && code <= 15) || (type == kTimeExceeded && code <= 1);
    }
    return (type == kV6DestinationUnreachable && code <= 6) || (type == kV6PacketTooBig && code == 0) ||
           (type == kV6TimeExceeded && code <= 1);
}

std::optional<UpperLayer> find_l4_v4(ByteSpan bytes) {
    constexpr std::uint16_t kOffsetInEights = 0x1fff;
    if (bytes.size() < kIpv4HeaderLength || static_cast<std::uint8_t>(bytes[0]) >> 4 != 4) {
        return std::nullopt;
    }
    const auto header_length = (static_cast<std::size_t>(bytes[0]) & 0x0fU) * 4;
    const bool is_later_fragment = (load_be<std::uint16_t>(bytes.subspan(6)) & kOffsetInEights) != 0;
    if (header_length < kIpv4HeaderLength || header_length > bytes.size() || is_later_fragment) {
        return std::nullopt;
    }
    return UpperLayer{static_cast<std::uint8_t>(bytes[9]), header_length};
}

std::optional<UpperLayer> find_l4_v6(ByteSpan bytes) {
    if (bytes.size() < kIpv6HeaderLength || static_cast<std::uint8_t>(bytes[0]) >> 4 != 6) {
        return std::nullopt;
    }
    const auto l4 = walk_ipv6_extensions(bytes, true);
    return l4 ? std::optional{*l4} : std::nullopt;
}

/// Requires a whole IP header.
EmbeddedHeader read_header(ByteSpan bytes, bool is_v4, std::uint8_t protocol) {
    return {net::IpAddress::from_bytes(is_v4 ? bytes.subspan(12, 4) : bytes.subspan(8, 16)),
            net::IpAddress::from_bytes(is_v4 ? bytes.subspan(16, 4) : bytes.subspan(24, 16)), protocol};
}

std::expected<void, IcmpInspectError> read_l4(EmbeddedPacket& embedded, std::uint8_t protocol, bool is_v4) {
    const auto l4 = embedded.bytes.subspan(embedded.l4_offset);
    if (protocol == kProtocolTcp || protocol == kProtocolUdp) {
        if (l4.size() < 4) {
            return std::unexpected{IcmpInspectError::kBadEmbeddedPacket};
        }
        const auto kind = protocol == kProtocolTcp ? L4Protocol::kTcp : L4Protocol::kUdp;
        embedded.source_value = {kind, load_be<std::uint16_t>(l4)};
        embedded.destination_value = {kind, load_be<std::uint16_t>(l4.subspan(2))};
        return {};
    }
    if (protocol != (is_v4 ? kProtocolIcmp : kProtocolIcmpv6)) {
        return std::unexpected{IcmpInspectError::kUnsupportedEmbeddedPacket};
    }
    if (l4.size() < kIcmpHeaderLength) {
        return std::unexpected{IcmpInspectError::kBadEmbeddedPacket};
    }
    const auto type = static_cast<std::uint8_t>(l4[0]);
    if (type != (is_v4 ? kIcmpEchoRequest : kIcmpv6EchoRequest) || l4[1] != std::byte{0}) {
        return std::unexpected{IcmpInspectError::kUnsupportedEmbeddedPacket};
    }
    embedded.source_value = {L4Protocol::kIcmp, load_be<std::uint16_t>(l4.subspan(4))};
    embedded.destination_value = embedded.source_value;
    return {};
}

std::expected<EmbeddedPacket, IcmpInspectError> read_embedded(ByteSpan bytes, bool is_v4) {
    const auto l4 = is_v4 ? find_l4_v4(bytes) : find_l4_v6(bytes);
    if (!l4) {
        return std::unexpected{IcmpInspectError::kBadEmbeddedPacket};
    }
    EmbeddedPacket embedded;
    const auto header = read_header(bytes, is_v4, l4->protocol);
    embedded.source = header.source;
    embedded.destination = header.destination;
    embedded.bytes = bytes;
    embedded.l4_offset = l4->offset;
    if (const auto read = read_l4(embedded, l4->protocol, is_v4); !read) {
        return std::unexpected{read.error()};
    }
    return embedded;
}

}  // namespace

std::optional<Bytes> make_icmp_error(IcmpErrorKind kind, const IpPacket& original) {
    const auto source = original.source();
    const auto destination = original.destination();
    if (is_any_icmp_error(original) || !is_single_host(source) || !is_single_host(destination)) {
        return std::nullopt;
    }

    const ByteSpan bytes = original.bytes();
    std::size_t embedded = kMaxEmbeddedV6;
    if (original.is_v4()) {
        embedded = (static_cast<std::size_t>(bytes[0]) & 0x0fU) * 4 + kEmbeddedL4Bytes;
    }
    const auto [type, code] = type_and_code(kind, original.is_v4());
    return make_icmp(destination, source, type, code, 0, bytes.first(std::min(embedded, bytes.size())),
                     {.ttl = kIcmpErrorTtl});
}

std::optional<std::uint32_t> IcmpError::next_hop_mtu() const {
    if (embedded.source.is_v6()) {
        return type == kV6PacketTooBig ? std::optional{rest_of_header} : std::nullopt;
    }
    return type == kDestinationUnreachable && code == kFragmentationNeeded ? std::optional{rest_of_header & 0xffffU}
                                                                           : std::nullopt;
}

std::expected<std::optional<IcmpError>, IcmpInspectError> inspect_icmp_error(const IpPacket& packet) {
    if (!packet.is_icmp() || packet.is_icmp_echo()) {
        return std::nullopt;
    }
    if (!is_known_error(packet)) {
        return std::unexpected{IcmpInspectError::kUnsupportedType};
    }
    const auto embedded = read_embedded(packet.payload(), packet.is_v4());
    if (!embedded) {
        return std::unexpected{embedded.error()};
    }
    return IcmpError{packet.icmp_type(), packet.icmp_code(), load_be<std::uint32_t>(packet.l4().subspan(4)), *embedded};
}

std::optional<EmbeddedHeader> embedded_header(const IpPacket& error) {
    const auto bytes = error.payload();
    const bool is_v4 = error.is_v4();
    const auto l4 = is_v4 ? find_l4_v4(bytes) : find_l4_v6(bytes);
    return l4 ? std::optional{read_header(bytes, is_v4, l4->protocol)} : std::nullopt;
}

Bytes translate_icmp_error(const IcmpError& error, const net::IpAddress& proxy, const net::IpAddress& client,
                           std::uint16_t inside) {
    const auto& embedded = error.embedded;
    const bool is_v4 = embedded.source.is_v4();
    assert(proxy.is_v4() == is_v4 && client.is_v4() == is_v4);

    auto copy = to_bytes(embedded.bytes);
    const MutableByteSpan bytes{copy};
    std::ranges::copy(proxy.bytes(), bytes.begin() + (is_v4 ? 16 : 24));
    const bool is_echo = embedded.source_value.protocol == L4Protocol::kIcmp;
    store_be(bytes.subspan(embedded.l4_offset + (is_echo ? 4 : 0)), inside);
    return make_icmp(proxy, client, error.type, error.code, error.rest_of_header, copy, {.ttl = kIcmpErrorTtl});
}

Bytes translate_icmp_error_outwards(const IcmpError& error, const net::IpAddress& client, const net::IpAddress& real,
                                    std::uint16_t outside) {
    const auto& embedded = error.embedded;
    const bool is_v4 = embedded.source.is_v4();
    assert(real.is_v4() == is_v4 && client.is_v4() == is_v4);
    assert(embedded.destination_value.protocol != L4Protocol::kIcmp);

    auto copy = to_bytes(embedded.bytes);
    const MutableByteSpan bytes{copy};
    std::ranges::copy(real.bytes(), bytes.begin() + (is_v4 ? 12 : 8));
    store_be(bytes.subspan(embedded.l4_offset + 2), outside);
    return make_icmp(client, real, error.type, error.code, error.rest_of_header, copy, {.ttl = kIcmpErrorTtl});
}

}  // namespace culvert::packet
