#include "apps/portal/unread_output.h"

#include <chrono>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "apps/portal/constants.h"
#include "culvert/base/rng.h"

namespace culvert::portal_server {
namespace {

using portal::SessionId;
using std::chrono::seconds;

constexpr std::size_t kMiB = std::size_t{1} << 20U;

class UnreadOutputTest : public testing::Test {
protected:
    void set(std::uint64_t session, const Uuid& owner, std::size_t bytes) {
        unread_.set(SessionId{session}, owner, bytes, now_);
        now_ += seconds{1};
    }
    /// Cuts off whoever has to go, as the server does.
    std::vector<std::uint64_t> cut_off(const Uuid& owner) {
        std::vector<std::uint64_t> gone;
        while (const auto surplus = unread_.surplus(owner)) {
            gone.push_back(static_cast<std::uint64_t>(surplus->session));
            unread_.remove(surplus->session);
        }
        return gone;
    }

    Rng rng_ = Rng::from_number(1);
    Uuid alice_ = Uuid::random(rng_);
    Uuid bob_ = Uuid::random(rng_);
    UnreadOutput unread_;
    Instant now_{seconds{100}};
};

TEST_F(UnreadOutputTest, OfAnOwnerIsTakenFromWhoHasReadNothingForLongest) {
    set(1, bob_, 16 * kMiB);  // the oldest of all, but not this owner's
    for (std::uint64_t session = 2; session <= 9; ++session) {
        set(session, alice_, 8 * kMiB);
    }
    EXPECT_TRUE(cut_off(alice_).empty()) << "just as much as an owner may have";
    set(2, alice_, 7 * kMiB);  // it reads
    set(10, alice_, 8 * kMiB);

    EXPECT_EQ(cut_off(alice_), std::vector<std::uint64_t>{3});
    set(11, alice_, 20 * kMiB);
    EXPECT_EQ(cut_off(alice_), (std::vector<std::uint64_t>{4, 5, 6})) << "no more of them than must";
    EXPECT_TRUE(cut_off(bob_).empty());
}

TEST_F(UnreadOutputTest, WhoIsSentMoreWithoutReadingWaitsOn) {
    set(1, alice_, 1 * kMiB);
    set(2, alice_, 1 * kMiB);
    set(1, alice_, 40 * kMiB);
    set(2, alice_, 40 * kMiB);
    EXPECT_EQ(cut_off(alice_), std::vector<std::uint64_t>{1});
}

TEST_F(UnreadOutputTest, WhoHadReadEverythingStartsAnew) {
    set(1, alice_, 1 * kMiB);
    set(2, alice_, 40 * kMiB);
    set(1, alice_, 0);
    set(1, alice_, 40 * kMiB);
    EXPECT_EQ(cut_off(alice_), std::vector<std::uint64_t>{2});
}

TEST_F(UnreadOutputTest, OfAllIsTakenFromWhoTakesUpMost) {
    std::vector<Uuid> owners;
    std::uint64_t session = 0;
    for (int i = 0; i < 4; ++i) {
        owners.push_back(Uuid::random(rng_));
        for (int j = 0; j < 3; ++j) {
            set(++session, owners.back(), (20 + static_cast<std::size_t>(i == 2)) * kMiB);
        }
    }
    set(++session, alice_, 13 * kMiB);
    EXPECT_TRUE(cut_off(alice_).empty()) << "as much as there may be";
    set(++session, bob_, 1);
    EXPECT_EQ(cut_off(bob_), std::vector<std::uint64_t>{7}) << "the first of the third owner";
    EXPECT_LE(unread_.total(), kMaxUnread);
}

TEST_F(UnreadOutputTest, AnOwnerIsCrowdedUntilHalfOfHisIsFree) {
    set(1, alice_, kCrowdedUnread + 1);
    EXPECT_TRUE(unread_.is_crowded(alice_));
    EXPECT_FALSE(unread_.is_crowded(bob_));
    set(1, alice_, kCrowdedUnread);
    EXPECT_FALSE(unread_.is_crowded(alice_));
}

TEST_F(UnreadOutputTest, WaitsForWhoHasNotReadAllOnly) {
    set(1, alice_, kCrowdedUnread + 1);
    set(2, alice_, 1);
    set(2, alice_, 0);
    EXPECT_TRUE(unread_.is_waiting(SessionId{1}));
    EXPECT_FALSE(unread_.is_waiting(SessionId{2})) << "though its owner is crowded";
}

TEST_F(UnreadOutputTest, ThatIsForgottenLeavesNothing) {
    set(1, alice_, kMiB);
    unread_.remove(SessionId{1});
    unread_.remove(SessionId{1});
    set(1, alice_, 0);
    EXPECT_EQ(unread_.total(), 0U);
    EXPECT_FALSE(unread_.is_crowded(alice_));
}

}  // namespace
}  // namespace culvert::portal_server
