#include "culvert/packet/builder.h"

#include <algorithm>
#include <cassert>

#include "culvert/packet/checksum.h"

namespace culvert::packet {

namespace {

/// Where the L4 checksum goes, and whether it covers a pseudo-header.
struct ChecksumPlace {
    std::size_t offset = 0;
    bool has_pseudo_header = true;
};

/// A packet whose L4 bytes are `l4_header` and `payload`, and whose checksum field is zero so far.
Bytes make_packet(const net::IpAddress& source, const net::IpAddress& destination, std::uint8_t protocol,
                  ByteSpan l4_header, ByteSpan payload, const IpFields& ip) {
    assert(source.family() == destination.family());
    const auto ip_header_length = source.is_v4() ? kIpv4HeaderLength : kIpv6HeaderLength;
    const auto l4_length = l4_header.size() + payload.size();
    assert(l4_length + (source.is_v4() ? kIpv4HeaderLength : 0) <= 65535);

    Bytes packet(ip_header_length + l4_length);
    const MutableByteSpan header = MutableByteSpan{packet}.first(ip_header_length);
    const auto ecn = static_cast<std::uint8_t>(ip.ecn);
    if (source.is_v4()) {
        header[0] = std::byte{0x45};
        header[1] = std::byte{ecn};
        store_be(header.subspan(2), static_cast<std::uint16_t>(packet.size()));
        store_be(header.subspan(4), ip.identification);
        header[6] = ip.dont_fragment ? std::byte{0x40} : std::byte{0};
        header[8] = std::byte{ip.ttl};
        header[9] = std::byte{protocol};
        std::ranges::copy(source.bytes(), header.begin() + 12);
        std::ranges::copy(destination.bytes(), header.begin() + 16);
        store_be(header.subspan(10), internet_checksum(header));
    } else {
        header[0] = std::byte{0x60};
        header[1] = static_cast<std::byte>(ecn << 4);
        store_be(header.subspan(4), static_cast<std::uint16_t>(l4_length));
        header[6] = std::byte{protocol};
        header[7] = std::byte{ip.ttl};
        std::ranges::copy(source.bytes(), header.begin() + 8);
        std::ranges::copy(destination.bytes(), header.begin() + 24);
    }
    const auto l4 = MutableByteSpan{packet}.subspan(ip_header_length);
    std::ranges::copy(l4_header, l4.begin());
    std::ranges::copy(payload, l4.begin() + static_cast<std::ptrdiff_t>(l4_header.size()));
    return packet;
}

Bytes with_checksum(Bytes packet, const net::IpAddress& source, std::uint8_t protocol, ChecksumPlace place) {
    const auto bytes = MutableByteSpan{packet};
    const auto l4 = bytes.subspan(source.is_v4() ? kIpv4HeaderLength : kIpv6HeaderLength);
    const auto addresses = source.is_v4() ? bytes.subspan(12, 8) : bytes.subspan(8, 32);
    Checksum checksum;
    if (place.has_pseudo_header) {
        checksum.add_pseudo_header(addresses, protocol, l4.size());
    }
    checksum.add(l4);
    store_be(l4.subspan(place.offset), protocol == kProtocolUdp ? checksum.udp_value() : checksum.value());
    return packet;
}

}  // namespace

Bytes make_udp(const net::SocketAddress& source, const net::SocketAddress& destination, ByteSpan payload,
               const IpFields& ip) {
    std::array<std::byte, kUdpHeaderLength> header{};
    const MutableByteSpan udp{header};
    store_be(udp, source.port);
    store_be(udp.subspan(2), destination.port);
    store_be(udp.subspan(4), static_cast<std::uint16_t>(kUdpHeaderLength + payload.size()));
    return with_checksum(make_packet(source.ip, destination.ip, kProtocolUdp, udp, payload, ip), source.ip,
                         kProtocolUdp, {6, true});
}

Bytes make_tcp(const net::SocketAddress& source, const net::SocketAddress& destination, const TcpFields& tcp,
               ByteSpan payload, const IpFields& ip) {
    assert(tcp.options.size() % 4 == 0 && tcp.options.size() <= 40);

    std::array<std::byte, kTcpHeaderLength + 40> space{};
    const auto header = MutableByteSpan{space}.first(kTcpHeaderLength + tcp.options.size());
    store_be(header, source.port);
    store_be(header.subspan(2), destination.port);
    store_be(header.subspan(4), tcp.sequence);
    store_be(header.subspan(8), tcp.acknowledgement);
    header[12] = static_cast<std::byte>(header.size() / 4 << 4);
    header[13] = std::byte{tcp.flags};
    store_be(header.subspan(14), tcp.window);
    std::ranges::copy(tcp.options, header.begin() + kTcpHeaderLength);
    return with_checksum(make_packet(source.ip, destination.ip, kProtocolTcp, header, payload, ip), source.ip,
                         kProtocolTcp, {16, true});
}

Bytes make_icmp(const net::IpAddress& source, const net::IpAddress& destination, std::uint8_t type, std::uint8_t code,
                std::uint32_t rest_of_header, ByteSpan payload, const IpFields& ip) {
    std::array<std::byte, kIcmpHeaderLength> header{};
    header[0] = std::byte{type};
    header[1] = std::byte{code};
    store_be(MutableByteSpan{header}.subspan(4), rest_of_header);
    const auto protocol = source.is_v4() ? kProtocolIcmp : kProtocolIcmpv6;
    return with_checksum(make_packet(source, destination, protocol, header, payload, ip), source, protocol,
                         {2, source.is_v6()});
}

Bytes make_icmp_echo_request(const net::IpAddress& source, const net::IpAddress& destination, std::uint16_t identifier,
                             std::uint16_t sequence, ByteSpan payload, const IpFields& ip) {
    const auto type = source.is_v4() ? kIcmpEchoRequest : kIcmpv6EchoRequest;
    const auto rest = static_cast<std::uint32_t>(identifier) << 16 | sequence;
    return make_icmp(source, destination, type, 0, rest, payload, ip);
}

Bytes make_icmp_echo_reply(const net::IpAddress& source, const net::IpAddress& destination, std::uint16_t identifier,
                           std::uint16_t sequence, ByteSpan payload, const IpFields& ip) {
    const auto type = source.is_v4() ? kIcmpEchoReply : kIcmpv6EchoReply;
    const auto rest = static_cast<std::uint32_t>(identifier) << 16 | sequence;
    return make_icmp(source, destination, type, 0, rest, payload, ip);
}

Bytes make_ip(const net::IpAddress& source, const net::IpAddress& destination, std::uint8_t protocol, ByteSpan payload,
              const IpFields& ip) {
    return make_packet(source, destination, protocol, {}, payload, ip);
}

}  // namespace culvert::packet
