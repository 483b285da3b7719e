#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/net/ecn.h"
#include "culvert/net/ip_address.h"
#include "culvert/packet/constants.h"

namespace culvert::packet {

/// Headers in front of what a fragment carries. Fragments with IPv4 options, or with IPv6 extension headers in front of
/// the fragment header, do not exist for us: hardly anything sends them, and much of what does means harm (RFC 7126,
/// RFC 9288).
inline constexpr std::size_t kIpv4FragmentHeader = kIpv4HeaderLength;
inline constexpr std::size_t kIpv6FragmentHeader = kIpv6HeaderLength + 8;

/// A view of one fragment of an IP packet (RFC 791 section 3.2, RFC 8200 section 4.5), valid by itself: what it carries
/// lies within the longest packet there is, and only the last fragment's length is no multiple of 8.
struct Fragment {
    net::IpAddress source;
    net::IpAddress destination;
    std::uint32_t identification = 0;
    /// IPv4: of which there are fragments. IPv6: what stands behind the fragment header, if it is the first one.
    std::uint8_t protocol = 0;
    net::Ecn ecn = net::Ecn::kNotEct;
    /// Of the payload in the payload of the whole.
    std::size_t offset = 0;
    bool is_last = false;
    ByteSpan header;
    ByteSpan payload;

    [[nodiscard]] bool is_first() const { return offset == 0; }
    [[nodiscard]] std::size_t end() const { return offset + payload.size(); }
};

/// nullopt: no fragment, or none that is valid. An IPv6 packet that only has a fragment header (an atomic fragment,
/// RFC 6946) is none.
[[nodiscard]] std::optional<Fragment> read_fragment(ByteSpan packet);

/// Makes the headers of a fragment, `header`, those of the whole packet: of IPv6 they keep the fragment header, so that
/// the whole can be cut again under its identification, as an IPv4 packet can.
void write_whole_header(MutableByteSpan header, std::size_t payload_size, net::Ecn ecn);

/// Makes the headers of a whole packet those of one of its fragments.
void write_fragment_header(MutableByteSpan header, std::size_t offset, std::size_t payload_size, bool is_last);

/// Length of the headers that are repeated in each fragment of `packet`; 0: it cannot be cut.
[[nodiscard]] std::size_t fragment_header_length(ByteSpan packet);

}  // namespace culvert::packet
