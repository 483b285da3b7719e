#pragma once

#include <cstdint>

#include "culvert/base/bytes.h"
#include "culvert/net/ecn.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/socket_address.h"
#include "culvert/packet/constants.h"

namespace culvert::packet {

/// Fields of the IP header beyond the addresses.
struct IpFields {
    std::uint8_t ttl = 64;
    net::Ecn ecn = net::Ecn::kNotEct;
    bool dont_fragment = true;         ///< IPv4 only.
    std::uint16_t identification = 0;  ///< IPv4 only.
};

/// Fields of the TCP header beyond the ports.
struct TcpFields {
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgement = 0;
    std::uint8_t flags = kTcpAck;
    std::uint16_t window = 65535;
    Bytes options;  ///< A multiple of 4 bytes, at most 40.
};

// Complete packets with all checksums. Source and destination must have one IP version, and the packet must fit into a
// 16-bit length; packets for the tunnel should not exceed kMaxIpPacket.

[[nodiscard]] Bytes make_udp(const net::SocketAddress& source, const net::SocketAddress& destination, ByteSpan payload,
                             const IpFields& ip = {});

[[nodiscard]] Bytes make_tcp(const net::SocketAddress& source, const net::SocketAddress& destination,
                             const TcpFields& tcp, ByteSpan payload, const IpFields& ip = {});

[[nodiscard]] Bytes make_icmp_echo_request(const net::IpAddress& source, const net::IpAddress& destination,
                                           std::uint16_t identifier, std::uint16_t sequence, ByteSpan payload,
                                           const IpFields& ip = {});
[[nodiscard]] Bytes make_icmp_echo_reply(const net::IpAddress& source, const net::IpAddress& destination,
                                         std::uint16_t identifier, std::uint16_t sequence, ByteSpan payload,
                                         const IpFields& ip = {});

/// Any ICMPv4 or ICMPv6 message, by IP version of the addresses. `rest_of_header`: bytes 4 to 7.
[[nodiscard]] Bytes make_icmp(const net::IpAddress& source, const net::IpAddress& destination, std::uint8_t type,
                              std::uint8_t code, std::uint32_t rest_of_header, ByteSpan payload,
                              const IpFields& ip = {});

/// An IP header in front of `payload`, which is taken as it is.
[[nodiscard]] Bytes make_ip(const net::IpAddress& source, const net::IpAddress& destination, std::uint8_t protocol,
                            ByteSpan payload, const IpFields& ip = {});

}  // namespace culvert::packet
