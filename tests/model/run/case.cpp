#include "model/run/case.h"

#include "model/observer/judge.h"
#include "model/run/trace.h"
#include "model/wire/wire_checker.h"
#include "model/world/world.h"

namespace culvert::model {

CaseResult run_case(const Scenario& scenario, const CaseOptions& options) {
    TraceHash hash;
    Judge judge{scenario.setup};
    WireChecker wire{scenario.setup};
    std::vector<Observer*> observers{&hash, &judge, &wire};
    observers.insert(observers.end(), options.observers.begin(), options.observers.end());

    World world{scenario, observers, options.log_level};
    const auto begin = world.now();
    world.run([&] {
        return !options.stops_at_violation || (world.verdict().violations().empty() && !judge.has_found_violations());
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
