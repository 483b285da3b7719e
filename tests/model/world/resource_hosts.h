#pragma once

#include <optional>

#include "culvert/base/bytes.h"

namespace culvert::model {

/// Every host behind every gateway, which are all alike: they answer echo requests and UDP datagrams with their own
/// content, and accept TCP connections. Returns the answer to `packet`, if it gets one.
[[nodiscard]] std::optional<Bytes> answer_of_resource(ByteSpan packet);

}  // namespace culvert::model
