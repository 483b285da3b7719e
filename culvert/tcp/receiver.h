#pragma once

#include <cstddef>
#include <cstdint>

#include "culvert/base/bytes.h"
#include "culvert/tcp/byte_queue.h"
#include "culvert/tcp/constants.h"
#include "culvert/tcp/segment.h"
#include "culvert/tcp/sequence.h"

namespace culvert::tcp {

/// The receiving half of a connection: what the peer is to send next, how much of it, and what waits to be read. Takes
/// only what is next; what arrives out of order is dropped. Source: RFC 9293 sections 3.3.1 and 3.8.6.
class Receiver {
public:
    /// The peer's SYN has this number.
    void start(Sequence syn) { expected_ = syn + 1; }

    /// RCV.NXT
    [[nodiscard]] Sequence expected() const { return expected_; }
    /// RCV.WND
    [[nodiscard]] std::size_t window() const { return offered_ > expected_ ? distance(expected_, offered_) : 0; }
    /// Whether it is next, or some of it lies in the window.
    [[nodiscard]] bool is_acceptable(const Segment& segment) const;

    struct Taken {
        std::size_t bytes;
        /// There was no room for the rest.
        bool is_cut;
    };
    /// Takes what is new of the payload. Requires that nothing before it is missing.
    Taken take(const Segment& segment);
    void take_fin() { expected_ += 1; }

    [[nodiscard]] bool empty() const { return received_.empty(); }
    /// Valid until the next call.
    [[nodiscard]] ByteSpan readable() const { return received_.view(); }
    void consume(std::size_t count) { received_.pop(count); }

    /// Whether there is so much more room that it is worth telling: a few bytes are not worth a packet, nor the short
    /// segments that they would invite (section 3.8.6.2.2).
    [[nodiscard]] bool has_more_room(std::size_t segment_size) const { return free() >= window() + segment_size; }
    /// The window to tell the peer, which it may use from now on.
    [[nodiscard]] std::uint16_t offer(std::size_t segment_size);
    /// All there is, as our SYN says.
    std::uint16_t offer_all();

private:
    [[nodiscard]] std::size_t free() const { return kReceiveBuffer - received_.size(); }

    Sequence expected_;
    Sequence offered_;  ///< Up to where we said that the peer may send.
    ByteQueue received_;
};

}  // namespace culvert::tcp
