#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "culvert/observability/log.h"
#include "tests/model/observer/verdict.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

struct CaseOptions {
    /// End the case shortly after the first violation: what follows from it is not worth the time, above all while a
    /// scenario is made smaller.
    bool stops_at_violation = true;
    log::Level log_level = log::Level::kInfo;
    /// Sees everything, in addition to the judges.
    std::vector<Observer*> observers = {};
};

struct CaseResult {
    Verdict verdict;
    std::uint64_t datagrams = 0;
    std::uint64_t trace_hash = 0;
    Duration simulated{};
    /// States of all parties at the end.
    std::string snapshot;

    [[nodiscard]] bool has_failed() const { return !verdict.violations().empty(); }
};

/// Builds the world of a scenario, runs it, and judges it.
[[nodiscard]] CaseResult run_case(const Scenario& scenario, const CaseOptions& options = {});

}  // namespace culvert::model
