#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culvert/base/rng.h"

namespace culvert::connectivity {

class Connection;

/// Finds the connection that a WireGuard packet belongs to by the upper 24 bits of its receiver index, and hands out
/// such indices (spec/connectivity.md sections 2.5 and 2.7).
///
/// Open addressing with linear probing. Indices are random, so they are their own hash.
class IndexTable {
public:
    IndexTable();

    /// A random index below 2^24 that is not in use.
    [[nodiscard]] std::uint32_t allocate(Rng& rng) const;

    /// Requires that `index` is not in the table.
    void insert(std::uint32_t index, Connection& connection);
    void erase(std::uint32_t index);
    void clear();

    /// Null if unknown. Hot path.
    [[nodiscard]] Connection* find(std::uint32_t index) const {
        for (auto at = index & mask_; slots_[at].connection != nullptr; at = (at + 1) & mask_) {
            if (slots_[at].index == index) {
                return slots_[at].connection;
            }
        }
        return nullptr;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Slot {
        std::uint32_t index = 0;
        Connection* connection = nullptr;
    };

    void grow();

    std::vector<Slot> slots_;
    std::uint32_t mask_;
    std::size_t size_ = 0;
};

}  // namespace culvert::connectivity
