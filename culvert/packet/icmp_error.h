#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/l4_value.h"

namespace culvert::packet {

enum class IcmpErrorKind : std::uint8_t {
    kProhibited,   ///< Spoofed source, no authorization, or filtered.
    kUnreachable,  ///< A proxy IP without a usable real IP.
};

/// The ICMP or ICMPv6 error that answers `original` (spec/tunnel.md section 2.5). It comes from the original's
/// destination and embeds the start of the original, which must not be changed in between.
///
/// nullopt if the original must not be answered: it is an ICMP error itself, or its source or destination is no single
/// host (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
[[nodiscard]] std::optional<Bytes> make_icmp_error(IcmpErrorKind kind, const IpPacket& original);

/// The packet that an ICMP error is about, as far as it was embedded: from the view of its sender.
struct EmbeddedPacket {
    net::IpAddress source;
    net::IpAddress destination;
    /// Ports of TCP and UDP; twice the identifier of an ICMP echo request.
    L4Value source_value;
    L4Value destination_value;
    /// Everything that was embedded, and where L4 starts in it.
    ByteSpan bytes;
    std::size_t l4_offset = 0;
};

/// An ICMPv4 or ICMPv6 error that was received.
struct IcmpError {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    /// Bytes 4 to 7 of the message.
    std::uint32_t rest_of_header = 0;
    EmbeddedPacket embedded;

    /// What "fragmentation needed" and "packet too big" say about the next hop.
    [[nodiscard]] std::optional<std::uint32_t> next_hop_mtu() const;
    /// Communication administratively prohibited.
    [[nodiscard]] bool is_prohibited() const {
        return embedded.source.is_v4() ? type == 3 && code == 13 : type == 1 && code == 1;
    }
};

/// Why an ICMP message is neither an error that we understand nor an echo. Such a packet is dropped on the gateway's
/// inbound path, unlike one that is no ICMP error (spec/tunnel.md section 2.4).
enum class IcmpInspectError : std::uint8_t { kUnsupportedType, kBadEmbeddedPacket, kUnsupportedEmbeddedPacket };

/// nullopt: not an ICMP error (no ICMP at all, or an echo). The result refers to the bytes of `packet`.
[[nodiscard]] std::expected<std::optional<IcmpError>, IcmpInspectError> inspect_icmp_error(const IpPacket& packet);

/// From whom to whom the packet went that an ICMP error is about, and what it was.
struct EmbeddedHeader {
    net::IpAddress source;
    net::IpAddress destination;
    std::uint8_t protocol = 0;

    friend bool operator==(const EmbeddedHeader&, const EmbeddedHeader&) = default;
};
/// Whatever the embedded packet's protocol is. nullopt: the IP headers of a packet of the error's own version are not
/// all there.
[[nodiscard]] std::optional<EmbeddedHeader> embedded_header(const IpPacket& error);

/// The same error as the client of a NAT must see it: from `proxy` to `client`, about a packet that went to `proxy` and
/// came from `inside` (spec/tunnel.md section 6.8). Embedded checksums stay stale.
/// Requires addresses of the version of the error.
[[nodiscard]] Bytes translate_icmp_error(const IcmpError& error, const net::IpAddress& proxy,
                                         const net::IpAddress& client, std::uint16_t inside);

/// The other direction, an error of the client itself: from `client` to `real`, about a packet that came from `real`
/// and went to the client's `outside`. Requires the same, and an embedded packet with ports.
[[nodiscard]] Bytes translate_icmp_error_outwards(const IcmpError& error, const net::IpAddress& client,
                                                  const net::IpAddress& real, std::uint16_t outside);

}  // namespace culvert::packet
