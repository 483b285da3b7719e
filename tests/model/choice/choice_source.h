#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"

namespace culvert::model {

/// Where a random case takes its decisions from: a byte string, read front to back. The same string gives the same
/// decisions, so a random run, a file and a fuzzer's input are one thing.
///
/// Once the string is used up every draw gives its lowest value, so that any truncation is a valid, smaller case.
/// A draw among one possibility consumes nothing; a bit flip changes one decision (spec/testing.md section 4.2).
class ChoiceSource {
public:
    /// Replays `bytes`, which must outlive the object.
    explicit ChoiceSource(ByteSpan bytes) : bytes_{bytes} {}

    /// `length` random bytes to be replayed by a ChoiceSource.
    [[nodiscard]] static Bytes random_bytes(Rng& rng, std::size_t length);

    /// Uniform in [0, bound) up to the bias of a modulus. Requires bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    /// Uniform in [lowest, highest].
    [[nodiscard]] std::uint64_t between(std::uint64_t lowest, std::uint64_t highest);
    /// False once the bytes are used up.
    [[nodiscard]] bool chance(unsigned percent);
    /// An index into `weights`, in proportion to them. Requires a positive sum.
    [[nodiscard]] std::size_t weighted(std::span<const unsigned> weights);
    /// Requires !items.empty().
    template <typename Container>
    [[nodiscard]] const auto& pick(const Container& items) {
        return *std::next(items.begin(), static_cast<std::ptrdiff_t>(below(items.size())));
    }
    [[nodiscard]] std::uint64_t next_u64();

    [[nodiscard]] bool is_exhausted() const { return used_ >= bytes_.size(); }
    [[nodiscard]] std::size_t used() const { return used_; }

private:
    [[nodiscard]] std::uint64_t read(std::size_t count);

    ByteSpan bytes_;
    std::size_t used_ = 0;
};

}  // namespace culvert::model
