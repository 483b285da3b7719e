#pragma once

#include <cstdint>

#include "culvert/base/bytes.h"

namespace culvert::model {

/// Fields that applications choose and nobody on the way may change (spec/tunnel.md section 2.3).
struct HeaderFields {
    std::uint8_t traffic_class = 0;  ///< DSCP and ECN
    std::uint8_t ttl = 64;
    bool without_checksum = false;  ///< UDP over IPv4 only, RFC 768
};

/// Those of a packet; it has a checksum in any case.
[[nodiscard]] HeaderFields header_fields_of(ByteSpan packet);
/// Changes the fields of a complete IP packet, and the IPv4 header's checksum with them.
void set_header_fields(MutableByteSpan packet, const HeaderFields& fields);

}  // namespace culvert::model
