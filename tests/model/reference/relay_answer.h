#pragma once

#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"

namespace culvert::model {

/// How a relay answers an Allocate request, as far as the reference model cares.
enum class RelayAnswer : std::uint8_t {
    kAllocated,
    kNoPortLeft,  ///< error 508 (RFC 8656 section 7.2)
};

/// Nullopt for every other datagram.
[[nodiscard]] std::optional<RelayAnswer> read_relay_answer(ByteSpan datagram);

}  // namespace culvert::model
