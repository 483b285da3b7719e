#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "culvert/observability/log_capture.h"

namespace culvert::model {

/// Runs histories of a world of its own, as `culvert-simulate-… [FIRST-SEED [CASES]]` does, and prints those that fail;
/// of a single case what the programs say as well. Returns what main() is to return.
///
/// A World is made of a seed, and has step(), settle(), note(line), history(), violations() and counts(), which says
/// how much was tried: pairs of a number and what it counts.
template <typename World>
class SmallWorld {
public:
    static int main(int argc, char** argv) {
        const auto number = [&](int index) {
            return index < argc ? std::strtoull(argv[index], nullptr, 10) : std::uint64_t{1};
        };
        const auto first = number(1);
        SmallWorld all{number(2) == 1 ? log::Level::kTrace : log::Level::kError};
        for (auto seed = first; seed < first + number(2); ++seed) {
            all.run(seed);
        }
        fmt::print("{} cases, {} failures", all.cases_, all.failures_);
        for (const auto& [count, name] : all.counts_) {
            fmt::print("; {} {}", count, name);
        }
        fmt::print("\n");
        return all.cases_ == 0 || all.failures_ > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }

private:
    static constexpr unsigned kSteps = 150;

    explicit SmallWorld(log::Level level) : level_{level} {}

    void run(std::uint64_t seed) {
        World world{seed};
        const log::CaptureScope capture{level_, [&](log::Level, std::string_view target, std::string_view message,
                                                    const std::vector<log::TextField>& fields) {
                                            std::string line = fmt::format("{}: {}", target, message);
                                            for (const auto& field : fields) {
                                                line += fmt::format(" {}={}", field.key, field.value);
                                            }
                                            world.note(line);
                                        }};
        for (unsigned i = 0; i < kSteps && world.violations().empty(); ++i) {
            world.step();
        }
        if (world.violations().empty()) {
            world.settle();
        }
        ++cases_;
        add(world.counts());
        if (world.violations().empty()) {
            return;
        }
        ++failures_;
        fmt::print("seed {}\n{}", seed, world.history());
        for (const auto& violation : world.violations()) {
            fmt::print("FAILED: {}\n", violation);
        }
    }

    void add(const std::vector<std::pair<std::uint64_t, std::string_view>>& counts) {
        counts_.resize(counts.size());
        for (std::size_t i = 0; i < counts.size(); ++i) {
            counts_[i].first += counts[i].first;
            counts_[i].second = counts[i].second;
        }
    }

    log::Level level_;
    unsigned cases_ = 0;
    unsigned failures_ = 0;
    std::vector<std::pair<std::uint64_t, std::string_view>> counts_;
};

}  // namespace culvert::model
