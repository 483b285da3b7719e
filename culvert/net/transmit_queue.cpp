#include "culvert/net/transmit_queue.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace culvert::net {

TransmitQueue::TransmitQueue() : slots_(kMaxBatches) {}

bool TransmitQueue::can_join(const Slot& slot, const Path& path, Ecn ecn, std::size_t length) const {
    const bool is_open = slot.last_length == slot.segment_size;
    return is_open && slot.segments < kMaxSegments && length <= slot.segment_size &&
           slot.length + length <= kMaxBatchBytes && slot.ecn == ecn && slot.path == path;
}

MutableByteSpan TransmitQueue::append(const Path& path, Ecn ecn, std::size_t length) {
    if (length == 0 || length > kMaxBatchBytes) {
        return {};
    }
    if (count_ == 0 || !can_join(slot(count_ - 1), path, ecn, length)) {
        if (count_ == kMaxBatches) {
            return {};
        }
        auto& fresh = slot(count_++);
        if (!fresh.bytes) {
            // Not value-initialised: pages are touched only as far as traffic needs them.
            fresh.bytes = std::make_unique_for_overwrite<std::byte[]>(kMaxBatchBytes);
        }
        fresh.path = path;
        fresh.ecn = ecn;
        fresh.segment_size = length;
        fresh.segments = 0;
        fresh.length = 0;
    }
    auto& last = slot(count_ - 1);
    const MutableByteSpan space{last.bytes.get() + last.length, length};
    last.length += length;
    last.last_length = length;
    ++last.segments;
    return space;
}

void TransmitQueue::undo_append() {
    assert(count_ > 0);
    auto& last = slot(count_ - 1);
    last.length -= last.last_length;
    // What stood before the undone datagram was full size, or it could not have joined.
    last.last_length = last.segment_size;
    if (--last.segments == 0) {
        --count_;
    }
}

bool TransmitQueue::push(const Transmit& transmit) {
    const auto space = append(transmit.path, transmit.ecn, transmit.payload.size());
    if (space.empty()) {
        return false;
    }
    std::memcpy(space.data(), transmit.payload.data(), transmit.payload.size());
    return true;
}

TransmitQueue::Batch TransmitQueue::batch(std::size_t i) const {
    assert(i < count_);
    const auto& s = slot(i);
    return {s.path, s.ecn, s.segment_size, s.segments, ByteSpan{s.bytes.get(), s.length}};
}

void TransmitQueue::pop_front(std::size_t count) {
    assert(count <= count_);
    count_ -= count;
    first_ = count_ == 0 ? 0 : (first_ + count) % kMaxBatches;
}

}  // namespace culvert::net
