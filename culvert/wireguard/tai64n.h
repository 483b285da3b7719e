#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>

#include "culvert/base/bytes.h"

namespace culvert::wireguard {

/// The timestamp of a handshake initiation: 8 bytes of seconds and 4 of nanoseconds, big-endian, so that later times
/// compare greater (cr.yp.to/libtai/tai64.html).
struct Tai64n {
    std::array<std::byte, 12> bytes{};

    [[nodiscard]] static Tai64n from(std::chrono::sys_time<std::chrono::nanoseconds> time) {
        // TAI64 counts from 2^62, and TAI was 10 seconds ahead of UTC in 1970. Later leap seconds are customarily
        // ignored; only the order matters.
        constexpr std::uint64_t kEpoch = 0x4000'0000'0000'000a;
        const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
        Tai64n timestamp;
        store_be(MutableByteSpan{timestamp.bytes},
                 kEpoch + static_cast<std::uint64_t>(seconds.time_since_epoch().count()));
        store_be(MutableByteSpan{timestamp.bytes}.subspan(8), static_cast<std::uint32_t>((time - seconds).count()));
        return timestamp;
    }

    friend auto operator<=>(const Tai64n&, const Tai64n&) = default;
};

}  // namespace culvert::wireguard
