#include "culvert/crypto/secret.h"

#include <algorithm>
#include <memory>
#include <new>
#include <optional>

#include <gtest/gtest.h>

namespace culvert::crypto {
namespace {

constexpr std::byte kMark{0xa5};

/// Lets an object live in a place that can be looked at afterwards.
template <typename T>
class Grave {
public:
    template <typename... Arguments>
    T& bear(const Arguments&... arguments) {
        return *(object_ = new (place_.data()) T{arguments...});
    }
    void bury() { std::destroy_at(object_); }

    [[nodiscard]] std::size_t marks() const {
        const volatile std::byte* const bytes = place_.data();
        std::size_t count = 0;
        for (std::size_t i = 0; i < place_.size(); ++i) {
            count += bytes[i] == kMark ? 1U : 0U;
        }
        return count;
    }

private:
    alignas(T) std::array<std::byte, sizeof(T)> place_{};
    T* object_ = nullptr;
};

Secret<32> marked() {
    Secret<32> secret;
    std::ranges::fill(secret.reveal(), kMark);
    return secret;
}

TEST(Secret, LeavesNothingBehind) {
    Grave<Secret<32>> grave;
    grave.bear(marked());
    ASSERT_EQ(grave.marks(), 32U);
    grave.bury();
    EXPECT_EQ(grave.marks(), 0U);
}

TEST(Secret, LeavesNothingBehindWhereAContainerMovedItFrom) {
    Grave<std::optional<Secret<32>>> grave;
    auto& secret = grave.bear(marked());
    ASSERT_EQ(grave.marks(), 32U);
    const auto moved = std::move(secret);
    secret.reset();
    EXPECT_EQ(grave.marks(), 0U);
    EXPECT_EQ(moved, marked());
}

TEST(Secret, AnotherValueReplacesTheWholeOne) {
    Grave<Secret<32>> grave;
    grave.bear(marked()) = Secret<32>{};
    EXPECT_EQ(grave.marks(), 0U);
}

TEST(Secret, RandomOnesAreWhatTheGeneratorYields) {
    auto a = Rng::from_number(1);
    auto b = Rng::from_number(1);
    const auto secret = Secret<32>::random(a);
    EXPECT_EQ(secret, Secret<32>{b.array<32>()});
    EXPECT_NE(secret, Secret<32>::random(a));
}

TEST(Secret, ComparesLengthsAndBytes) {
    const Bytes a(4, kMark);
    EXPECT_TRUE(equal_constant_time(a, Bytes(4, kMark)));
    EXPECT_FALSE(equal_constant_time(a, Bytes(5, kMark)));
    EXPECT_FALSE(equal_constant_time(a, Bytes(4)));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace culvert::crypto
