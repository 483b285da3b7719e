#pragma once

#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

namespace culvert::packet {

/// Largest IP packet inside the tunnel: the MTU of the TUN device (spec/tunnel.md section 1.2).
inline constexpr std::size_t kMaxIpPacket = 1280;

/// Largest datagram of a peer or relay: such a packet with what WireGuard (32) and ChannelData (4) put around it
/// (spec/connectivity.md section 10).
inline constexpr std::size_t kMaxTunnelDatagram = kMaxIpPacket + 32 + 4;

/// Largest IP payload of packets that we build: kMaxIpPacket less the longest IPv4 header.
inline constexpr std::size_t kMaxBuiltIpPayload = kMaxIpPacket - 60;
/// Largest UDP payload of packets that we build, DNS answers for example.
inline constexpr std::size_t kMaxBuiltUdpPayload = kMaxBuiltIpPayload - 8;

/// Largest super-packet that a TUN device with offloads hands over or takes: the reach of a 16-bit length, and the
/// IPv6 header which that length does not count.
inline constexpr std::size_t kMaxSuperPacket = 65535 + 40;

// --- Fragments (reassembler.h) ---

/// Of one packet: enough for the longest one where links take 576 bytes, the least that IPv4 knows.
inline constexpr std::size_t kMaxFragments = 128;
/// Fragments leave their sender together. RFC 8200 section 4.5 allows 60 s; who waits for longer than what is delayed
/// or reordered takes only keeps memory, and mistakes a new packet for an old one where identifications of 16 bits come
/// round (RFC 4963).
inline constexpr Duration kReassemblyTime = std::chrono::seconds{5};
/// And how often all are looked at for those that took longer.
inline constexpr Duration kReassemblySweepInterval = std::chrono::seconds{1};
/// Of one peer: several of the longest packets at once.
inline constexpr std::size_t kReassembliesPerParty = 64;
inline constexpr std::size_t kReassemblyBytesPerParty = std::size_t{512} * 1024;
/// Of all.
inline constexpr std::size_t kReassemblyBytes = std::size_t{16} * 1024 * 1024;

/// TTL and hop limit of ICMP errors that we generate (spec/tunnel.md section 2.5).
inline constexpr std::uint8_t kIcmpErrorTtl = 20;

inline constexpr std::size_t kIpv4HeaderLength = 20;
inline constexpr std::size_t kIpv6HeaderLength = 40;
inline constexpr std::size_t kTcpHeaderLength = 20;
inline constexpr std::size_t kUdpHeaderLength = 8;
inline constexpr std::size_t kIcmpHeaderLength = 8;
/// Where a checksum stands in its header.
inline constexpr std::size_t kTcpChecksumOffset = 16;
inline constexpr std::size_t kUdpChecksumOffset = 6;

/// Protocol numbers (IPv4 protocol, IPv6 next header) that this library looks at; IANA "Assigned Internet Protocol
/// Numbers".
inline constexpr std::uint8_t kProtocolHopByHop = 0;
inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolRouting = 43;
inline constexpr std::uint8_t kProtocolFragment = 44;
inline constexpr std::uint8_t kProtocolAh = 51;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;
inline constexpr std::uint8_t kProtocolDestinationOptions = 60;

/// Bits of the TCP flags byte (RFC 9293 section 3.1).
inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;
inline constexpr std::uint8_t kTcpCwr = 0x80;

inline constexpr std::uint8_t kIcmpEchoReply = 0;
inline constexpr std::uint8_t kIcmpEchoRequest = 8;
inline constexpr std::uint8_t kIcmpv6EchoRequest = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;

}  // namespace culvert::packet
