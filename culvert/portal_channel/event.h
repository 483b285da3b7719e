#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "culvert/base/time.h"
#include "culvert/portal_api/frame.h"

namespace culvert::portal_channel {

/// The channel is joined; messages flow. The portal's `init` follows.
struct Joined {};

/// The portal pushed a message; it holds the alternative of the channel's role.
struct MessageReceived {
    portal_api::ToDevice message;
};

/// The portal refused a message. The channel has already done what is needed (it re-joins on an unmatched topic).
struct MessageRefused {
    portal_api::ErrorReason reason = portal_api::ErrorReason::kOther;
    std::string text;
};

/// For health checks.
struct HeartbeatSent {};

/// The connection was lost or not established; it will be tried again after `delay`.
struct Hiccup {
    Duration delay{};
    std::optional<Duration> max_elapsed;  // unset: never gives up
    std::string cause;
};

/// close() is complete. Last event.
struct Closed {};

enum class FatalCause : std::uint8_t {
    kDeadToken,  ///< The token has ended or was never good: somebody must sign in.
    kRefused,    ///< The portal lets this device in under no circumstances.
    kReplaced,   ///< Another device came with the same identity.
    kGaveUp,     ///< Not reached for as long as it may be tried.
};

/// Will not work however often it is tried. Last event.
struct Fatal {
    std::string text;
    FatalCause cause;
};

using Event = std::variant<Joined, MessageReceived, MessageRefused, HeartbeatSent, Hiccup, Closed, Fatal>;

}  // namespace culvert::portal_channel
