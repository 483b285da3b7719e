#pragma once

#include <string>

#include "tests/model/run/case.h"
#include "tests/model/scenario/action.h"

namespace culvert::model {

/// Everything somebody needs who wants to know why a case fails: the violations, the script, the states of all parties
/// and an annotated trace of the last events before the first violation. Runs the case once more.
[[nodiscard]] std::string failure_report(const Scenario& scenario);

/// The smallest scenario found that violates the same invariant first.
[[nodiscard]] Scenario minimise(const Scenario& failing, const CaseResult& result, unsigned max_runs);

}  // namespace culvert::model
