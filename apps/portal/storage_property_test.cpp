// Drives the storage of simulations and the one of the product with the same random history: whatever can be seen of
// them must be the same after every step.

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "apps/portal/sqlite_storage.h"
#include "apps/portal/storage_history.h"
#include "culvert/portal/memory_storage.h"

namespace culvert::portal {
namespace {

constexpr std::uint64_t kSeeds = 24;
constexpr std::size_t kSteps = 400;

std::string result_of(const Operation& operation, Storage& storage) {
    try {
        return operation(storage);
    } catch (const StorageError&) {
        return "storage error";
    } catch (const Undo&) {
        return "undone";
    }
}

class StorageProperty : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StorageProperty, MemoryAndSqliteCannotBeToldApart) {
    History history{GetParam()};
    auto memory_rng = history.storage_rng();
    auto sqlite_rng = history.storage_rng();
    MemoryStorage memory{memory_rng};
    portal_server::SqliteStorage sqlite{":memory:", sqlite_rng};
    EXPECT_EQ(memory.token_keys().key_base, sqlite.token_keys().key_base);

    std::string steps;
    for (std::size_t i = 0; i < kSteps; ++i) {
        const auto step = history.next();
        steps += std::to_string(i) + "  " + step.name;
        ASSERT_EQ(result_of(step.operation, memory), result_of(step.operation, sqlite))
            << "seed " << GetParam() << ", steps:\n"
            << steps;
        ASSERT_EQ(history.observe(memory), history.observe(sqlite)) << "seed " << GetParam() << ", steps:\n" << steps;
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StorageProperty, testing::Range(std::uint64_t{1}, kSeeds + 1));

/// The histories get where storages could differ.
TEST(StorageHistory, ReachesEveryKindOfResult) {
    std::map<std::string, int> seen;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        History history{seed};
        auto rng = history.storage_rng();
        MemoryStorage storage{rng};
        for (std::size_t i = 0; i < kSteps; ++i) {
            const auto step = history.next();
            const auto result = result_of(step.operation, storage);
            ++seen[step.name.substr(0, step.name.find(' ')) + ": " + result.substr(0, result.find(' '))];
        }
    }
    for (const auto* const kind :
         {"put: ", "put: storage", "erase: ", "erase: yes", "erase: no", "insert: no", "insert,: yes", "revoke: yes",
          "revoke: no", "register: client", "register: gateway", "register: relay", "register: error",
          "transaction: undone", "transaction: storage"}) {
        EXPECT_GT(seen[kind], 10) << kind;
    }
}

}  // namespace
}  // namespace culvert::portal
