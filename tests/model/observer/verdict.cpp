#include "model/observer/verdict.h"

#include <algorithm>

namespace culvert::model {
namespace {

void add_counters(Verdict::Counters& to, const Verdict::Counters& from) {
    for (const auto& [name, count] : from) {
        to[name] += count;
    }
}

}  // namespace

void Verdict::add(const Verdict& other) {
    violations_.insert(violations_.end(), other.violations_.begin(), other.violations_.end());
    std::ranges::stable_sort(violations_, {}, &Violation::at);
    add_counters(checks_, other.checks_);
    add_counters(tolerances_, other.tolerances_);
    add_counters(features_, other.features_);
}

}  // namespace culvert::model
