// culvert-simulate: the simulator for people and for scripts/test. See --help and docs/simulation.md.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tests/model/choice/choice_source.h"
#include "tests/model/run/case.h"
#include "tests/model/run/coverage.h"
#include "tests/model/run/report.h"
#include "tests/model/run/trace.h"
#include "tests/model/scenario/decode.h"
#include "tests/model/scenario/script.h"

namespace culvert::model {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::optional<std::uint64_t> seed;
    std::vector<std::string> files;
    double minutes = 0;
    std::uint64_t cases = 0;
    bool prints_script = false;
    bool prints_trace = false;
    bool prints_coverage = false;
    bool shrinks = true;
    bool runs_twice = false;
    bool keeps_going = false;
    unsigned max_shrink_runs = 400;
    std::vector<std::string> without;
};

/// What all cases of a run add up to.
struct Totals {
    std::uint64_t cases = 0;
    std::uint64_t failed = 0;
    std::uint64_t datagrams = 0;
    Duration simulated{};
    /// Of all traces: the same in every run of the same cases, wherever and however the simulator was built.
    std::uint64_t trace = 0;
    Verdict verdict;
};

DecodeOptions decode_options(const Options& options) {
    const auto is_wanted = [&](const char* kind) {
        return std::ranges::find(options.without, kind) == options.without.end();
    };
    return {.faults = is_wanted("faults"),
            .attacks = is_wanted("attacks"),
            .admin = is_wanted("admin"),
            .processes = is_wanted("processes")};
}

Scenario random_scenario(std::uint64_t seed, const Options& options) {
    auto rng = Rng::from_number(seed);
    return decode(ChoiceSource::random_bytes(rng, kMaxDecodedBytes), decode_options(options));
}

/// A script, or a byte string for decode(). Ends the program if it cannot be used.
Scenario read_scenario(const std::string& path, const Options& options) {
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        fmt::print(stderr, "error: cannot read \"{}\". Give a script or a byte input of the simulator.\n", path);
        std::exit(2);
    }
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    if (!path.ends_with(".script")) {
        return decode(as_bytes(text), decode_options(options));
    }
    auto scenario = parse_script(text);
    if (!scenario) {
        fmt::print(stderr, "error: {}: {}\n", path, scenario.error());
        std::exit(2);
    }
    return *std::move(scenario);
}

void explain(const std::string& name, const Scenario& scenario, const CaseResult& result, const Options& options) {
    fmt::print("FAILED: {}\n", name);
    for (const auto& violation : result.verdict.violations()) {
        fmt::print("  t={} {}: {}\n", time_text(violation.at), violation.invariant, violation.text);
    }
    if (options.keeps_going) {
        return;
    }
    const auto smallest = options.shrinks ? minimise(scenario, result, options.max_shrink_runs) : scenario;
    fmt::print("{}\n{}\n", options.shrinks ? "\nminimised:" : "", failure_report(smallest));
}

/// True if the case held, or the run is to go on all the same.
bool run_one(const std::string& name, const Scenario& scenario, const Options& options, Totals& totals) {
    if (options.prints_script) {
        fmt::print("{}", to_script(scenario));
    }
    TraceWriter writer{[](const std::string& line) { fmt::print("{}\n", line); }};
    CaseOptions case_options;
    if (options.prints_trace) {
        case_options.observers.push_back(&writer);
        case_options.log_level = log::Level::kDebug;
        case_options.stops_at_violation = false;
    }
    auto result = run_case(scenario, case_options);
    if (options.runs_twice) {
        case_options.observers.clear();
        const auto again = run_case(scenario, case_options);
        result.verdict.check("DET-1", again.trace_hash == result.trace_hash, Instant{},
                             [] { return "two runs of the case are not identical"; });
    }
    ++totals.cases;
    totals.datagrams += result.datagrams;
    totals.simulated += result.simulated;
    totals.trace = totals.trace * 31 + result.trace_hash;
    totals.verdict.add(result.verdict);
    if (result.has_failed()) {
        ++totals.failed;
        explain(name, scenario, result, options);
    }
    return !result.has_failed() || options.keeps_going;
}

