#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/time.h"
#include "tests/model/observer/counter.h"
#include "tests/model/reference/excuse.h"

/// What a case is judged by: invariants that were checked, how often, and where they did not hold.
namespace culvert::model {

/// One invariant that did not hold. `invariant` is its id in docs/invariants.md, like "SEC-1".
struct Violation {
    std::string invariant;
    Instant at;
    std::string text;
};

/// Violations, and counters of everything that must not stay unexercised. Names live for ever, like string literals.
class Verdict {
public:
    /// The invariant was checked, and held unless `holds` is false; `text()` is called only then. Returns `holds`.
    template <typename Text>
    bool check(std::string_view invariant, bool holds, Instant at, const Text& text) {
        checks_.add(invariant);
        if (!holds) {
            violations_.push_back({std::string{invariant}, at, text()});
        }
        return holds;
    }
    /// A rule was relaxed, or nothing predicted.
    void tolerate(Excuse excuse) { tolerances_.add(to_string(excuse)); }
    /// Something happened that a run as a whole must exercise: an outcome, an action, a fault, a state.
    void count(std::string_view feature) { features_.add(feature); }

    /// Violations stay in the order of their times.
    void add(const Verdict& other);

    using Counters = Counter::ByName;
    [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }
    [[nodiscard]] const Counters& checks() const { return checks_.by_name(); }
    [[nodiscard]] const Counters& tolerances() const { return tolerances_.by_name(); }
    [[nodiscard]] const Counters& features() const { return features_.by_name(); }

private:
    std::vector<Violation> violations_;
    Counter checks_;
    Counter tolerances_;
    Counter features_;
};

}  // namespace culvert::model
