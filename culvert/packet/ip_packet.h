#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/net/ecn.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/constants.h"
#include "culvert/packet/l4_value.h"

namespace culvert::packet {

class ChecksumDelta;

/// Why bytes are not an IP packet that may pass the tunnel.
enum class ParseError : std::uint8_t {
    kTooLong,
    kTooShort,
    kBadVersion,
    kBadHeaderLength,
    kBadTotalLength,
    kBadExtensionHeader,
    kFragment,
    kBadOptions,
    kSourceRoute,  ///< Of IPv4, or an IPv6 routing header with segments left.
    kBadUdp,
    kBadTcp,
    kBadIcmp,
    kIcmpOfOtherVersion,
};

[[nodiscard]] std::string_view to_string(ParseError error);
[[nodiscard]] std::string_view to_string(NoL4Value error);

/// A validated view of one IP packet in somebody else's memory, with the changes that the tunnel may make to it.
///
/// Cheap to copy. Every setter keeps the IPv4 header checksum and the L4 checksum right by incremental update
/// (RFC 1624), including a UDP checksum that was absent before. On a packet whose L4 checksum the kernel left to us
/// (Offload::needs_checksum, or any super-packet) the L4 field means nothing until Segmenter has filled it in, and
/// Segmenter does not look at its old content; so setters may be used before segmentation.
class IpPacket {
public:
    /// Checks the rules of spec/tunnel.md section 2.1 in their order. Bytes behind the end of the IP packet (padding)
    /// are not part of the view. Checksums are not verified. For a super-packet pass kMaxSuperPacket.
    [[nodiscard]] static std::expected<IpPacket, ParseError> parse(MutableByteSpan bytes,
                                                                   std::size_t max_length = kMaxIpPacket);

    /// The packet, cut to its IP length.
    [[nodiscard]] MutableByteSpan bytes() const { return {data_, length_}; }
    [[nodiscard]] std::size_t size() const { return length_; }

    [[nodiscard]] bool is_v4() const { return is_v4_; }
    [[nodiscard]] bool is_v6() const { return !is_v4_; }
    [[nodiscard]] net::IpAddress source() const;
    [[nodiscard]] net::IpAddress destination() const;
    /// Source and destination as they stand side by side in the header: 8 or 32 bytes. The cheapest key of a flow.
    [[nodiscard]] MutableByteSpan address_bytes() const {
        return is_v4_ ? bytes().subspan(12, 8) : bytes().subspan(8, 32);
    }
    /// TTL or hop limit.
    [[nodiscard]] std::uint8_t ttl() const { return byte(is_v4_ ? 8 : 7); }
    [[nodiscard]] net::Ecn ecn() const {
        return static_cast<net::Ecn>(is_v4_ ? byte(1) & 0x03U : (byte(1) >> 4) & 0x03U);
    }

    /// The protocol behind all extension headers.
    [[nodiscard]] std::uint8_t protocol() const { return protocol_; }
    [[nodiscard]] bool is_tcp() const { return protocol_ == kProtocolTcp; }
    [[nodiscard]] bool is_udp() const { return protocol_ == kProtocolUdp; }
    /// ICMPv4 or ICMPv6; it always is the one that belongs to the IP version.
    [[nodiscard]] bool is_icmp() const { return protocol_ == kProtocolIcmp || protocol_ == kProtocolIcmpv6; }

    /// Where the L4 header starts: length of the IP header with options and extension headers.
    [[nodiscard]] std::size_t l4_offset() const { return l4_offset_; }
    /// L4 header and payload.
    [[nodiscard]] MutableByteSpan l4() const { return bytes().subspan(l4_offset_); }
    /// What follows the TCP, UDP or 8-byte ICMP header; for any other protocol everything behind the IP headers.
    [[nodiscard]] MutableByteSpan payload() const { return {data_ + payload_offset_, data_ + payload_end_}; }

    /// Requires is_tcp() || is_udp().
    [[nodiscard]] std::uint16_t source_port() const { return load_be<std::uint16_t>(l4()); }
    [[nodiscard]] std::uint16_t destination_port() const { return load_be<std::uint16_t>(l4().subspan(2)); }

    /// Requires is_tcp().
    [[nodiscard]] std::uint8_t tcp_flags() const { return byte(l4_offset_ + 13U); }
    [[nodiscard]] std::uint32_t tcp_sequence() const { return load_be<std::uint32_t>(l4().subspan(4)); }

    /// Requires is_icmp().
    [[nodiscard]] std::uint8_t icmp_type() const { return byte(l4_offset_); }
    [[nodiscard]] std::uint8_t icmp_code() const { return byte(l4_offset_ + 1U); }
    /// Echo request or reply with code 0: the ICMP messages that have an identifier.
    [[nodiscard]] bool is_icmp_echo() const;

    /// L4 identity of the sender and of the receiver; both are the identifier in an ICMP echo.
    [[nodiscard]] std::expected<L4Value, NoL4Value> source_value() const { return l4_value(0); }
    [[nodiscard]] std::expected<L4Value, NoL4Value> destination_value() const { return l4_value(2); }

    /// Require an address of the packet's own IP version.
    void set_source(const net::IpAddress& address);
    void set_destination(const net::IpAddress& address);
    /// Change a port, or the identifier of an ICMP echo. Require source_value().has_value().
    void set_source_value(std::uint16_t value) { set_l4_value(0, value); }
    void set_destination_value(std::uint16_t value) { set_l4_value(2, value); }
    /// Also fixes the IPv4 header checksum; transport checksums do not cover the ECN bits.
    void set_ecn(net::Ecn ecn);

    /// Writes the L4 checksum (TCP, UDP, ICMP, ICMPv6) and then the IPv4 header checksum afresh.
    void recompute_checksums();
    /// Whether the L4 checksum and the IPv4 header checksum are right. True for a UDP/IPv4 packet without checksum and
    /// for protocols that we do not know.
    [[nodiscard]] bool checksums_are_valid() const;

private:
    IpPacket() = default;

    [[nodiscard]] std::uint8_t byte(std::size_t at) const { return static_cast<std::uint8_t>(data_[at]); }
    [[nodiscard]] std::expected<L4Value, NoL4Value> l4_value(std::size_t port_offset) const;
    /// Empty for protocols without a checksum that we know.
    [[nodiscard]] MutableByteSpan l4_checksum_field() const;
    /// Bytes covered by the L4 checksum: for UDP what its length field says.
    [[nodiscard]] MutableByteSpan checksummed_l4() const;
    void write_fresh_l4_checksum();
    void set_l4_value(std::size_t port_offset, std::uint16_t value);
    void set_address(std::size_t offset, const net::IpAddress& address);
    void update_l4_checksum(const ChecksumDelta& delta);
    void update_ipv4_checksum(const ChecksumDelta& delta);

    std::byte* data_ = nullptr;
    std::uint32_t length_ = 0;
    std::uint32_t payload_end_ = 0;
    std::uint32_t l4_offset_ = 0;
    std::uint32_t payload_offset_ = 0;
    std::uint8_t protocol_ = 0;
    bool is_v4_ = false;
};

}  // namespace culvert::packet
