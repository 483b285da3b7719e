#pragma once

#include <concepts>
#include <optional>

#include "culvert/base/time.h"

namespace culvert {

namespace detail {

/// Objects that compare expiries with civil time take it along. UnixSeconds converts to WallTime where that is asked
/// for.
template <typename T>
concept TakesTimeouts = requires(T& object, Instant now) {
    object.handle_timeout(now);
} || requires(T& object, Instant now, UnixSeconds wall_now) { object.handle_timeout(now, wall_now); };

template <typename T>
concept HasOutputs = requires(T& object) { object.poll_transmit(); } || requires(T& object) { object.poll_output(); } ||
                     requires(T& object) { object.poll_command(); } || requires(T& object) { object.poll_action(); };

}  // namespace detail

/// What every protocol object looks like to whoever drives it: an event loop, a simulator or a fuzzer.
///
///     object.handle_...(input, now);               // any number of inputs
///     object.handle_timeout(now);
///     while (auto out = object.poll_...()) { ... } // each kind of output until it has none left
///     sleep_until(object.poll_timeout());          // an input ends the sleep early
///
/// The contract:
/// - `now` never decreases from call to call. Nothing else tells the object the time, and nothing reads a clock.
/// - Every input, every draw of a generator that was handed in, and every time given determines all outputs: objects
///   that were treated alike behave alike.
/// - poll_timeout() is asked once the outputs are drained. It is <= `now` exactly if handle_timeout(now) has something
///   to do, no matter how long ago that was due; nullopt: never, unless there is input.
/// - Each handle_timeout() that was due makes progress: after finitely many at the same instant none is due.
/// - A handle_timeout() that was not due has no visible effect: no output, no other deadline, no other behaviour later.
/// - poll_...() of an output moves no time and causes no further outputs of an earlier kind.
template <typename T>
concept SansIo = detail::TakesTimeouts<T> && detail::HasOutputs<T> && requires(T& object) {
    { object.poll_timeout() } -> std::same_as<std::optional<Instant>>;
};

}  // namespace culvert
