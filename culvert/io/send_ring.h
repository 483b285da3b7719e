#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <sys/socket.h>
#include <sys/uio.h>

#include "culvert/net/ecn.h"
#include "culvert/net/transmit.h"

namespace culvert::io {

/// Datagrams of one path that may leave in one piece, which the kernel cuts (UDP_SEGMENT).
struct Train {
    net::Path path;
    net::Ecn ecn = net::Ecn::kNotEct;
    /// Bytes of each datagram; the last may be shorter. Must fit the path's MTU if there are several: what the kernel
    /// cuts it does not fragment.
    std::size_t segment_size = 0;
    std::size_t segments = 1;
    /// Where the bytes stand, in order: in one place, or in equally many places for each datagram.
    std::span<const iovec> pieces;
};

/// How much of a row of trains has left.
struct SendPosition {
    std::size_t train = 0;
    std::size_t segments = 0;  ///< of that train
    /// The kernel refused to cut that train: the rest of it leaves in single datagrams.
    bool is_unjoined = false;
};

/// The messages of one sendmmsg(), for all UDP sockets of a thread.
class SendRing {
public:
    static constexpr std::size_t kMessages = 64;

    SendRing();
    SendRing(SendRing&&) noexcept;
    ~SendRing();

    /// Lays out messages for what comes from `at` on, with at most `max_segments` datagrams in each.
    [[nodiscard]] std::span<mmsghdr> fill(std::span<const Train> trains, SendPosition at, std::size_t max_segments);

    /// Of the last fill(): what the i-th message carries, and where the row goes on behind it.
    struct Content {
        std::size_t datagrams = 0;
        std::size_t bytes = 0;
        SendPosition end;
    };
    [[nodiscard]] const Content& content(std::size_t i) const;

private:
    struct Slots;
    std::unique_ptr<Slots> slots_;
};

}  // namespace culvert::io
