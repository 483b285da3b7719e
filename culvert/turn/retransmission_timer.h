#pragma once

#include <optional>

#include "culvert/base/time.h"
#include "culvert/turn/constants.h"

namespace culvert::turn {

/// When to repeat a request and when to give up (spec/connectivity.md section 5.5).
class RetransmissionTimer {
public:
    RetransmissionTimer(Instant now, Duration give_up_after)
        : started_{now}, next_{now + kFirstRetransmission}, give_up_after_{give_up_after} {}

    /// The next instant at which trigger() is due.
    [[nodiscard]] Instant next() const { return next_; }
    [[nodiscard]] bool is_due(Instant now) const { return now >= next_; }

    /// When the request was sent, unless it was repeated: then nobody knows which one was answered (Karn's algorithm,
    /// RFC 6298 section 3).
    [[nodiscard]] std::optional<Instant> sent_once_at() const {
        return interval_ == kFirstRetransmission ? std::optional{started_} : std::nullopt;
    }

    /// Requires is_due(now). True: send again; false: give up.
    [[nodiscard]] bool trigger(Instant now) {
        if (now - started_ >= give_up_after_) {
            return false;
        }
        interval_ = interval_ * 3 / 2;
        next_ = now + interval_;
        return true;
    }

private:
    Instant started_;
    Instant next_;
    Duration interval_ = kFirstRetransmission;
    Duration give_up_after_;
};

}  // namespace culvert::turn
