// culvert-simulate: the simulator for people. See --help and docs/simulation.md.

#include <fmt/format.h>
#include <chrono>
#include <cstdio>

#include "model/choice/choice_source.h"
#include "model/run/case.h"
#include "model/run/trace.h"
#include "model/scenario/decode.h"

using namespace culvert;
using namespace culvert::model;

int main(int argc, char** argv) {
    const auto first = argc > 1 ? std::stoull(argv[1]) : 1;
    const auto count = argc > 2 ? std::stoull(argv[2]) : 1;
    const bool is_traced = argc > 3;
    DecodeOptions options;
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t datagrams = 0;
    for (auto seed = first; seed < first + count; ++seed) {
        auto rng = Rng::from_number(seed);
        const auto bytes = ChoiceSource::random_bytes(rng, 2048);
        const auto scenario = decode(bytes, options);
        TraceWriter writer{[](const std::string& line) { fmt::print("{}\n", line); }};
        CaseOptions case_options;
        if (is_traced) {
            case_options.observers.push_back(&writer);
            case_options.log_level = log::Level::kDebug;
        }
        const auto result = run_case(scenario, case_options);
        datagrams += result.datagrams;
        for (const auto& violation : result.verdict.violations()) {
            fmt::print("seed {} {} {} {}\n", seed, violation.invariant, time_text(violation.at), violation.text);
        }
        fmt::print("seed {} steps {} datagrams {} simulated {} s hash {:x}\n", seed, scenario.steps.size(),
                   result.datagrams, result.simulated / std::chrono::seconds{1}, result.trace_hash);
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    fmt::print("{} cases in {:.2f} s = {:.1f}/s, {} datagrams\n", count, wall.count(),
               static_cast<double>(count) / wall.count(), datagrams);
}
