#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "culvert/base/time.h"

namespace culvert::model {

/// What happens at its time: ordered by time, then by `tie`, then first in, first out.
template <typename Item>
class FlightQueue {
public:
    void push(Instant at, std::uint64_t tie, Item item) {
        std::uint32_t slot = 0;
        if (free_slots_.empty()) {
            slot = static_cast<std::uint32_t>(items_.size());
            items_.push_back(std::move(item));
        } else {
            slot = free_slots_.back();
            free_slots_.pop_back();
            items_[slot] = std::move(item);
        }
        heap_.push_back({at, tie, next_sequence_++, slot});
        std::push_heap(heap_.begin(), heap_.end(), std::greater{});
    }

    [[nodiscard]] std::optional<Instant> next_time() const {
        return heap_.empty() ? std::nullopt : std::optional{heap_.front().at};
    }

    /// Requires next_time().
    Item pop() {
        std::pop_heap(heap_.begin(), heap_.end(), std::greater{});
        const auto slot = heap_.back().slot;
        heap_.pop_back();
        free_slots_.push_back(slot);
        return std::move(items_[slot]);
    }

private:
    /// Sorting moves these; the items stay where they are.
    struct Entry {
        Instant at;
        std::uint64_t tie;
        std::uint64_t sequence;
        std::uint32_t slot;
        friend auto operator<=>(const Entry&, const Entry&) = default;
    };

    std::vector<Entry> heap_;
    std::vector<Item> items_;
    std::vector<std::uint32_t> free_slots_;
    std::uint64_t next_sequence_ = 0;
};

}  // namespace culvert::model
