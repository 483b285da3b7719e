#include "tests/model/run/case.h"

#include <optional>

#include "tests/model/observer/judge.h"
#include "tests/model/run/trace.h"
#include "tests/model/wire/wire_checker.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

/// For how long a case goes on after its first violation, so that a report shows what came of it.
constexpr Duration kAfterViolation = std::chrono::seconds{2};

}  // namespace

CaseResult run_case(const Scenario& scenario, const CaseOptions& options) {
    TraceHash hash;
    Judge judge{scenario.setup};
    WireChecker wire{scenario.setup};
    std::vector<Observer*> observers{&hash, &judge, &wire};
    observers.insert(observers.end(), options.observers.begin(), options.observers.end());

    World world{scenario, observers, options.log_level};
    const auto begin = world.now();
    std::optional<Instant> violated_at;
    world.run([&] {
        if (!violated_at &&
            (!world.verdict().violations().empty() || judge.has_found_violations() || wire.has_found_violations())) {
            violated_at = world.now();
        }
        return !options.stops_at_violation || !violated_at || world.now() < *violated_at + kAfterViolation;
    });

    CaseResult result;
    result.verdict.add(world.verdict());
    result.verdict.add(judge.finish(world.now()));
    result.verdict.add(wire.finish(world.now()));
    result.datagrams = world.datagrams();
    result.trace_hash = hash.value();
    result.simulated = world.now() - begin;
    result.snapshot = world.snapshot();
    return result;
}

}  // namespace culvert::model
