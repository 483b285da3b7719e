#pragma once

#include <cstdint>

namespace culvert::net {

/// The two ECN bits of an IP header (RFC 3168 section 5).
enum class Ecn : std::uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };

}  // namespace culvert::net
