#pragma once

#include <cstddef>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/tcp/byte_queue.h"
#include "culvert/tcp/constants.h"
#include "culvert/tcp/retransmission_time.h"
#include "culvert/tcp/segment.h"
#include "culvert/tcp/sequence.h"

namespace culvert::tcp {

/// The sending half of a connection: what was written, how far it is sent and acknowledged, how much may be in flight,
/// and how long an acknowledgement takes. Numbers: a SYN, what was written, a FIN. Source: RFC 9293 sections 3.3.1 and
/// 3.8; instead of congestion control there is slow start after a loss.
///
/// Knows the time of day, but no timers: those are the connection's.
class Sender {
public:
    Sender(Sequence initial, std::size_t segment_size);

    /// The number of the SYN.
    [[nodiscard]] Sequence initial() const { return initial_; }
    /// SND.NXT, unless that went back after a loss: whatever carries no data has this number.
    [[nodiscard]] Sequence highest() const { return highest_; }
    [[nodiscard]] std::size_t segment_size() const { return segment_size_; }
    /// The peer said what it takes.
    void set_segment_size(std::size_t size);
    /// SND.WND
    [[nodiscard]] std::size_t window() const { return window_; }
    [[nodiscard]] Duration retransmission_time() const { return retransmission_time_.current(); }

    // What is written.

    /// And not acknowledged.
    [[nodiscard]] std::size_t size() const { return sent_.size(); }
    /// Requires room in kSendBuffer.
    void push(ByteSpan bytes) { sent_.push(bytes); }
    /// A FIN follows what was written.
    void finish() { is_finishing_ = true; }
    [[nodiscard]] bool is_finishing() const { return is_finishing_; }
    [[nodiscard]] bool is_fin_acknowledged() const { return is_fin_acknowledged_; }

    // What is sent.

    /// Sequence numbers that are in flight, or count as lost and will be sent again.
    [[nodiscard]] std::size_t in_flight() const { return distance(unacknowledged_, next_); }
    /// Something waits for the peer to have room, or for acknowledgements.
    [[nodiscard]] bool has_unsent() const;
    /// The SYN is sent, perhaps again.
    void note_syn(Instant now);
    /// The next segment that may be sent now, without what is about the other direction. Counts as sent.
    [[nodiscard]] std::optional<Segment> next(Instant now);
    /// One byte, or as much as there is room for if that was too little to be worth a segment, whatever the window. It
    /// counts as sent: if it is not taken, it is sent again like any other.
    [[nodiscard]] Segment probe(Instant now);
    /// All that is in flight counts as lost and is sent again, as fast as acknowledgements come.
    void go_back();
    /// Nothing was acknowledged in time. The caller goes back, or repeats the SYN.
    void back_off();

    // What the peer says.

    /// A peer can only acknowledge what was sent, and not long ago (RFC 5961 section 5).
    [[nodiscard]] bool is_plausible(Sequence acknowledgement) const;
    [[nodiscard]] bool is_new(Sequence acknowledgement) const { return acknowledgement > unacknowledged_; }
    [[nodiscard]] bool repeats(Sequence acknowledgement) const { return acknowledgement == unacknowledged_; }
    /// Whether this was the last of what was written. Requires a new, plausible acknowledgement; the first is the
    /// SYN's.
    bool acknowledge(Sequence acknowledgement, Instant now);
    /// An acknowledgement that repeats the last. Whether it is the one after which a segment counts as lost: then all
    /// that follows may have been dropped as well, as we would, and goes back.
    [[nodiscard]] bool count_duplicate(const Segment& segment);
    void update_window(const Segment& segment);

private:
    [[nodiscard]] Segment cut(std::size_t offset, std::size_t length, bool is_last, Instant now);

    // SND.UNA, SND.NXT, and the highest SND.NXT so far: after a loss `next_` goes back.
    Sequence initial_;
    Sequence unacknowledged_;
    Sequence next_;
    Sequence highest_;
    ByteQueue sent_;  ///< From `unacknowledged_` on: what is in flight and what is not sent yet.
    bool is_syn_acknowledged_ = false;
    bool is_finishing_ = false;
    bool is_fin_acknowledged_ = false;

    bool has_window_ = false;
    std::size_t window_ = 0;
    std::size_t largest_window_ = 0;
    Sequence window_sequence_;         ///< SND.WL1
    Sequence window_acknowledgement_;  ///< SND.WL2

    std::size_t segment_size_;
    std::size_t flight_limit_;  ///< Slow start: grows with each acknowledgement, starts again after a loss.
    unsigned duplicates_ = 0;
    RetransmissionTime retransmission_time_;
    struct Timed {
        Sequence end;
        Instant sent_at;
    };
    std::optional<Timed> timed_;  ///< Whose acknowledgement tells the round-trip time.
};

}  // namespace culvert::tcp
