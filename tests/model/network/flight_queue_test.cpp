#include "tests/model/network/flight_queue.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/base/testing/repetitions.h"

namespace culvert::model {
namespace {

TEST(FlightQueue, AgreesWithAStableSort) {
    auto rng = Rng::from_number(42);
    FlightQueue<int> queue;
    std::vector<std::tuple<Instant, std::uint64_t, int>> model;

    for (int i = 0; i < repetitions(5000); ++i) {
        const Instant at{Duration{rng.below(10)}};
        const auto tie = rng.below(3);
        queue.push(at, tie, i);
        model.emplace_back(at, tie, i);
        if (rng.below(3) != 0) {
            // The last element is the serial number, which makes any sort a stable one.
            const auto first = std::ranges::min_element(model);
            ASSERT_EQ(queue.next_time(), std::get<Instant>(*first));
            ASSERT_EQ(queue.pop(), std::get<int>(*first));
            model.erase(first);
        }
    }
    std::ranges::sort(model);
    for (const auto& [at, tie, serial] : model) {
        ASSERT_EQ(queue.pop(), serial);
    }
    EXPECT_FALSE(queue.next_time());
}

}  // namespace
}  // namespace culvert::model
