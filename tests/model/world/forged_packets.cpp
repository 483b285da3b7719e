#include "tests/model/world/forged_packets.h"

#include <array>

#include "culvert/packet/builder.h"
#include "culvert/packet/checksum.h"
#include "culvert/packet/ip_packet.h"

namespace culvert::model {
namespace {}  // namespace

net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

Bytes make_fragment(const net::IpAddress& source, const net::IpAddress& destination) {
    auto packet = packet::make_icmp_echo_request(source, destination, 1, 1, Bytes(64), {.dont_fragment = false});
    if (source.is_v4()) {
        store_be(MutableByteSpan{packet}.subspan(6), std::uint16_t{0x2000});  // more fragments follow
        return packet;
    }
    Bytes with_header = {std::byte{58}, std::byte{0}, std::byte{0}, std::byte{1},
                         std::byte{},   std::byte{},  std::byte{},  std::byte{7}};
    append(with_header, ByteSpan{packet}.subspan(packet::kIpv6HeaderLength));
    return packet::make_ip(source, destination, packet::kProtocolFragment, with_header);
}

Bytes make_extension_chain(const net::IpAddress& source, const net::IpAddress& destination) {
    if (source.is_v4()) {
        return packet::make_ip(source, destination, packet::kProtocolDestinationOptions, Bytes(64));
    }
    constexpr std::size_t kHeaders = 100;
    Bytes chain(kHeaders * 8);
    for (std::size_t i = 0; i < kHeaders; ++i) {
        chain[i * 8] = std::byte{i + 1 < kHeaders ? packet::kProtocolDestinationOptions : packet::kProtocolUdp};
        chain[i * 8 + 2] = std::byte{1};  // PadN
        chain[i * 8 + 3] = std::byte{4};
    }
    append(chain, Bytes(8));
    return packet::make_ip(source, destination, packet::kProtocolDestinationOptions, chain);
}

Bytes with_source_route(ByteSpan packet, const net::IpAddress& via) {
    auto bytes = to_bytes(packet);
    if (via.is_v6()) {
        Bytes header = {bytes[6],    std::byte{2}, std::byte{0}, std::byte{1},
                        std::byte{}, std::byte{},  std::byte{},  std::byte{}};
        append(header, via.bytes());
        bytes[6] = std::byte{packet::kProtocolRouting};
        bytes.insert(bytes.begin() + packet::kIpv6HeaderLength, header.begin(), header.end());
        store_be(MutableByteSpan{bytes}.subspan(4),
                 static_cast<std::uint16_t>(bytes.size() - packet::kIpv6HeaderLength));
        return bytes;
    }
    Bytes option = {std::byte{0x83}, std::byte{7}, std::byte{4}};
    append(option, via.bytes());
    option.push_back(std::byte{0});
    bytes.insert(bytes.begin() + packet::kIpv4HeaderLength, option.begin(), option.end());
    bytes[0] = std::byte{0x47};
    const MutableByteSpan header = MutableByteSpan{bytes}.first(packet::kIpv4HeaderLength + option.size());
    store_be(header.subspan(2), static_cast<std::uint16_t>(bytes.size()));
    store_be(header.subspan(10), std::uint16_t{0});
    store_be(header.subspan(10), packet::internet_checksum(header));
    return bytes;
}

std::optional<Bytes> make_answer(ByteSpan request, ByteSpan payload) {
    auto copy = to_bytes(request);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet) {
        return std::nullopt;
    }
    const auto from = packet->destination();
    const auto to = packet->source();
    if (packet->is_udp()) {
        return packet::make_udp({from, packet->destination_port()}, {to, packet->source_port()}, payload);
    }
    if (packet->is_icmp_echo()) {
        constexpr std::uint16_t kOtherSequence = 0x5a5a;  // so that no request is taken for answered
        return packet::make_icmp_echo_reply(from, to, packet->source_value()->value, kOtherSequence, payload);
    }
    return std::nullopt;
}

std::optional<Bytes> make_near_answer(ByteSpan request, ByteSpan payload, std::uint64_t choice) {
    auto copy = to_bytes(request);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet || !packet->source_value()) {
        return std::nullopt;
    }
    const auto from = packet->destination();
    const auto to = packet->source();
    const auto there = packet->destination_value()->value;
    const auto here = packet->source_value()->value;
    const auto next = [](std::uint16_t value) { return static_cast<std::uint16_t>(value ^ 1U); };
    switch (choice % 6) {
        case 0:
            return packet::make_tcp({from, there}, {to, here}, {.flags = packet::kTcpSyn}, payload);
        case 1:
            return packet::make_udp({from, there}, {to, next(here)}, payload);
        case 2:
            return packet::make_udp({from, next(there)}, {to, here}, payload);
        case 3:
            return packet::make_icmp_echo_request(from, to, here, 1, payload);
        case 4:
            return packet::make_icmp_echo_reply(from, to, next(here), 1, payload);
        default:
            break;
    }
    const auto quoted = packet::make_udp({to, next(here)}, {from, there}, payload);
    return from.is_v4() ? packet::make_icmp(from, to, 3, 1, 0, quoted) : packet::make_icmp(from, to, 1, 0, 0, quoted);
}

Bytes make_unasked(const net::IpAddress& source, const net::IpAddress& destination, ByteSpan payload,
                   std::uint64_t choice) {
    constexpr std::uint16_t kDiscardPort = 9;
    const net::SocketAddress from{source, kDiscardPort};
    const net::SocketAddress to{destination, kDiscardPort};
    switch (choice % 5) {
        case 0:
            return packet::make_udp(from, to, payload);
        case 1:
            return packet::make_tcp(from, to, {.flags = packet::kTcpSyn}, payload);
        case 2:
            return packet::make_icmp_echo_request(source, destination, 9, 1, payload);
        case 3:
            return packet::make_icmp_echo_reply(source, destination, 9, 1, payload);
        default:
            break;
    }
    const auto quoted = packet::make_udp(to, from, payload);
    return source.is_v4() ? packet::make_icmp(source, destination, 3, 3, 0, quoted)
                          : packet::make_icmp(source, destination, 1, 4, 0, quoted);
}

net::IpAddress reserved_address(std::uint64_t choice, bool is_v4) {
    constexpr std::array<std::string_view, 4> kV4 = {"127.0.0.1", "224.0.0.1", "169.254.1.1", "255.255.255.255"};
    constexpr std::array<std::string_view, 4> kV6 = {"::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"};
    return ip(is_v4 ? kV4[choice % kV4.size()] : kV6[choice % kV6.size()]);
}

Bytes make_foreign_error(const net::IpAddress& source, const net::IpAddress& destination,
                         const net::IpAddress& victim) {
    const auto quoted = packet::make_udp({victim, kPort}, {destination, kPort}, Bytes(8));
    return source.is_v4() ? packet::make_icmp(source, destination, 3, 1, 0, quoted)
                          : packet::make_icmp(source, destination, 1, 0, 0, quoted);
}

}  // namespace culvert::model
