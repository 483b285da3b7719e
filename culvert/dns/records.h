#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "culvert/dns/message.h"
#include "culvert/dns/record.h"

namespace culvert::dns {

/// Nobody has more of them for a name, and reading costs time that a resolver could make us spend.
inline constexpr std::size_t kMaxAnswersRead = 100;

/// The records of the answer section, names in their data decompressed. nullopt if one is malformed, or if there are
/// more than kMaxAnswersRead: such answers can be passed on, but not kept.
[[nodiscard]] std::optional<std::vector<Record>> read_answers(const Message& response);

}  // namespace culvert::dns
