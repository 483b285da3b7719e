#pragma once

#include <cstdint>

#include "culvert/base/bytes.h"

namespace culvert::model {

/// What applications send: it begins with a marker and the packet's number, so that observers recognise a packet by its
/// content wherever it comes to light.
[[nodiscard]] Bytes make_marked_payload(std::uint64_t number, std::size_t length);

}  // namespace culvert::model