bool run_files(const Options& options, Totals& totals) {
    for (const auto& path : options.files) {
        std::vector<std::string> found;
        if (std::filesystem::is_directory(path)) {
            for (const auto& entry : std::filesystem::directory_iterator{path}) {
                found.push_back(entry.path().string());
            }
            std::ranges::sort(found);
        } else {
            found.push_back(path);
        }
        for (const auto& file : found) {
            if (!run_one(file, read_scenario(file, options), options, totals)) {
                return false;
            }
        }
    }
    return true;
}

bool run_random(const Options& options, Totals& totals) {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double, std::ratio<60>>{options.minutes});
    const auto wanted = options.cases > 0 ? options.cases : options.minutes > 0 ? UINT64_MAX : 1;
    const auto first = options.seed.value_or(std::random_device{}());
    for (std::uint64_t i = 0; i < wanted && (options.minutes == 0 || Clock::now() < deadline); ++i) {
        const auto seed = first + i;
        if (!run_one(fmt::format("--seed {}", seed), random_scenario(seed, options), options, totals)) {
            return false;
        }
    }
    return true;
}

int run(const Options& options) {
    Totals totals;
    const auto begin = Clock::now();
    const bool wants_random = options.seed || options.cases > 0 || options.minutes > 0;
    bool has_held = run_files(options, totals);
    if (has_held && wants_random) {
        has_held = run_random(options, totals);
    }
    const std::chrono::duration<double> wall = Clock::now() - begin;
    if (options.prints_coverage) {
        fmt::print("{}", coverage_table(totals.verdict));
    }
    fmt::print("{} cases in {:.1f} s ({:.1f} per second), {} datagrams, {} hours simulated, trace {:016x}\n",
               totals.cases, wall.count(), static_cast<double>(totals.cases) / wall.count(), totals.datagrams,
               totals.simulated / std::chrono::hours{1}, totals.trace);
    if (has_held && totals.failed == 0 && options.without.empty()) {
        for (const auto& complaint : find_gaps(totals.verdict, totals.cases)) {
            fmt::print("FAILED: {}\n", complaint);
            ++totals.failed;
        }
    }
    return has_held && totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace culvert::model

int main(int argc, char** argv) {
    culvert::model::Options options;
    CLI::App app{
        "Runs the whole system under virtual time and judges it. Without options that say what to run: one "
        "random case."};
    app.add_option("--seed", options.seed, "Random case number N; with --cases or --minutes the first of many");
    app.add_option("--file", options.files, "A script (*.script), a byte input, or a folder of these");
    app.add_option("--cases", options.cases, "How many random cases to run");
    app.add_option("--minutes", options.minutes, "For how long to run random cases")->check(CLI::NonNegativeNumber);
    app.add_option("--without", options.without, "Leave out a kind of action (changes what a seed means)")
        ->check(CLI::IsMember({"faults", "attacks", "admin", "processes"}));
    app.add_flag("--script", options.prints_script, "Print each case as a script before it runs");
    app.add_flag("--trace", options.prints_trace, "Print everything that happens");
    app.add_flag("--coverage", options.prints_coverage, "Print how often everything was checked and exercised");
    app.add_flag("--twice", options.runs_twice, "Run each case twice and compare the traces");
    app.add_flag("--keep-going", options.keeps_going, "Do not stop at the first case that fails; no reports");
    app.add_flag("!--no-shrink", options.shrinks, "Report a failing case as it is");
    app.add_option("--shrink-runs", options.max_shrink_runs, "How many smaller cases to try for a failing one")
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const auto code = app.exit(error);
        return code == 0 ? 0 : 2;
    }
    if (options.files.empty() && !options.seed && options.cases == 0 && options.minutes == 0) {
        options.cases = 1;
    }
    return culvert::model::run(options);
}
