#include "tests/model/run/coverage.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "tests/model/scenario/features.h"

namespace culvert::model {
namespace {

/// Invariants of docs/invariants.md that every sufficiently long run must have checked.
constexpr auto kInvariants = std::to_array<std::string_view>(
    {"CON-1",  "CON-2",  "CON-3", "CON-6", "DET-3", "DET-4", "DET-5", "LIV-1", "LIV-2", "LIV-3",
     "LIV-4",  "LIV-5",  "LIV-9", "PRO-1", "PRO-2", "PRO-3", "RES-1", "RES-2", "RES-3", "RES-4",
     "SEC-1",  "SEC-2",  "SEC-3", "SEC-4", "SEC-5", "SEC-6", "SEC-7", "SEC-8", "SEC-9", "SEC-10",
     "SEC-11", "SEC-12", "STA-1", "STA-2", "STA-3", "STA-4", "STA-5"});

/// What must have come of actions and of time that passes, in a run that is long enough for every kind of action.
constexpr auto kOutcomes =
    std::to_array<std::string_view>({"congestion experienced", "expiry judged by a clock that is wrong", "relay full",
                                     "wire: channel bound anew after it expired", "wire: channel renewed"});

std::vector<std::string_view> required_features(std::uint64_t cases) {
    auto features = all_action_features();
    std::erase(features, features_of(Expect{}).front());  // for scripts only
    features.emplace_back("transfer complete");
    if (cases >= kCasesForKinds) {
        std::ranges::copy(all_kind_features(), std::back_inserter(features));
        std::ranges::copy(kOutcomes, std::back_inserter(features));
    }
    return features;
}

/// Of the packets whose fate is predicted, at least so many per cent must have been sent in the calm, where it is
/// judged: an excuse for everything would excuse everything.
constexpr std::uint64_t kLeastJudged = 25;

std::uint64_t count_of(const Verdict::Counters& counters, std::string_view name) {
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
}

}  // namespace

std::vector<std::string> find_gaps(const Verdict& total, std::uint64_t cases) {
    std::vector<std::string> gaps;
    if (cases < kCasesForCoverage) {
        return gaps;
    }
    for (const auto invariant : kInvariants) {
        if (count_of(total.checks(), invariant) == 0) {
            gaps.push_back(fmt::format("invariant {} was never checked", invariant));
        }
    }
    for (const auto& feature : required_features(cases)) {
        if (count_of(total.features(), feature) == 0) {
            gaps.push_back(fmt::format("\"{}\" never happened", feature));
        }
    }
    const auto judged = count_of(total.features(), "probe judged");
    const auto not_judged = count_of(total.features(), "probe in a disturbed world") +
                            count_of(total.features(), "probe lost in a disturbed world");
    if (100 * judged < kLeastJudged * (judged + not_judged)) {
        gaps.push_back(fmt::format("only {} of {} predicted packets were judged", judged, judged + not_judged));
    }
    return gaps;
}

std::string coverage_table(const Verdict& total) {
    std::string text;
    const auto add = [&](std::string_view title, const Verdict::Counters& counters) {
        text += fmt::format("{}\n", title);
        for (const auto& [name, count] : counters) {
            text += fmt::format("  {:<44} {:>12}\n", name, count);
        }
    };
    add("checked", total.checks());
    add("exercised", total.features());
    add("excused", total.tolerances());
    return text;
}

}  // namespace culvert::model
