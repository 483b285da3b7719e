#pragma once

#include <optional>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/portal_channel/constants.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal_channel {

/// How long to wait before each attempt to connect: a device that was never joined tries a few times, quickly, so that
/// whoever starts it sees what is wrong; one that was waits longer and longer. Waits that the portal asks for are none
/// of its business. Source: spec/newer-dialect.md section 3.2.
class Backoff {
public:
    /// Gives up once it has waited for `max_waiting` in all; never if unset.
    explicit Backoff(std::optional<Duration> max_waiting) : max_waiting_{max_waiting} {}

    /// The delay before the next attempt. nullopt: give up.
    [[nodiscard]] std::optional<Duration> next(Rng& rng);
    /// The same for a device that has only just been started on a machine that may not be ready: it goes on as if it
    /// had been joined.
    [[nodiscard]] std::optional<Duration> next_patiently(Rng& rng);

    /// The channel is joined: the next failure is the first one.
    void handle_joined();
    /// So it is if the device itself connects anew.
    void restart();

    [[nodiscard]] const std::optional<Duration>& max_waiting() const { return max_waiting_; }

    /// For snapshots: fields of the current line.
    void describe(Snapshot& out) const;

private:
    std::optional<Duration> max_waiting_;
    bool was_joined_ = false;
    /// Since the last join or restart.
    unsigned retries_ = 0;
    Duration waited_{};
    Duration interval_ = kFirstRetryInterval;
};

}  // namespace culvert::portal_channel
