#include "culvert/base/sabotage.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace culvert::sabotage {
namespace {

constexpr int kUnknownSwitch = 99;

constexpr auto kSwitches = std::to_array<std::pair<std::string_view, Switch>>({
#define CULVERT_SABOTAGE_NAME(name, ...) {#name, Switch::name},
    CULVERT_SABOTAGE_CATALOGUE(CULVERT_SABOTAGE_NAME)
#undef CULVERT_SABOTAGE_NAME
});

std::optional<Switch> read_environment() {
    const char* const wanted = std::getenv("CULVERT_SABOTAGE");
    if (wanted == nullptr || *wanted == '\0') {
        return std::nullopt;
    }
    for (const auto& [name, bug] : kSwitches) {
        if (name == wanted) {
            return bug;
        }
    }
    std::fprintf(stderr, "CULVERT_SABOTAGE: no switch is called \"%s\"\n", wanted);
    std::_Exit(kUnknownSwitch);
}

}  // namespace

bool is_active(Switch bug) {
    static const auto active = read_environment();
    return active == bug;
}

}  // namespace culvert::sabotage
