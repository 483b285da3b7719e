#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/net/ip_address.h"

/// IP packets that only somebody who keeps no rule puts into a tunnel.
namespace culvert::model {

/// The port of forged packets, of theirs and of what they are sent to.
inline constexpr std::uint16_t kPort = 4000;

/// Requires an address.
[[nodiscard]] net::IpAddress ip(std::string_view text);

/// An echo request cut into two fragments; the first one.
[[nodiscard]] Bytes make_fragment(const net::IpAddress& source, const net::IpAddress& destination);
/// A UDP datagram behind many destination options headers.
[[nodiscard]] Bytes make_extension_chain(const net::IpAddress& source, const net::IpAddress& destination);
/// An ICMP error about a packet that somebody else might have sent.
[[nodiscard]] Bytes make_foreign_error(const net::IpAddress& source, const net::IpAddress& destination,
                                       const net::IpAddress& victim);
/// The packet, with a route through `via` that is yet to be followed. Requires an IPv4 packet without options, or an
/// IPv6 packet.
[[nodiscard]] Bytes with_source_route(ByteSpan packet, const net::IpAddress& via);
/// What could answer `request`, with that payload. nullopt for what is neither a datagram nor an echo request.
[[nodiscard]] std::optional<Bytes> make_answer(ByteSpan request, ByteSpan payload);
/// What differs from an answer to `request` in one respect, and opens something if it is taken for one.
[[nodiscard]] std::optional<Bytes> make_near_answer(ByteSpan request, ByteSpan payload, std::uint64_t choice);
/// One of those packets that ask for something, or answer what was not asked, from one host to another.
[[nodiscard]] Bytes make_unasked(const net::IpAddress& source, const net::IpAddress& destination, ByteSpan payload,
                                 std::uint64_t choice);
/// One of the addresses that must never be reached through a tunnel, nor reach anybody.
[[nodiscard]] net::IpAddress reserved_address(std::uint64_t choice, bool is_v4);

}  // namespace culvert::model
