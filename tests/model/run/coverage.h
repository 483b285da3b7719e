#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/observer/verdict.h"

/// What a run as a whole must have exercised: an invariant, action or outcome that never came up tests nothing
/// (spec/testing.md section 7.11).
namespace culvert::model {

/// What is missing from a run of many random cases; empty if nothing is. One sentence each.
[[nodiscard]] std::vector<std::string> find_gaps(const Verdict& total, std::uint64_t cases);

/// Counters of a run as a table for a person.
[[nodiscard]] std::string coverage_table(const Verdict& total);

/// Runs with fewer cases than this need not exercise everything, nor every kind of every action.
inline constexpr std::uint64_t kCasesForCoverage = 1000;
inline constexpr std::uint64_t kCasesForKinds = 5000;

}  // namespace culvert::model
