#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Times and sizes of the control thread. All ours to choose.
namespace culvert::session {

/// Goodbyes must be said by then.
inline constexpr Duration kShutdownLimit = std::chrono::seconds{3};
/// Before the portal is asked to repeat what an overloaded data plane did not take.
inline constexpr Duration kOverloadPause = std::chrono::seconds{1};

/// A new network of the host comes in several steps: link, address, route.
inline constexpr Duration kSettling = std::chrono::milliseconds{500};
/// A host whose routes never stop changing gets an answer as well.
inline constexpr Duration kLongestSettling = std::chrono::seconds{5};

/// How often it is looked whether this process was away. A shorter absence nobody notices.
inline constexpr Duration kAbsenceInterval = std::chrono::seconds{4};
/// Peers give a device up that has not answered their checks for about as long (spec/connectivity.md section 8.3), and
/// then it would wait as long until it gave them up. So it starts afresh after it was away for longer.
inline constexpr Duration kPeersPatience = std::chrono::seconds{15};

}  // namespace culvert::session
