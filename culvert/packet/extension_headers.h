#pragma once

#include <cstdint>
#include <expected>

#include "culvert/base/bytes.h"

namespace culvert::packet {

/// What lies behind the extension headers of an IPv6 packet.
struct UpperLayer {
    std::uint8_t protocol = 0;
    std::size_t offset = 0;
};

enum class ExtensionError : std::uint8_t { kMalformed, kFragment, kSourceRoute };

/// Walks hop-by-hop (only directly behind the IPv6 header), destination options, routing, AH and fragment headers.
/// `packet` starts with its 40-byte IPv6 header. A fragment that is not the whole packet is an error; an atomic one
/// (RFC 6946) is not, and with `allow_first` neither is the first one of several. So is a routing header with segments
/// left, of whatever type: the packet goes on to where its header does not say (RFC 8200 section 4.4, RFC 5095).
[[nodiscard]] std::expected<UpperLayer, ExtensionError> walk_ipv6_extensions(ByteSpan packet, bool allow_first);

/// Length of the AH header (RFC 4302) at the start of `bytes`, or 0 if it is malformed or truncated.
[[nodiscard]] std::size_t ah_length(ByteSpan bytes);

}  // namespace culvert::packet
