#pragma once

#include <cstdlib>
#include <string_view>

/// What plant.py puts into its copy of the sources: CULVERT_SABOTAGE(Name) is true in the process whose environment
/// variable CULVERT_SABOTAGE is that name when it is first asked. No product is ever built with this.
namespace culvert::sabotage {

[[nodiscard]] inline bool is_wanted(std::string_view name) {
    const char* const wanted = std::getenv("CULVERT_SABOTAGE");
    return wanted != nullptr && wanted == name;
}

}  // namespace culvert::sabotage

#define CULVERT_SABOTAGE(name)                                                    \
    ([] {                                                                         \
        static const bool is_switched_on = ::culvert::sabotage::is_wanted(#name); \
        return is_switched_on;                                                    \
    }())
