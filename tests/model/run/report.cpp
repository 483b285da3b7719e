#include "tests/model/run/report.h"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "tests/model/run/trace.h"
#include "tests/model/scenario/script.h"
#include "tests/model/shrink/shrink.h"

namespace culvert::model {
namespace {

constexpr std::size_t kTraceLines = 200;

}  // namespace

std::string failure_report(const Scenario& scenario) {
    std::deque<std::string> trace;
    TraceWriter writer{[&](const std::string& line) {
        trace.push_back(line);
        if (trace.size() > kTraceLines) {
            trace.pop_front();
        }
    }};
    CaseOptions options{.log_level = log::Level::kDebug};
    options.observers.push_back(&writer);
    const auto result = run_case(scenario, options);

    std::string text = "violations:\n";
    for (const auto& violation : result.verdict.violations()) {
        text += fmt::format("  t={} {}: {}\n", time_text(violation.at), violation.invariant, violation.text);
    }
    text += "\nthe last events:\n";
    for (const auto& line : trace) {
        text += "  " + line + "\n";
    }
    text += "\nstates:\n" + result.snapshot;
    text += "\nscript:\n" + to_script(scenario);
    return text;
}

Scenario minimise(const Scenario& failing, const CaseResult& result, unsigned max_runs) {
    const auto invariant = result.verdict.violations().front().invariant;
    return shrink(
        failing,
        [&](const Scenario& candidate) {
            const auto violations = run_case(candidate).verdict.violations();
            return !violations.empty() && violations.front().invariant == invariant;
        },
        [](std::string_view) {}, max_runs);
}

}  // namespace culvert::model
