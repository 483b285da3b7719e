#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "culvert/base/time.h"

/// What the loops over a kernel (kernel.h) have in common: they take turns, and say what to wait for in between.
namespace culvert::io {

enum class Turn : std::uint8_t {
    kBusy,      ///< there may be more to do: take another turn at once
    kIdle,      ///< nothing to do until the wait is over
    kFinished,  ///< said goodbye; no more turns
};

/// What to wait for after an idle turn: an event on one of the descriptors, or the deadline. Never satisfied by what a
/// turn would not take.
class Wait {
public:
    [[nodiscard]] std::span<pollfd> descriptors() { return std::span{descriptors_}.first(count_); }
    void add(int fd, int events) { descriptors_.at(count_++) = {fd, static_cast<short>(events), 0}; }

    std::optional<Instant> deadline;

private:
    std::array<pollfd, 4> descriptors_{};
    std::size_t count_ = 0;
};

/// Waits by the machine's clock. May return early.
void sleep(Wait wait);

}  // namespace culvert::io
