#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "culvert/connectivity/census.h"
#include "culvert/tunnel/device/dropped_packets.h"

namespace culvert::session {

/// What one shard's state machine says of itself for metrics: written by the shard's thread, read from anywhere.
class ShardFigures {
public:
    /// Reasons for drops that are told apart; they are texts of the program, of which there are fewer.
    static constexpr std::size_t kMaxReasons = 32;

    void set(const connectivity::Census& census);
    void add(const tunnel::DroppedPackets& report);

    [[nodiscard]] connectivity::Census census() const;
    /// Calls `handle(reason, count)` for each reason for which something was dropped.
    template <typename Handle>
    void for_each_drop(const Handle& handle) const {
        const auto used = used_.load(std::memory_order_acquire);
        for (std::size_t i = 0; i < used; ++i) {
            handle(drops_[i].reason, drops_[i].count.load(std::memory_order_relaxed));
        }
    }

private:
    struct Drops {
        std::string_view reason;  ///< written once, before used_ says that it is there
        std::atomic<std::uint64_t> count{0};
    };

    std::atomic<std::size_t> connecting_{0};
    std::atomic<std::size_t> direct_{0};
    std::atomic<std::size_t> relayed_{0};
    std::atomic<std::size_t> relays_{0};
    std::atomic<std::size_t> allocations_{0};
    std::atomic<std::uint64_t> established_{0};
    std::atomic<std::uint64_t> failed_{0};
    std::array<Drops, kMaxReasons> drops_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace culvert::session
