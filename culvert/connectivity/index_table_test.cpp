#include "culvert/connectivity/index_table.h"

#include <map>

#include <gtest/gtest.h>

namespace culvert::connectivity {
namespace {

/// Connections are only compared by address here.
Connection& fake(std::uint32_t n) {
    return *reinterpret_cast<Connection*>(static_cast<std::uintptr_t>(n + 1) * 64);
}

TEST(IndexTable, AgreesWithAMap) {
    auto rng = Rng::from_number(3);
    IndexTable table;
    std::map<std::uint32_t, std::uint32_t> model;
    for (std::uint32_t i = 0; i < 50'000; ++i) {
        // Few distinct homes, so that runs collide and wrap around.
        const auto index = static_cast<std::uint32_t>(rng.below(64) * 16384 + rng.below(8) + 60);
        if (const auto found = model.find(index); found != model.end()) {
            ASSERT_EQ(table.find(index), &fake(found->second));
            table.erase(index);
            model.erase(found);
        } else {
            ASSERT_EQ(table.find(index), nullptr);
            table.insert(index, fake(i));
            model.emplace(index, i);
        }
        ASSERT_EQ(table.size(), model.size());
    }
    for (const auto& [index, n] : model) {
        EXPECT_EQ(table.find(index), &fake(n));
    }
}

TEST(IndexTable, AllocatesDistinctIndicesOf24Bits) {
    auto rng = Rng::from_number(4);
    IndexTable table;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        const auto index = table.allocate(rng);
        ASSERT_LT(index, 1U << 24);
        ASSERT_EQ(table.find(index), nullptr);
        table.insert(index, fake(i));
    }
    EXPECT_EQ(table.size(), 10'000U);
}

}  // namespace
}  // namespace culvert::connectivity
