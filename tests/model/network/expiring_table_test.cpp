#include "tests/model/network/expiring_table.h"

#include <algorithm>
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"

namespace culvert::model {
namespace {

TEST(ExpiringTable, AgreesWithAMapThatIsSearchedFromEndToEnd) {
    constexpr Duration kLifetime{100};
    constexpr std::size_t kLimit = 8;
    auto rng = Rng::from_number(42);
    ExpiringTable<std::uint64_t, int> table{kLifetime, kLimit};
    std::map<std::uint64_t, std::pair<int, Instant>> model;
    Instant now{};

    for (int i = 0; i < 20'000; ++i) {
        now += Duration{1 + rng.below(20)};
        std::erase_if(model, [&](const auto& entry) { return now - entry.second.second >= kLifetime; });
        const auto key = rng.below(20);
        const auto known = model.find(key);

        const auto* found = table.find(key, now);
        ASSERT_EQ(found != nullptr, known != model.end());
        if (found != nullptr) {
            ASSERT_EQ(*found, known->second.first);
        }

        if (rng.below(2) == 0) {
            ASSERT_EQ(table.refresh(key, now) != nullptr, known != model.end());
            if (known != model.end()) {
                known->second.second = now;
            }
        } else {
            if (known == model.end() && model.size() == kLimit) {
                model.erase(std::ranges::min_element(model, {}, [](const auto& entry) { return entry.second.second; }));
            }
            table.insert(key, i, now);
            model[key] = {i, now};
        }
        std::size_t alive = 0;
        table.for_each(now, [&](std::uint64_t, int) { ++alive; });
        ASSERT_EQ(alive, model.size());
    }
}

}  // namespace
}  // namespace culvert::model
