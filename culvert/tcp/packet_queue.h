#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/tcp/constants.h"

namespace culvert::tcp {

/// Packets that wait to be polled, up to a limit; what comes on top is lost.
class PacketQueue {
public:
    void push(Bytes packet) {
        if (packets_.size() < kMaxQueuedPackets) {
            packets_.push_back(std::move(packet));
        }
    }
    [[nodiscard]] std::optional<Bytes> pop() {
        if (packets_.empty()) {
            return std::nullopt;
        }
        auto packet = std::move(packets_.front());
        packets_.pop_front();
        return packet;
    }

private:
    std::deque<Bytes> packets_;
};

}  // namespace culvert::tcp
