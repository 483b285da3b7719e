#include "culvert/tcp/receiver.h"

#include <algorithm>

namespace culvert::tcp {

bool Receiver::is_acceptable(const Segment& segment) const {
    const auto length = segment.length();
    if (segment.sequence == expected_) {
        return true;  // also without room: its acknowledgement counts
    }
    const auto last = segment.sequence + (length == 0 ? 0 : length - 1);
    return segment.sequence < expected_ + window() && last >= expected_;
}

Receiver::Taken Receiver::take(const Segment& segment) {
    auto payload = segment.payload;
    payload = payload.subspan(std::min<std::size_t>(distance(segment.sequence, expected_), payload.size()));
    const auto taken = payload.first(std::min(payload.size(), window()));
    if (!taken.empty()) {
        received_.push(taken);
        expected_ += taken.size();
    }
    return {.bytes = taken.size(), .is_cut = taken.size() < payload.size()};
}

std::uint16_t Receiver::offer(std::size_t segment_size) {
    if (has_more_room(segment_size)) {
        offered_ = expected_ + free();
    }
    return static_cast<std::uint16_t>(window());
}

std::uint16_t Receiver::offer_all() {
    offered_ = expected_ + kReceiveBuffer;
    return kReceiveBuffer;
}

}  // namespace culvert::tcp
