#include "culvert/session/shard_figures.h"

namespace culvert::session {

void ShardFigures::set(const connectivity::Census& census) {
    constexpr auto kOrder = std::memory_order_relaxed;
    connecting_.store(census.connecting, kOrder);
    direct_.store(census.direct, kOrder);
    relayed_.store(census.relayed, kOrder);
    relays_.store(census.relays, kOrder);
    allocations_.store(census.allocations, kOrder);
    established_.store(census.established, kOrder);
    failed_.store(census.failed, kOrder);
}

connectivity::Census ShardFigures::census() const {
    constexpr auto kOrder = std::memory_order_relaxed;
    return {.connecting = connecting_.load(kOrder),
            .direct = direct_.load(kOrder),
            .relayed = relayed_.load(kOrder),
            .relays = relays_.load(kOrder),
            .allocations = allocations_.load(kOrder),
            .established = established_.load(kOrder),
            .failed = failed_.load(kOrder)};
}

void ShardFigures::add(const tunnel::DroppedPackets& report) {
    for (const auto& [reason, count] : report.counts) {
        const auto used = used_.load(std::memory_order_relaxed);
        std::size_t place = 0;
        while (place < used && drops_[place].reason != reason) {
            ++place;
        }
        if (place == kMaxReasons) {
            continue;
        }
        drops_[place].count.fetch_add(count, std::memory_order_relaxed);
        if (place == used) {
            drops_[place].reason = reason;
            used_.store(used + 1, std::memory_order_release);
        }
    }
}

}  // namespace culvert::session
