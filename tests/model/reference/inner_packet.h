#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/net/ip_address.h"

/// Reading the IP packets of applications. Independent of culvert/packet on purpose: a fault in there must not make the
/// judge blind to it.
namespace culvert::model {

constexpr std::uint8_t kProtocolIcmp = 1;
constexpr std::uint8_t kProtocolTcp = 6;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint8_t kProtocolIcmpv6 = 58;
/// That of messages between client and gateway inside the tunnel (spec/tunnel.md section 5.1).
constexpr std::uint8_t kProtocolControl = 255;

/// An IP packet, taken apart. Spans point into the bytes it was read from.
struct InnerPacket {
    net::IpAddress source;
    net::IpAddress destination;
    std::uint8_t protocol = 0;  ///< behind extension headers
    std::uint8_t ecn = 0;
    std::uint8_t ttl = 0;
    bool is_fragment = false;
    bool is_source_routed = false;  ///< is to go on to other hosts than its header shows
    ByteSpan bytes;                 ///< the whole packet
    ByteSpan l4;                    ///< from the transport header on
    ByteSpan payload;               ///< behind the transport header; behind 8 bytes for ICMP
    /// Ports of UDP and TCP; the identifier, twice, of ICMP echo messages.
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t udp_checksum = 0;
    std::uint32_t tcp_sequence = 0;
    std::uint32_t tcp_acknowledgement = 0;
    std::uint8_t tcp_flags = 0;
    std::uint16_t icmp_sequence = 0;  ///< of echo messages
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    /// What the world wrote at the start of the payload, see kMarker.
    std::optional<std::uint64_t> marker;

    [[nodiscard]] bool is_icmp() const { return protocol == kProtocolIcmp || protocol == kProtocolIcmpv6; }
    [[nodiscard]] bool is_tcp() const { return protocol == kProtocolTcp; }
    [[nodiscard]] bool is_udp() const { return protocol == kProtocolUdp; }
    /// Message types that quote the packet they are about (spec/tunnel.md section 2.4).
    [[nodiscard]] bool is_icmp_error() const;
    /// Communication administratively prohibited.
    [[nodiscard]] bool is_prohibited() const;
    [[nodiscard]] bool is_echo_request() const;
    [[nodiscard]] bool is_echo_reply() const;
    [[nodiscard]] bool is_syn() const;
    [[nodiscard]] bool is_syn_ack() const;
};

/// Starts the payload of every probe, followed by the packet's number (8 bytes, most significant first).
constexpr std::string_view kMarker = "CVPROBE1";

/// nullopt for what is no IP packet, or whose transport header is incomplete.
[[nodiscard]] std::optional<InnerPacket> read_packet(ByteSpan bytes);

/// The packet that an ICMP error quotes; it may be cut anywhere behind the ports.
[[nodiscard]] std::optional<InnerPacket> read_quoted(const InnerPacket& error);

/// Recomputes all checksums of the packet in full (RFC 1071); UDP over IPv4 may go without.
[[nodiscard]] bool are_checksums_right(const InnerPacket& packet);

/// Whether `after` is `before` but for what the tunnel may change: an ECT code point may have become CE, and the IPv4
/// header checksum with it (spec/tunnel.md sections 2.3 and 2.6). The identification of IPv4 packets that must not be
/// fragmented means nothing (RFC 6864 section 4.1).
[[nodiscard]] bool is_unchanged(const InnerPacket& before, const InnerPacket& after);

/// For people: the first difference of two packets, like "byte 8: 40 -> 3f".
[[nodiscard]] std::string first_difference(ByteSpan before, ByteSpan after);

}  // namespace culvert::model
