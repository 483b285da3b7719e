#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "culvert/base/bytes.h"

namespace culvert {

/// Cryptographic random generator of everything below `io`: ChaCha20 (RFC 8439) with fast key erasure.
///
/// The only source of randomness of protocol objects, so that equal seeds give equal runs. The seed comes from the
/// operating system in a product and from the test's seed in a simulation. Not thread-safe: give each owner its own
/// generator, with child() to a part that exists once and with fork() to each of those that come and go.
///
/// Whoever reads the memory of a process learns what a generator will yield, but not what it has yielded: each block of
/// the cipher replaces the key that made it, and what was handed out is wiped. Children are the exception: a generator
/// can make its child() again for as long as it lives, and with it all that the child ever drew. So let one that has
/// children go once they are made, or make them with fork(). Nothing here survives fork(2): both processes would draw
/// the same. Our programs never call it.
class Rng {
public:
    using Seed = std::array<std::byte, 32>;

    explicit Rng(const Seed& seed);

    /// A generator for tests, from a small number.
    [[nodiscard]] static Rng from_number(std::uint64_t number);

    ~Rng();
    /// A copy draws the same bytes again: hand generators over, and do not go on with both.
    Rng(const Rng&) = default;
    Rng& operator=(const Rng&) = default;

    void fill(MutableByteSpan out);

    [[nodiscard]] std::uint32_t next_u32();
    [[nodiscard]] std::uint64_t next_u64();

    /// Uniform in [0, bound). Requires bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);

    /// The independent generator called `name`. Depends on the seed and the name only, not on what was drawn before,
    /// and draws nothing: what one part of a component needs does not change what the others get. The same name yields
    /// the same generator again, so never use one twice.
    [[nodiscard]] Rng child(std::string_view name) const;

    /// An independent generator, seeded with the next 32 bytes of this one: another one with every call.
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
    using Key = std::array<std::byte, 32>;

    /// One block of the cipher: the key of the next one, and what may be handed out.
    void refill();

    /// Makes the next block.
    Key key_;
    /// Makes children. Independent of what was drawn.
    Key family_;
    /// Zero up to `used_`: bytes are wiped as they are handed out.
    Key buffer_{};
    std::size_t used_ = sizeof(Key);
};

}  // namespace culvert
