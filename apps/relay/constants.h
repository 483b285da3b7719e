#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Times and sizes of the program around the relay's data plane.
namespace culvert::relay_server {

/// The age of the last heartbeat from which the relay counts as stuck (spec/relay.md section 11.6).
inline constexpr std::chrono::minutes kMaxHeartbeatAge{15};

/// How old the numbers on the metrics page may be. Ours to choose.
inline constexpr Duration kPublishInterval = std::chrono::milliseconds{100};
/// Between two lines that say how busy the relay is.
inline constexpr Duration kActivityInterval = std::chrono::seconds{10};

/// Rules of the portal about users that wait for the loop's next turn. Far more than a portal sends at once; an
/// extension beyond that is lost, a revocation never. Ours to choose.
inline constexpr std::size_t kMaxWaitingRules = 65'536;

}  // namespace culvert::relay_server
