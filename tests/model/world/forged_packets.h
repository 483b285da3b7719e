#pragma once

#include <cstdint>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/net/ip_address.h"

/// IP packets that only somebody who keeps no rule puts into a tunnel.
namespace culvert::model {

/// Requires an address.
[[nodiscard]] net::IpAddress ip(std::string_view text);

/// An echo request cut into two fragments; the first one.
[[nodiscard]] Bytes make_fragment(const net::IpAddress& source, const net::IpAddress& destination);
/// A UDP datagram behind many destination options headers.
[[nodiscard]] Bytes make_extension_chain(const net::IpAddress& source, const net::IpAddress& destination);
/// An ICMP error about a packet that somebody else might have sent.
[[nodiscard]] Bytes make_foreign_error(const net::IpAddress& source, const net::IpAddress& destination,
                                       const net::IpAddress& victim);
/// One of the addresses that must never be reached through a tunnel, nor reach anybody.
[[nodiscard]] net::IpAddress reserved_address(std::uint64_t choice, bool is_v4);

}  // namespace culvert::model
