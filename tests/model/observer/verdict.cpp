#include "tests/model/observer/verdict.h"

#include <algorithm>

namespace culvert::model {
void Verdict::add(const Verdict& other) {
    violations_.insert(violations_.end(), other.violations_.begin(), other.violations_.end());
    std::ranges::stable_sort(violations_, {}, &Violation::at);
    checks_.add(other.checks_);
    tolerances_.add(other.tolerances_);
    features_.add(other.features_);
}

}  // namespace culvert::model
