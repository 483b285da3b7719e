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

}  // namespace culvert::session
