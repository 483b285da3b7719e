#pragma once

#include "culvert_sabotage_build.h"  // made by cmake/CulvertOptions.cmake

/// Seeded bugs, to prove that the tests find bugs.
///
/// `CULVERT_SABOTAGE(kName)` stands in the product where a bug of that kind once stood, in this system or one like it,
/// and says whether that bug is to be back. It is the constant false, and leaves neither code nor symbol, except in the
/// `sabotage` preset (CULVERT_SABOTAGE_BUILD). There at most one switch is on: the one that the environment variable
/// CULVERT_SABOTAGE names when the process starts. All of them are in sabotage_catalogue.h; `scripts/test sabotage`
/// turns on one after the other and reports which layer of the tests noticed.
#ifdef CULVERT_SABOTAGE_BUILD

#include "culvert/base/sabotage_catalogue.h"

namespace culvert::sabotage {

enum class Switch {
#define CULVERT_SABOTAGE_ENUMERATOR(name, ...) name,
    CULVERT_SABOTAGE_CATALOGUE(CULVERT_SABOTAGE_ENUMERATOR)
#undef CULVERT_SABOTAGE_ENUMERATOR
};

/// Ends the process with status 99 if CULVERT_SABOTAGE names no switch: a misspelt bug must not count as found.
[[nodiscard]] bool is_active(Switch bug);

}  // namespace culvert::sabotage

#define CULVERT_SABOTAGE(name) ::culvert::sabotage::is_active(::culvert::sabotage::Switch::name)

#else

#define CULVERT_SABOTAGE(name) false

#endif
