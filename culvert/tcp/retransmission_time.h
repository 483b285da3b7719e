#pragma once

#include <algorithm>

#include "culvert/base/time.h"
#include "culvert/tcp/constants.h"

namespace culvert::tcp {

/// How long to wait for an acknowledgement (RFC 6298 sections 2 and 5).
class RetransmissionTime {
public:
    [[nodiscard]] Duration current() const { return current_; }

    /// How long the acknowledgement of something took that was sent only once (Karn's algorithm).
    void add_sample(Duration round_trip) {
        if (!has_sample_) {
            has_sample_ = true;
            smoothed_ = round_trip;
            variation_ = round_trip / 2;
        } else {
            const auto difference = smoothed_ > round_trip ? smoothed_ - round_trip : round_trip - smoothed_;
            variation_ += (difference - variation_) / 4;
            smoothed_ += (round_trip - smoothed_) / 8;
        }
        reset_backoff();
    }

    void back_off() { current_ = std::min(current_ * 2, kMaxRetransmissionTime); }
    /// The peer is there, whether or not the time it took says something.
    void reset_backoff() {
        current_ = has_sample_ ? std::clamp(smoothed_ + 4 * variation_, kMinRetransmissionTime, kMaxRetransmissionTime)
                               : kInitialRetransmissionTime;
    }

private:
    bool has_sample_ = false;
    Duration smoothed_{};
    Duration variation_{};
    Duration current_ = kInitialRetransmissionTime;
};

}  // namespace culvert::tcp
