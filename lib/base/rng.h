#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "culvert/base/bytes.h"

namespace culvert {

/// Cryptographic random generator of everything below `io`: the ChaCha20 key stream (RFC 8439) of a 32-byte seed.
///
/// The only source of randomness of protocol objects, so that equal seeds give equal runs. The seed comes from the
/// operating system in a product and from the test's seed in a simulation. Not thread-safe: give each owner its own
/// generator with fork().
class Rng {
public:
    using Seed = std::array<std::byte, 32>;

    explicit Rng(const Seed& seed);

    /// A generator for tests, from a small number.
    [[nodiscard]] static Rng from_number(std::uint64_t number);

    ~Rng();
    Rng(const Rng&) = default;
    Rng& operator=(const Rng&) = default;

    void fill(MutableByteSpan out);

    [[nodiscard]] std::uint32_t next_u32();
    [[nodiscard]] std::uint64_t next_u64();

    /// Uniform in [0, bound). Requires bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);

    /// An independent generator, seeded from this one.
    [[nodiscard]] Rng fork();

    template <std::size_t N>
    [[nodiscard]] std::array<std::byte, N> array() {
        std::array<std::byte, N> out;
        fill(out);
        return out;
    }

    // The standard's UniformRandomBitGenerator, for std::shuffle and friends.
    using result_type = std::uint64_t;
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return ~result_type{0}; }
    result_type operator()() { return next_u64(); }

private:
    void refill();

    std::array<std::uint32_t, 16> state_{};
    std::array<std::byte, 64> block_{};
    std::size_t used_ = 64;
};

}  // namespace culvert
