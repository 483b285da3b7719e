#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tests/model/observer/verdict.h"

namespace culvert::model::wire {

/// What is wrong, as a literal; empty: nothing.
using Complaint = std::string_view;

/// Turns complaints into a verdict. One mistake repeated in a thousand datagrams is reported a few times only.
class Findings {
public:
    /// The invariant was checked. `where()` says at whom and what the complaint is aimed.
    template <typename Where>
    void judge(std::string_view invariant, Complaint complaint, Instant now, const Where& where) {
        if (complaint.empty()) {
            verdict_.check(invariant, true, now, [] { return std::string{}; });
        } else if (++reported_[complaint] <= kMaxReports) {
            verdict_.check(invariant, false, now, [&] { return std::string{complaint} + ": " + where(); });
        }
    }
    void tolerate(Excuse excuse) { verdict_.tolerate(excuse); }
    void count(std::string_view feature) { verdict_.count(feature); }

    [[nodiscard]] const Verdict& verdict() const { return verdict_; }

private:
    static constexpr unsigned kMaxReports = 3;

    Verdict verdict_;
    std::map<Complaint, unsigned> reported_;
};

}  // namespace culvert::model::wire
