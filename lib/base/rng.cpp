#include "culvert/base/rng.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace culvert {
namespace {

// RFC 8439 section 2.3: "expand 32-byte k".
constexpr std::array<std::uint32_t, 4> kConstants{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

/// What a step of child() takes in of the name: as much as fits beside the number that says how much is left.
constexpr std::size_t kNameBlock = 12;

void quarter_round(std::array<std::uint32_t, 16>& s, std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    s[a] += s[b];
    s[d] = std::rotl(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = std::rotl(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = std::rotl(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = std::rotl(s[b] ^ s[c], 7);
}

}  // namespace

Rng::Rng(const Seed& seed) {
    std::copy(kConstants.begin(), kConstants.end(), state_.begin());
    for (std::size_t i = 0; i < 8; ++i) {
        state_[4 + i] = load_le<std::uint32_t>(ByteSpan{seed}.subspan(4 * i));
    }
}

Rng Rng::from_number(std::uint64_t number) {
    Seed seed{};
    store_le(MutableByteSpan{seed}, number);
    return Rng{seed};
}

Rng::~Rng() {
    // The state is a key: do not leave it on the stack or heap.
    volatile std::uint32_t* words = state_.data();
    for (std::size_t i = 0; i < state_.size(); ++i) {
        words[i] = 0;
    }
    volatile std::byte* bytes = block_.data();
    for (std::size_t i = 0; i < block_.size(); ++i) {
        bytes[i] = std::byte{0};
    }
}

void Rng::permute(State& state) {
    for (int round = 0; round < 10; ++round) {
        quarter_round(state, 0, 4, 8, 12);
        quarter_round(state, 1, 5, 9, 13);
        quarter_round(state, 2, 6, 10, 14);
        quarter_round(state, 3, 7, 11, 15);
        quarter_round(state, 0, 5, 10, 15);
        quarter_round(state, 1, 6, 11, 12);
        quarter_round(state, 2, 7, 8, 13);
        quarter_round(state, 3, 4, 9, 14);
    }
}

void Rng::refill() {
    auto working = state_;
    permute(working);
    for (std::size_t i = 0; i < working.size(); ++i) {
        store_le(MutableByteSpan{block_}.subspan(4 * i), working[i] + state_[i]);
    }
    // Words 12 and 13 form one 64-bit block counter.
    if (++state_[12] == 0) {
        ++state_[13];
    }
    used_ = 0;
}

void Rng::fill(MutableByteSpan out) {
    while (!out.empty()) {
        if (used_ == block_.size()) {
            refill();
        }
        const auto count = std::min(out.size(), block_.size() - used_);
        std::memcpy(out.data(), block_.data() + used_, count);
        used_ += count;
        out = out.subspan(count);
    }
}

std::uint32_t Rng::next_u32() {
    return load_le<std::uint32_t>(array<4>());
}

std::uint64_t Rng::next_u64() {
    return load_le<std::uint64_t>(array<8>());
}

std::uint64_t Rng::below(std::uint64_t bound) {
    assert(bound > 0);
    // Values in the incomplete last multiple of `bound` would favour small results.
    const auto limit = max() - max() % bound;
    for (;;) {
        const auto value = next_u64();
        if (value < limit) {
            return value % bound;
        }
    }
}

/// HChaCha20 (draft-irtf-cfrg-xchacha-03 section 2.2) over the blocks of the name, each keyed with the result of the
/// one before. Word 15 is never 0 here and always 0 in the key stream, so the two never permute the same input; it is
/// the length of what is left, so no name's blocks begin those of another.
Rng Rng::child(std::string_view name) const {
    auto rest = as_bytes(name);
    Seed seed{};
    auto key = state_;
    do {
        std::array<std::byte, kNameBlock> block{};
        std::copy_n(rest.begin(), std::min(rest.size(), kNameBlock), block.begin());
        for (std::size_t i = 0; i < 3; ++i) {
            key[12 + i] = load_le<std::uint32_t>(ByteSpan{block}.subspan(4 * i));
        }
        key[15] = static_cast<std::uint32_t>(rest.size()) + 1;
        permute(key);
        for (std::size_t i = 0; i < 4; ++i) {
            store_le(MutableByteSpan{seed}.subspan(4 * i), key[i]);
            store_le(MutableByteSpan{seed}.subspan(16 + 4 * i), key[12 + i]);
        }
        key = Rng{seed}.state_;
        rest = rest.subspan(std::min(rest.size(), kNameBlock));
    } while (!rest.empty());
    return Rng{seed};
}

Rng Rng::fork() {
    return Rng{array<32>()};
}

}  // namespace culvert
