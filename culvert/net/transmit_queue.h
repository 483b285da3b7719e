#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "culvert/net/transmit.h"

namespace culvert::net {

/// Datagrams on their way to the UDP sockets, laid out so that a run of equal-sized ones to one peer leaves in a single
/// UDP_SEGMENT send without being copied.
///
/// A datagram is written straight into its slot: `append()` hands out the space. Batches keep the order in which they
/// were opened; a datagram joins the last batch if path and ECN agree, all earlier datagrams of the batch are full
/// size and it is not longer than they are. A shorter one closes the batch. Nothing is ever reordered
/// (spec: io-and-performance 3.2, 13.2).
///
/// Memory is bounded: kMaxBatches buffers, reused for ever. Each is allocated when it is first needed and takes as much
/// memory as was ever written to it; an emptied queue starts again with the first one, which is still in the cache.
class TransmitQueue {
public:
    /// UDP_SEGMENT accepts 64 datagrams on every kernel that has it.
    static constexpr std::size_t kMaxSegments = 64;
    /// Largest payload of one send: 65535 less the longest IPv4 header and the UDP header.
    static constexpr std::size_t kMaxBatchBytes = 65535 - 60 - 8;
    /// Room kept for one super-packet, in whichever way it is cut: 64 KiB in datagrams of one byte of payload each, 49
    /// to a batch. Who fills the queue asserts that this is enough.
    static constexpr std::size_t kReservedBatches = 1344;
    /// Batches that gather before the queue counts as full.
    static constexpr std::size_t kUsualBatches = 64;
    static constexpr std::size_t kMaxBatches = kUsualBatches + kReservedBatches;

    /// A view of one batch: `bytes` holds datagrams of `segment_size` each, the last may be shorter.
    struct Batch {
        const Path& path;
        Ecn ecn;
        std::size_t segment_size;
        std::size_t segments;
        ByteSpan bytes;
    };

    TransmitQueue();

    /// Space for one datagram of exactly `length` bytes, which the caller must fill before the next call.
    /// Empty if the queue is full or length > kMaxBatchBytes: check is_full() before reading more input.
    [[nodiscard]] MutableByteSpan append(const Path& path, Ecn ecn, std::size_t length);

    /// Takes back the slot that the last append() handed out.
    void undo_append();

    /// Copies a datagram in. False if there is no room.
    bool push(const Transmit& transmit);

    /// Whether a further super-packet might not fit. Stop reading input, flush, then go on.
    [[nodiscard]] bool is_full() const { return count_ + kReservedBatches > kMaxBatches; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }

    /// The i-th batch in write order. Requires i < size().
    [[nodiscard]] Batch batch(std::size_t i) const;

    /// Forgets the first `count` batches once they were sent.
    void pop_front(std::size_t count);
    void clear() { pop_front(count_); }

private:
    struct Slot {
        Path path;
        Ecn ecn = Ecn::kNotEct;
        std::size_t segment_size = 0;
        std::size_t segments = 0;
        std::size_t length = 0;
        std::size_t last_length = 0;
        std::unique_ptr<std::byte[]> bytes;
    };

    [[nodiscard]] bool can_join(const Slot& slot, const Path& path, Ecn ecn, std::size_t length) const;
    Slot& slot(std::size_t i) { return slots_[(first_ + i) % kMaxBatches]; }
    [[nodiscard]] const Slot& slot(std::size_t i) const { return slots_[(first_ + i) % kMaxBatches]; }

    std::vector<Slot> slots_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace culvert::net
