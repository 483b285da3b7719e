#include "model/world/forged_packets.h"

#include <array>

#include "culvert/packet/builder.h"

namespace culvert::model {
namespace {

constexpr std::uint16_t kPort = 4000;

}  // namespace

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
