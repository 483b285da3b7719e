#pragma once

#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"

namespace culvert::packet {

/// Why a packet with IPv4 options may not pass the tunnel.
enum class OptionsProblem : std::uint8_t {
    kMalformed,
    /// Loose or strict source route, wherever its pointer stands: the sender names the routers that a packet visits,
    /// and with them a destination that the header does not show (RFC 7126 sections 4.3 and 4.4).
    kSourceRoute,
};

/// Looks through the options of an IPv4 header, the bytes behind the first 20. nullopt: nothing is wrong with them.
[[nodiscard]] std::optional<OptionsProblem> check_ipv4_options(ByteSpan options);

}  // namespace culvert::packet
