#include "culvert/base/rng.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "culvert/base/wipe.h"

namespace culvert {
namespace {

using Words = std::array<std::uint32_t, 16>;

// RFC 8439 section 2.3: "expand 32-byte k".
constexpr std::array<std::uint32_t, 4> kConstants{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

/// Word 15, where ChaCha20 has the end of its nonce, says what a block is for, so that no two kinds of blocks are ever
/// the same. Blocks that make children have there what is left of the name, plus 1.
constexpr std::uint32_t kDrawing = 0;
constexpr std::uint32_t kSeeding = ~std::uint32_t{0};

/// What a step of child() takes in of the name: as much as fits beside the number that says how much is left.
constexpr std::size_t kNameBlock = 12;

void quarter_round(Words& s, std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    s[a] += s[b];
    s[d] = std::rotl(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = std::rotl(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = std::rotl(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = std::rotl(s[b] ^ s[c], 7);
}

void permute(Words& words) {
    for (int round = 0; round < 10; ++round) {
        quarter_round(words, 0, 4, 8, 12);
        quarter_round(words, 1, 5, 9, 13);
        quarter_round(words, 2, 6, 10, 14);
        quarter_round(words, 3, 7, 11, 15);
        quarter_round(words, 0, 5, 10, 15);
        quarter_round(words, 1, 6, 11, 12);
        quarter_round(words, 2, 7, 8, 13);
        quarter_round(words, 3, 4, 9, 14);
    }
}

/// The cipher's state with `key`, and zeros for counter and nonce. Wipes itself.
struct CipherState {
    explicit CipherState(ByteSpan key) {
        std::copy(kConstants.begin(), kConstants.end(), words.begin());
        for (std::size_t i = 0; i < 8; ++i) {
            words[4 + i] = load_le<std::uint32_t>(key.subspan(4 * i));
        }
    }
    ~CipherState() { wipe(std::as_writable_bytes(std::span{words})); }
    CipherState(const CipherState&) = default;
    CipherState& operator=(const CipherState&) = delete;

    Words words{};
};

/// A block of ChaCha20, the first half of it to `first` and the second to `second`. The key may be either of them.
void block(ByteSpan key, std::uint32_t purpose, MutableByteSpan first, MutableByteSpan second) {
    CipherState input{key};
    input.words[15] = purpose;
    auto state = input;
    permute(state.words);
    for (std::size_t i = 0; i < 8; ++i) {
        store_le(first.subspan(4 * i), state.words[i] + input.words[i]);
        store_le(second.subspan(4 * i), state.words[8 + i] + input.words[8 + i]);
    }
}

}  // namespace

Rng::Rng(const Seed& seed) {
    block(seed, kSeeding, key_, family_);
}

Rng Rng::from_number(std::uint64_t number) {
    Seed seed{};
    store_le(MutableByteSpan{seed}, number);
    return Rng{seed};
}

Rng::~Rng() {
    wipe(key_);
    wipe(family_);
    wipe(buffer_);
}

void Rng::refill() {
    block(key_, kDrawing, key_, buffer_);
    used_ = 0;
}

void Rng::fill(MutableByteSpan out) {
    while (!out.empty()) {
        if (used_ == buffer_.size()) {
            refill();
        }
        const auto ready = MutableByteSpan{buffer_}.subspan(used_);
        const auto taken = ready.first(std::min(out.size(), ready.size()));
        std::memcpy(out.data(), taken.data(), taken.size());
        wipe(taken);
        used_ += taken.size();
        out = out.subspan(taken.size());
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
/// one before. Word 15 is the length of what is left, so no name's blocks begin those of another.
Rng Rng::child(std::string_view name) const {
    auto rest = as_bytes(name);
    auto seed = family_;
    do {
        std::array<std::byte, kNameBlock> part{};
        std::copy_n(rest.begin(), std::min(rest.size(), kNameBlock), part.begin());
        CipherState state{seed};
        for (std::size_t i = 0; i < 3; ++i) {
            state.words[12 + i] = load_le<std::uint32_t>(ByteSpan{part}.subspan(4 * i));
        }
        state.words[15] = static_cast<std::uint32_t>(rest.size()) + 1;
        permute(state.words);
        for (std::size_t i = 0; i < 4; ++i) {
            store_le(MutableByteSpan{seed}.subspan(4 * i), state.words[i]);
            store_le(MutableByteSpan{seed}.subspan(16 + 4 * i), state.words[12 + i]);
        }
        rest = rest.subspan(std::min(rest.size(), kNameBlock));
    } while (!rest.empty());
    Rng result{seed};
    wipe(seed);
    return result;
}

Rng Rng::fork() {
    auto seed = array<32>();
    Rng result{seed};
    wipe(seed);
    return result;
}

}  // namespace culvert
