#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/model/observer/verdict.h"

/// How often rules may be relaxed: an excuse that more and more cases need hides something (spec/testing.md sections
/// 7.3 and 7.11).
namespace culvert::model {

struct Budget {
    std::string_view tolerance;
    /// Of a thousand random cases, so many may need it: about twice what was measured.
    double cases_per_thousand;
};

/// In the order of their names, all that exist.
[[nodiscard]] std::span<const Budget> budgets();

/// In how many cases of a run each tolerance was used, however often in each.
class ToleranceCount {
public:
    void add(const Verdict& of_case);

    [[nodiscard]] std::uint64_t cases() const { return cases_; }
    [[nodiscard]] const Verdict::Counters& cases_with() const { return cases_with_; }

private:
    std::uint64_t cases_ = 0;
    Verdict::Counters cases_with_;
};

/// Tolerances that have no budget, or exceeded it by more than chance explains; empty if none did. One sentence each.
[[nodiscard]] std::vector<std::string> find_overdrafts(const ToleranceCount& count);

/// Measured and permitted, as a table for a person.
[[nodiscard]] std::string budget_table(const ToleranceCount& count);

}  // namespace culvert::model
