#include "tests/model/observer/judge.h"

#include <array>
#include <utility>

namespace culvert::model {
namespace {

/// Names of faults as they are observed, and as they are counted.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kFaults{{{"link", "fault link"},
                                                                                {"direct", "fault direct"},
                                                                                {"relay", "fault relay"},
                                                                                {"nat", "fault nat"},
                                                                                {"portal", "fault portal"}}};

}  // namespace

Judge::Judge(const Setup& setup)
    : situation_{setup},
      traffic_{situation_, verdict_},
      probes_{situation_, verdict_},
      portal_{situation_, verdict_},
      state_{situation_, verdict_},
      log_{situation_, verdict_},
      attacks_{situation_, verdict_},
      agreement_{situation_, verdict_} {}

void Judge::observe(const Observation& observation, Instant now) {
    probes_.judge_until(now);
    portal_.judge_until(now);
    situation_.observe(observation, now);
    traffic_.observe(observation, now);
    probes_.observe(observation, now);
    portal_.observe(observation, now);
    state_.observe(observation, now);
    log_.observe(observation, now);
    attacks_.observe(observation, now);
    agreement_.observe(observation, now);
    count_fault(observation);
}

void Judge::count_fault(const Observation& observation) {
    const auto* fault = std::get_if<FaultChanged>(&observation);
    if (fault == nullptr || !fault->is_active) {
        return;
    }
    for (const auto& [name, feature] : kFaults) {
        if (name == fault->name) {
            verdict_.count(feature);
        }
    }
}

Verdict Judge::finish(Instant now) {
    probes_.judge_until(now);
    portal_.judge_until(now);
    probes_.finish();
    return verdict_;
}

}  // namespace culvert::model
