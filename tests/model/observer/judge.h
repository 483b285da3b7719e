#pragma once

#include "tests/model/observer/agreement_checks.h"
#include "tests/model/observer/attack_checks.h"
#include "tests/model/observer/log_checks.h"
#include "tests/model/observer/portal_checks.h"
#include "tests/model/observer/probe_checks.h"
#include "tests/model/observer/state_checks.h"
#include "tests/model/observer/traffic_checks.h"
#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// Watches a case and judges it by the invariants of docs/invariants.md, each group of them in a file of its
/// own. What wire formats and timers demand is WireChecker's.
class Judge final : public Observer {
public:
    explicit Judge(const Setup& setup);

    void observe(const Observation& observation, Instant now) override;

    [[nodiscard]] bool has_found_violations() const { return !verdict_.violations().empty(); }
    /// The case is over.
    [[nodiscard]] Verdict finish(Instant now);

private:
    void count_fault(const Observation& observation);

    Situation situation_;
    Verdict verdict_;
    TrafficChecks traffic_;
    ProbeChecks probes_;
    PortalChecks portal_;
    StateChecks state_;
    LogChecks log_;
    AttackChecks attacks_;
    AgreementChecks agreement_;
};

}  // namespace culvert::model
