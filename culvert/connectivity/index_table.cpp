#include "culvert/connectivity/index_table.h"

#include <cassert>
#include <utility>

namespace culvert::connectivity {
namespace {

constexpr std::size_t kInitialSlots = 64;  // a power of two
constexpr std::uint32_t kIndexMask = (1U << 24) - 1;

}  // namespace

IndexTable::IndexTable() : slots_(kInitialSlots), mask_{kInitialSlots - 1} {}

std::uint32_t IndexTable::allocate(Rng& rng) const {
    for (;;) {
        const auto index = rng.next_u32() & kIndexMask;
        if (find(index) == nullptr) {
            return index;
        }
    }
}

void IndexTable::insert(std::uint32_t index, Connection& connection) {
    assert(find(index) == nullptr);
    if (2 * (size_ + 1) > slots_.size()) {
        grow();
    }
    auto at = index & mask_;
    while (slots_[at].connection != nullptr) {
        at = (at + 1) & mask_;
    }
    slots_[at] = {index, &connection};
    ++size_;
}

void IndexTable::erase(std::uint32_t index) {
    auto hole = index & mask_;
    while (slots_[hole].connection != nullptr && slots_[hole].index != index) {
        hole = (hole + 1) & mask_;
    }
    if (slots_[hole].connection == nullptr) {
        return;
    }
    --size_;
    // Moves later entries of the run back over the hole, so that no search stops short of them.
    for (auto at = (hole + 1) & mask_; slots_[at].connection != nullptr; at = (at + 1) & mask_) {
        const auto home = slots_[at].index & mask_;
        if (((at - home) & mask_) >= ((at - hole) & mask_)) {
            slots_[hole] = slots_[at];
            hole = at;
        }
    }
    slots_[hole] = {};
}

void IndexTable::clear() {
    *this = IndexTable{};
}

void IndexTable::grow() {
    const auto old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
    size_ = 0;
    for (const auto& slot : old) {
        if (slot.connection != nullptr) {
            insert(slot.index, *slot.connection);
        }
    }
}

}  // namespace culvert::connectivity
