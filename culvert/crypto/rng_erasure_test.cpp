// What somebody learns who reads the memory of a generator (base/rng.h), with an independent ChaCha20 to try with.

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <gtest/gtest.h>
#include <sodium/crypto_stream_chacha20.h>

#include "culvert/base/rng.h"

namespace culvert {
namespace {

using Image = std::array<std::byte, sizeof(Rng)>;

Image memory_of(const Rng& rng) {
    Image image;
    std::memcpy(image.data(), static_cast<const void*>(&rng), image.size());
    return image;
}

bool contains(ByteSpan haystack, ByteSpan needle) {
    return as_text(haystack).find(as_text(needle)) != std::string_view::npos;
}

/// `blocks` blocks of key stream, from each value that the last word of the nonce can sensibly have.
Bytes key_stream(ByteSpan key, std::uint32_t last_word, std::size_t blocks) {
    std::array<unsigned char, 12> nonce{};
    std::memcpy(nonce.data() + 8, &last_word, sizeof last_word);
    Bytes out(64 * blocks);
    crypto_stream_chacha20_ietf(reinterpret_cast<unsigned char*>(out.data()), out.size(), nonce.data(),
                                reinterpret_cast<const unsigned char*>(key.data()));
    return out;
}

/// Whether anything that was drawn can be found in the generator's memory, or made again from it.
bool betrays(const Image& image, ByteSpan drawn) {
    constexpr std::size_t kPiece = 8;
    for (std::size_t at = 0; at + kPiece <= drawn.size(); ++at) {
        if (contains(image, drawn.subspan(at, kPiece))) {
            return true;
        }
    }
    for (std::size_t at = 0; at + 32 <= image.size(); ++at) {
        for (const std::uint32_t last_word : {0U, 1U, ~0U}) {
            const auto stream = key_stream(ByteSpan{image}.subspan(at, 32), last_word, 64);
            for (std::size_t piece = 0; piece + kPiece <= drawn.size(); piece += kPiece) {
                if (contains(stream, drawn.subspan(piece, kPiece))) {
                    return true;
                }
            }
        }
    }
    return false;
}

TEST(RngErasure, TheMemoryOfAGeneratorDoesNotSayWhatItYielded) {
    // Ends in the middle of a block, at the end of one, and at the start of the next.
    for (const std::size_t size : {20U, 32U, 40U, 200U, 1000U}) {
        auto rng = Rng::from_number(size);
        Bytes drawn(size);
        rng.fill(drawn);
        EXPECT_FALSE(betrays(memory_of(rng), drawn)) << size << " bytes";
    }
}

TEST(RngErasure, NorWhatItsForksYielded) {
    auto rng = Rng::from_number(1);
    Bytes drawn(64);
    rng.fork().fill(drawn);
    EXPECT_FALSE(betrays(memory_of(rng), drawn));
}

TEST(RngErasure, NorWhatOthersYieldWithTheSameSeed) {
    Rng::Seed seed{};
    seed[0] = std::byte{9};
    Rng rng{seed};
    EXPECT_FALSE(contains(memory_of(rng), ByteSpan{seed}.first(8)));
}

TEST(RngErasure, TheAttackWorksOnWhatWillBeDrawn) {
    auto rng = Rng::from_number(1);
    (void)rng.array<32>();
    const auto image = memory_of(rng);
    const auto next = rng.array<32>();
    EXPECT_TRUE(betrays(image, next));
}

TEST(RngErasure, NothingIsLeftOfAGeneratorThatIsGone) {
    alignas(Rng) Image place;
    auto* const rng = new (place.data()) Rng{Rng::from_number(1)};
    (void)rng->next_u32();
    const auto before = memory_of(*rng);
    ASSERT_TRUE(std::ranges::any_of(ByteSpan{before}.first(32), [](std::byte b) { return b != std::byte{0}; }));
    std::destroy_at(rng);

    const volatile std::byte* const left = place.data();
    for (std::size_t at = 0; at < 96; ++at) {  // two keys and what was ready
        const std::byte value = left[at];
        EXPECT_EQ(value, std::byte{0}) << "at " << at;
    }
}

TEST(RngErasure, AgreesWithAnotherChaCha20) {
    Rng::Seed seed;
    std::ranges::fill(seed, std::byte{0x5a});
    auto key = key_stream(seed, ~0U, 1);
    Bytes expected;
    for (int i = 0; i < 100; ++i) {
        key = key_stream(ByteSpan{key}.first(32), 0, 1);
        append(expected, ByteSpan{key}.subspan(32));
    }
    Rng rng{seed};
    Bytes drawn(expected.size());
    auto sizes = Rng::from_number(1);
    for (MutableByteSpan rest{drawn}; !rest.empty();) {
        const auto size = std::min<std::size_t>(rest.size(), 1 + sizes.below(70));
        rng.fill(rest.first(size));
        rest = rest.subspan(size);
    }
    EXPECT_EQ(drawn, expected);
}

}  // namespace
}  // namespace culvert
