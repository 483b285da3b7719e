#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/time.h"

namespace culvert::model {

/// One direction of a TCP connection that carries frames: bytes arrive in order, late, in pieces of any size, or not
/// at all. A frame is its length in four bytes, then its text, as WebSocket's framing would have it.
class BytePipe {
public:
    explicit BytePipe(Duration latency) : latency_{latency} {}

    void write_frame(std::string_view text, Instant now);
    /// End of stream, behind what was written.
    void close(Instant now);

    /// Nothing arrives while stalled; TCP delivers it afterwards.
    void stall();
    void resume(Instant now);
    /// Bytes per second; 0: unlimited.
    void set_rate(std::uint32_t rate) { rate_ = rate; }
    /// Lets only `bytes` more arrive, then the connection is reset.
    void cut_after(std::uint32_t bytes) { left_ = bytes; }
    void cancel_cut() { left_.reset(); }
    /// Whether a cut has lost anything.
    [[nodiscard]] bool was_cut() const { return was_cut_; }

    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    /// The next frame that has arrived completely.
    [[nodiscard]] std::optional<std::string> poll_frame(Instant now);
    /// Whether the end has arrived: call after poll_frame() has nothing more.
    [[nodiscard]] bool has_ended(Instant now);

private:
    struct Piece {
        Instant arrives;
        std::string bytes;
        bool is_end = false;
    };

    void write(std::string bytes, Instant now);
    void receive(Instant now);

    Duration latency_;
    std::uint32_t rate_ = 0;
    std::optional<std::uint32_t> left_;
    bool is_stalled_ = false;
    bool is_closed_ = false;
    bool was_cut_ = false;
    bool has_ended_ = false;
    Instant last_arrival_{};
    std::deque<Piece> pieces_;
    std::string received_;
};

}  // namespace culvert::model
