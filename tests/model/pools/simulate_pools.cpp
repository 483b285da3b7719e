// culvert-simulate-pools [FIRST-SEED [CASES]]

#include <cstdint>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "culvert/observability/log_capture.h"
#include "tests/model/pools/pools_world.h"

namespace culvert::model::pools {
namespace {
constexpr unsigned kSteps = 150;

struct Counts {
    unsigned cases = 0;
    unsigned failures = 0;
    std::uint64_t delivered = 0;
    std::uint64_t refused = 0;
};

void run(std::uint64_t seed, log::Level level, Counts& counts) {
    PoolsWorld world{seed};
    const log::CaptureScope capture{level, [&](log::Level, std::string_view target, std::string_view message,
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
    ++counts.cases;
    counts.delivered += world.judge().delivered_count();
    counts.refused += world.judge().refused_count();
    if (world.violations().empty()) {
        return;
    }
    ++counts.failures;
    fmt::print("seed {}\n{}", seed, world.history());
    for (const auto& violation : world.violations()) {
        fmt::print("FAILED: {}\n", violation);
    }
}

}  // namespace
}  // namespace culvert::model::pools

int main(int argc, char** argv) {
    const auto number = [&](int index) {
        return index < argc ? std::strtoull(argv[index], nullptr, 10) : std::uint64_t{1};
    };
    const auto first = number(1);
    // Of a single case one wants to see what the programs say as well.
    const auto level = number(2) == 1 ? culvert::log::Level::kTrace : culvert::log::Level::kError;
    culvert::model::pools::Counts counts;
    for (auto seed = first; seed < first + number(2); ++seed) {
        culvert::model::pools::run(seed, level, counts);
    }
    fmt::print("{} cases, {} failures; {} packets reached a host, {} did not\n", counts.cases, counts.failures,
               counts.delivered, counts.refused);
    return counts.cases == 0 || counts.failures > 0 ? 1 : 0;
}
