#pragma once

#include <array>
#include <cstdint>

namespace culvert::wireguard {

/// Rejects transport packets that were seen before or are too old to tell.
///
/// Keeps one bit for each of the last `kSize` counters in a ring of words that advances a word at a time, so that
/// neither test() nor accept() ever shifts the whole window (RFC 6479). Not thread-safe: one direction of one
/// session has one owner.
class ReplayWindow {
public:
    /// How far behind the newest counter a packet may arrive. WireGuard paper 5.4.6 asks for about 2000; the kernel's
    /// size class leaves room for the reordering of a fast path with many queues.
    static constexpr std::uint64_t kSize = 8128;

    /// Whether `counter` is new. Changes nothing: call accept() only once the packet's tag has been verified,
    /// or a forged packet could make genuine ones look like replays.
    [[nodiscard]] bool test(std::uint64_t counter) const;

    /// Marks `counter` as seen. Requires test(counter) and counter < 2^64 - 1.
    void accept(std::uint64_t counter);

private:
    static constexpr std::uint64_t kBitsPerWord = 64;
    static constexpr std::uint64_t kWords = kSize / kBitsPerWord + 1;  // one word is always being refilled

    std::array<std::uint64_t, kWords> words_{};
    std::uint64_t next_ = 0;  // one above the newest counter seen
};

}  // namespace culvert::wireguard
