#pragma once

#include <concepts>
#include <string>

#include <gtest/gtest.h>

#include "culvert/base/sans_io.h"
#include "culvert/base/testing/repetitions.h"

/// The contract of sans_io.h as checks that drivers of tests call in passing.
namespace culvert::contract {

template <SansIo T>
void handle_timeout(T& object, Instant now, UnixSeconds wall_now) {
    if constexpr (requires { object.handle_timeout(now); }) {
        object.handle_timeout(now);
    } else {
        object.handle_timeout(now, wall_now);
    }
}

/// Takes an output if there is one.
template <SansIo T>
bool has_output(T& object, Instant now) {
    bool found = false;
    if constexpr (requires { object.poll_transmit(); }) {
        found |= object.poll_transmit().has_value();
    }
    if constexpr (requires { object.poll_event(); }) {
        found |= object.poll_event().has_value();
    }
    if constexpr (requires { object.poll_drops(); }) {
        found |= object.poll_drops().has_value();
    }
    if constexpr (requires { object.poll_output(); }) {
        found |= object.poll_output().has_value();
    }
    if constexpr (requires { object.poll_command(); }) {
        found |= object.poll_command().has_value();
    }
    if constexpr (requires { object.poll_action(); }) {
        found |= object.poll_action().has_value();
    }
    if constexpr (requires { object.poll_frame(now); }) {
        found |= object.poll_frame(now).has_value();
    }
    return found;
}

/// The state of objects that can describe it; empty for others.
template <SansIo T>
std::string state_of(const T& object, Instant now) {
    if constexpr (requires {
                      { object.debug_snapshot(now) } -> std::convertible_to<std::string>;
                  }) {
        return object.debug_snapshot(now);
    } else {
        return {};
    }
}

/// Calls handle_timeout() although nothing is due, and checks that nobody could tell. Call with all outputs drained;
/// does nothing while something is due.
template <SansIo T>
void expect_spurious_timeout_is_invisible(T& object, Instant now, UnixSeconds wall_now = {}) {
    const auto deadline = object.poll_timeout();
    if (deadline && *deadline <= now) {
        return;
    }
    static int calls = 0;
    const bool compares_states = calls++ % kSanitizedShare == 0;  // which are long texts
    const auto state = compares_states ? state_of(object, now) : std::string{};
    for (int i = 0; i < 2; ++i) {
        handle_timeout(object, now, wall_now);
        EXPECT_FALSE(has_output(object, now)) << "a spurious timeout caused an output";
        EXPECT_EQ(object.poll_timeout(), deadline) << "a spurious timeout moved the deadline";
    }
    if (compares_states) {
        EXPECT_EQ(state_of(object, now), state) << "a spurious timeout changed the state";
    }
}

}  // namespace culvert::contract
