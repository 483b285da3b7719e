#include "tests/model/world/byte_pipe.h"

#include <algorithm>
#include <utility>

#include "culvert/base/bytes.h"

namespace culvert::model {
namespace {

constexpr std::size_t kLengthBytes = 4;
/// A frame arrives in pieces of this size, like TCP segments.
constexpr std::size_t kPieceBytes = 1400;

}  // namespace

void BytePipe::write_frame(std::string_view text, Instant now) {
    Bytes length;
    append_be(length, static_cast<std::uint32_t>(text.size()));
    write(std::string{as_text(length)} + std::string{text}, now);
}

void BytePipe::write(std::string bytes, Instant now) {
    if (is_closed_) {
        return;
    }
    for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
        auto piece = bytes.substr(at, kPieceBytes);
        bool is_cut = false;
        if (left_) {
            is_cut = piece.size() > *left_;
            piece.resize(std::min<std::size_t>(piece.size(), *left_));
            *left_ -= static_cast<std::uint32_t>(piece.size());
        }
        last_arrival_ = std::max(last_arrival_, now + latency_);
        if (rate_ > 0) {
            last_arrival_ += std::chrono::duration_cast<Duration>(std::chrono::seconds{1}) *
                             static_cast<std::int64_t>(piece.size()) / rate_;
        }
        pieces_.push_back({last_arrival_, std::move(piece)});
        if (is_cut) {
            was_cut_ = true;
            close(now);
            return;
        }
    }
}

void BytePipe::close(Instant now) {
    if (std::exchange(is_closed_, true)) {
        return;
    }
    last_arrival_ = std::max(last_arrival_, now + latency_);
    pieces_.push_back({last_arrival_, {}, true});
}

void BytePipe::stall() {
    is_stalled_ = true;
}

void BytePipe::resume(Instant now) {
    if (!std::exchange(is_stalled_, false)) {
        return;
    }
    for (auto& piece : pieces_) {
        piece.arrives = std::max(piece.arrives, now + latency_);
    }
    last_arrival_ = std::max(last_arrival_, now + latency_);
}

std::optional<Instant> BytePipe::poll_timeout() const {
    return is_stalled_ || pieces_.empty() ? std::nullopt : std::optional{pieces_.front().arrives};
}

void BytePipe::receive(Instant now) {
    while (!is_stalled_ && !pieces_.empty() && pieces_.front().arrives <= now) {
        received_ += pieces_.front().bytes;
        has_ended_ = has_ended_ || pieces_.front().is_end;
        pieces_.pop_front();
    }
}

std::optional<std::string> BytePipe::poll_frame(Instant now) {
    receive(now);
    if (received_.size() < kLengthBytes) {
        return std::nullopt;
    }
    const auto length = load_be<std::uint32_t>(as_bytes(received_));
    if (received_.size() < kLengthBytes + length) {
        return std::nullopt;
    }
    auto frame = received_.substr(kLengthBytes, length);
    received_.erase(0, kLengthBytes + length);
    return frame;
}

bool BytePipe::has_ended(Instant now) {
    receive(now);
    return has_ended_;
}

}  // namespace culvert::model
