#include "culvert/portal/address_pool.h"

#include <vector>

#include <gtest/gtest.h>

#include "culvert/portal/tunnel_addresses.h"

namespace culvert::portal {
namespace {

using net::Family;

constexpr std::size_t kAll = kLastTunnelOffset - kFirstTunnelOffset + 1;

TEST(AddressPool, GivesEveryAddressOnceAndThenOnlyWhatIsReleased) {
    auto rng = Rng::from_number(3);
    AddressPool pool;
    std::vector<bool> given(kLastTunnelOffset + 2);
    for (std::size_t i = 0; i < kAll; ++i) {
        const auto address = pool.take(Family::kIpv4, rng);
        ASSERT_TRUE(address) << i;
        const auto offset = tunnel_offset(*address);
        ASSERT_TRUE(offset) << address->to_string();
        ASSERT_FALSE(given[*offset]) << address->to_string();
        given[*offset] = true;
    }
    EXPECT_FALSE(pool.take(Family::kIpv4, rng));
    EXPECT_EQ(pool.free_count(Family::kIpv4), 0U);
    EXPECT_EQ(pool.free_count(Family::kIpv6), kAll);

    for (const auto offset : {kFirstTunnelOffset, 63U, 64U, 4095U, 4096U, 1'000'000U, kLastTunnelOffset}) {
        const auto address = tunnel_address(Family::kIpv4, offset);
        for (int i = 0; i < 20; ++i) {
            pool.release(address);
            EXPECT_EQ(pool.take(Family::kIpv4, rng), address) << offset;
        }
    }
}

/// Against the dumbest possible model: a set of what is taken, searched upwards from where the pool's random number
/// falls, then downwards.
TEST(AddressPool, AgreesWithASearchOneByOne) {
    auto rng = Rng::from_number(5);
    auto same = rng;
    AddressPool pool;
    std::vector<bool> taken(kLastTunnelOffset + 2);
    std::size_t count = 0;
    // A crowded end of the range, so that searches go both ways.
    for (auto offset = kLastTunnelOffset; offset > kLastTunnelOffset - 100'000; --offset) {
        pool.mark_taken(tunnel_address(Family::kIpv4, offset));
        taken[offset] = true;
        ++count;
    }
    for (int i = 0; i < 500; ++i) {
        auto offset = kFirstTunnelOffset + static_cast<std::uint32_t>(same.below(kAll));
        const auto start = offset;
        while (offset <= kLastTunnelOffset && taken[offset]) {
            ++offset;
        }
        if (offset > kLastTunnelOffset) {
            offset = start;
            while (taken[offset]) {
                --offset;
            }
        }
        taken[offset] = true;
        ++count;
        ASSERT_EQ(pool.take(Family::kIpv4, rng), tunnel_address(Family::kIpv4, offset));
        if (i % 3 == 0) {
            pool.release(tunnel_address(Family::kIpv4, offset));
            taken[offset] = false;
            --count;
        }
        if (i % 7 == 0) {
            // Both are no news.
            pool.mark_taken(tunnel_address(Family::kIpv4, kLastTunnelOffset));
            pool.release(*net::IpAddress::parse("100.64.0.1"));
        }
        ASSERT_EQ(pool.free_count(Family::kIpv4), kAll - count);
    }
}

}  // namespace
}  // namespace culvert::portal
