// culvert-simulate-names [FIRST-SEED [CASES]]

#include <cstdint>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "tests/model/names/names_world.h"

namespace culvert::model::names {
namespace {

constexpr unsigned kSteps = 150;

/// Whether nothing was violated.
bool run(std::uint64_t seed) {
    NamesWorld world{seed};
    for (unsigned i = 0; i < kSteps && world.violations().empty(); ++i) {
        world.step();
    }
    if (world.violations().empty()) {
        world.settle();
    }
    fmt::print("seed {}: {} packets arrived, {} answers\n", seed, world.judge().forwarded(), world.judge().delivered());
    if (world.violations().empty()) {
        return true;
    }
    fmt::print("{}", world.history());
    for (const auto& violation : world.violations()) {
        fmt::print("FAILED: {}\n", violation);
    }
    return false;
}

}  // namespace
}  // namespace culvert::model::names

int main(int argc, char** argv) {
    const auto number = [&](int index) {
        return index < argc ? std::strtoull(argv[index], nullptr, 10) : std::uint64_t{1};
    };
    const auto first = number(1);
    bool is_good = true;
    for (auto seed = first; seed < first + number(2); ++seed) {
        is_good = culvert::model::names::run(seed) && is_good;
    }
    return is_good ? 0 : 1;
}
