#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "culvert/base/base64.h"
#include "culvert/base/bytes.h"
#include "culvert/base/hash_salt.h"
#include "culvert/base/rng.h"
#include "culvert/base/snapshot.h"
#include "culvert/base/uuid.h"

namespace culvert {
namespace {

TEST(Bytes, HexRoundTripsAndRejectsGarbage) {
    EXPECT_EQ(to_hex(*from_hex("00ffA0")), "00ffa0");
    EXPECT_FALSE(from_hex("0"));
    EXPECT_FALSE(from_hex("0g"));
}

TEST(Bytes, LoadsBothByteOrders) {
    const auto bytes = *from_hex("0102030405060708");
    EXPECT_EQ(load_be<std::uint16_t>(bytes), 0x0102);
    EXPECT_EQ(load_le<std::uint32_t>(bytes), 0x04030201U);
    EXPECT_EQ(load_be<std::uint64_t>(bytes), 0x0102030405060708U);
}

// RFC 4648 section 10.
TEST(Base64, EncodesThePublishedVectors) {
    EXPECT_EQ(to_base64(as_bytes("")), "");
    EXPECT_EQ(to_base64(as_bytes("f")), "Zg==");
    EXPECT_EQ(to_base64(as_bytes("fo")), "Zm8=");
    EXPECT_EQ(to_base64(as_bytes("foo")), "Zm9v");
    EXPECT_EQ(to_base64(as_bytes("foobar")), "Zm9vYmFy");
    EXPECT_EQ(to_base64(as_bytes("f"), Base64::kStandardNoPadding), "Zg");
    EXPECT_EQ(to_base64(*from_hex("fbff"), Base64::kUrlNoPadding), "-_8");
}

TEST(Base64, DecodesOnlyTheExactVariant) {
    EXPECT_EQ(as_text(*from_base64("Zm9vYg==")), "foob");
    EXPECT_FALSE(from_base64("Zm9vYg"));
    EXPECT_FALSE(from_base64("Zm9vYg=", Base64::kStandard));
    EXPECT_FALSE(from_base64("Zm9vYh=="));  // non-zero trailing bits
    EXPECT_FALSE(from_base64("Zm9 "));
    EXPECT_FALSE(from_base64("Zg==", Base64::kStandardNoPadding));
    EXPECT_FALSE(from_base64("+_8", Base64::kUrlNoPadding));
    EXPECT_FALSE(from_base64("===="));
}

TEST(Uuid, ParsesOnlyTheHyphenatedForm) {
    const auto id = Uuid::parse("3F9F2B1E-6c0d-4a55-9d1c-0b8a7f4e2d10");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->to_string(), "3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
    EXPECT_FALSE(Uuid::parse("3f9f2b1e6c0d4a559d1c0b8a7f4e2d10"));
    EXPECT_FALSE(Uuid::parse("3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d1g"));
    EXPECT_FALSE(Uuid::parse("3f9f2b1e-6c0d-4a55-9d1c_0b8a7f4e2d10"));
}

TEST(Uuid, RandomIsVersion4) {
    auto rng = Rng::from_number(1);
    const auto text = Uuid::random(rng).to_string();
    EXPECT_EQ(text[14], '4');
    EXPECT_NE(std::string{"89ab"}.find(text[19]), std::string::npos);
}

TEST(HashSalt, ChangesHashesWhereNothingMayDependOnThem) {
    const auto id = *Uuid::parse("3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
    const auto hash_with = [&](std::size_t salt) {
        set_hash_salt(salt);
        return std::hash<Uuid>{}(id);
    };
    const auto one = hash_with(1);
    EXPECT_EQ(hash_with(2) != one, kHashesAreSalted);
    EXPECT_EQ(hash_with(1), one);
}

TEST(Snapshot, WritesLinesWithFieldsRelativeToNow) {
    const Instant now{std::chrono::seconds{5}};
    Snapshot out{now};
    out.line("outer").field("flag", true).field("at", now - std::chrono::nanoseconds{3}).nested([&] {
        out.line("inner").field("never", std::optional<Instant>{}).field("text", "a\nb");
    });
    out.line("last").field("number", 7);

    EXPECT_EQ(out.text(), "outer flag=yes at=-3ns\n  inner never=- text=a b\nlast number=7");
}

// Computed with `openssl enc -chacha20`: the first block makes two keys, of drawing and of children; each further one
// the next key of drawing and 32 bytes of output.
TEST(Rng, IsChaCha20ThatReplacesItsKeyWithEveryBlock) {
    Rng rng{Rng::Seed{}};
    Bytes out(96);
    rng.fill(MutableByteSpan{out}.first(7));
    rng.fill(MutableByteSpan{out}.subspan(7));
    EXPECT_EQ(to_hex(out),
              "10656e6ea47eb8254a8dcd93550ac61f6d07d514efea4aca6651fdf24ea7f209"
              "9e40885194d1398885144b65b30c3e21815a77c33b1d507b7c8211229642357a"
              "c8a1bf5c91f9328e8c0bec3937549eb7802c039d470e8e2812694c8791e1bf3a");
}

TEST(Rng, BelowStaysBelowAndReachesEverything) {
    auto rng = Rng::from_number(7);
    std::array<int, 5> seen{};
    for (int i = 0; i < 1000; ++i) {
        ++seen.at(rng.below(5));
    }
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int count) { return count > 100; }));
}

TEST(Rng, ChildrenDependOnSeedAndNameOnly) {
    const auto fresh = Rng::from_number(3);
    auto drawn_from = Rng::from_number(3);
    (void)drawn_from.array<100>();

    const auto first = [](Rng rng) { return rng.next_u64(); };
    EXPECT_EQ(first(fresh.child("relays")), first(drawn_from.child("relays")));
    EXPECT_NE(first(fresh.child("relays")), first(fresh.child("connections")));
    EXPECT_NE(first(fresh.child("relays")), first(Rng::from_number(4).child("relays")));
    EXPECT_NE(first(fresh.child("relays")), first(fresh));
    EXPECT_NE(first(fresh.child("a").child("b")), first(fresh.child("b").child("a")));
}

TEST(Rng, NoTwoNamesMakeTheSameChild) {
    const auto rng = Rng::from_number(3);
    std::set<std::uint64_t> seen{rng.child("").next_u64()};
    for (std::size_t length = 1; length <= 40; ++length) {
        seen.insert(rng.child(std::string(length, '\0')).next_u64());
        seen.insert(rng.child(std::string(length, 'a')).next_u64());
    }
    EXPECT_EQ(seen.size(), 81U);
}

TEST(Rng, MakingAChildDrawsNothing) {
    auto a = Rng::from_number(3);
    auto b = Rng::from_number(3);
    (void)a.child("relays");
    EXPECT_EQ(a.next_u64(), b.next_u64());
}

TEST(Rng, ForksAreIndependentAndReproducible) {
    auto a = Rng::from_number(3);
    auto b = Rng::from_number(3);
    auto fork = a.fork();
    EXPECT_EQ(fork.next_u64(), b.fork().next_u64());
    EXPECT_NE(fork.next_u64(), a.next_u64());
}

}  // namespace
}  // namespace culvert
