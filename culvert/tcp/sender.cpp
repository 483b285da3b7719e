#include "culvert/tcp/sender.h"

#include <algorithm>
#include <cassert>

#include "culvert/packet/constants.h"

namespace culvert::tcp {

Sender::Sender(Sequence initial, std::size_t segment_size)
    : initial_{initial},
      unacknowledged_{initial},
      next_{initial},
      highest_{initial},
      segment_size_{segment_size},
      flight_limit_{kInitialFlight * segment_size} {}

void Sender::set_segment_size(std::size_t size) {
    segment_size_ = size;
    flight_limit_ = kInitialFlight * size;
}

// --- What is sent ---

bool Sender::has_unsent() const {
    const auto end_of_written = unacknowledged_ + sent_.size();
    return next_ < end_of_written + (is_finishing_ && !is_fin_acknowledged_ ? 1 : 0);
}

void Sender::note_syn(Instant now) {
    timed_ = highest_ == initial_ ? std::optional{Timed{initial_ + 1, now}} : std::nullopt;
    next_ = highest_ = initial_ + 1;
}

std::optional<Segment> Sender::next(Instant now) {
    const auto offset = in_flight();
    if (is_fin_acknowledged_ || offset > sent_.size()) {
        return std::nullopt;  // the FIN is on its way, or has arrived
    }
    const auto left = sent_.size() - offset;
    const auto limit = std::min(window_, flight_limit_);
    const auto room = limit > offset ? limit - offset : 0;
    const auto length = std::min({left, room, segment_size_});
    const bool is_last = is_finishing_ && length == left && room > length;
    if (length == 0 && !is_last) {
        return std::nullopt;
    }
    // Waits for more room rather than fill up what little there is (RFC 9293 section 3.8.6.2.1).
    if (length < segment_size_ && length < left && length < largest_window_ / 2) {
        return std::nullopt;
    }
    return cut(offset, length, is_last, now);
}

Segment Sender::probe(Instant now) {
    const auto length = std::min({sent_.size(), std::max<std::size_t>(window_, 1), segment_size_});
    const bool is_last = is_finishing_ && length == sent_.size() && (window_ > length || length == 0);
    auto segment = cut(0, length, is_last, now);
    timed_.reset();
    return segment;
}

Segment Sender::cut(std::size_t offset, std::size_t length, bool is_last, Instant now) {
    Segment segment;
    segment.sequence = unacknowledged_ + offset;
    segment.payload = sent_.view().subspan(offset, length);
    segment.flags = packet::kTcpAck;
    if (offset + length == sent_.size()) {
        segment.flags |= packet::kTcpPsh;
    }
    if (is_last) {
        segment.flags |= packet::kTcpFin;
    }
    next_ = segment.sequence + segment.length();
    if (!timed_ && segment.sequence >= highest_) {
        timed_ = Timed{next_, now};
    }
    highest_ = std::max(highest_, next_);
    return segment;
}

void Sender::go_back() {
    timed_.reset();
    next_ = unacknowledged_;
    flight_limit_ = segment_size_;
}

void Sender::back_off() {
    retransmission_time_.back_off();
    timed_.reset();
    duplicates_ = 0;
}

// --- What the peer says ---

bool Sender::is_plausible(Sequence acknowledgement) const {
    return acknowledgement <= highest_ && acknowledgement + largest_window_ >= unacknowledged_;
}

bool Sender::acknowledge(Sequence acknowledgement, Instant now) {
    std::size_t bytes = distance(unacknowledged_, acknowledgement);
    if (!is_syn_acknowledged_) {
        --bytes;
        is_syn_acknowledged_ = true;
    }
    if (bytes > sent_.size()) {
        --bytes;
        is_fin_acknowledged_ = true;
    }
    assert(bytes <= sent_.size());
    const bool had_data = !sent_.empty();
    sent_.pop(bytes);
    unacknowledged_ = acknowledgement;
    next_ = std::max(next_, acknowledgement);
    duplicates_ = 0;
    flight_limit_ = std::min(flight_limit_ + segment_size_, kSendBuffer);
    if (timed_ && acknowledgement >= timed_->end) {
        retransmission_time_.add_sample(now - timed_->sent_at);
        timed_.reset();
    } else {
        retransmission_time_.reset_backoff();
    }
    return had_data && sent_.empty();
}

bool Sender::count_duplicate(const Segment& segment) {
    const bool is_duplicate = in_flight() > 0 && segment.length() == 0 && segment.window == window_;
    if (!is_duplicate || ++duplicates_ != kDuplicateAcknowledgements) {
        return false;
    }
    go_back();
    return true;
}

void Sender::update_window(const Segment& segment) {
    const bool is_newer = window_sequence_ < segment.sequence ||
                          (window_sequence_ == segment.sequence && window_acknowledgement_ <= segment.acknowledgement);
    if (is_newer || !has_window_) {
        has_window_ = true;
        window_ = segment.window;
        largest_window_ = std::max(largest_window_, window_);
        window_sequence_ = segment.sequence;
        window_acknowledgement_ = segment.acknowledgement;
    }
}

}  // namespace culvert::tcp
