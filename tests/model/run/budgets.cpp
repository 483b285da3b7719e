#include "tests/model/run/budgets.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace culvert::model {
namespace {

constexpr auto kBudgets = std::to_array<Budget>({
    {"NAT forgets sooner than 30 s", 1},
    {"NAT forgot", 45},
    {"a gateway's clock is ahead", 7},
    {"a gateway's clock is behind", 1},
    {"a gateway's clock was set", 100},
    {"a gateway's clock was set a moment ago", 100},
    {"a gateway's own address", 220},
    {"a relay has no port left", 20},
    {"a relay lies", 21},
    {"access changed", 330},
    {"access changed while the portal was out of reach", 25},
    {"asks again after a rejection", 1},
    {"buffers overflowed during set-up", 20},
    {"client has not heard of the change", 230},
    {"client waits before it dials the portal again", 8},
    {"crashed", 25},
    {"direct path blocked", 35},
    {"expiry noticed late by a late driver", 1},
    {"fault was not noticed while idle", 30},
    {"flooded with handshakes", 1},
    {"flows anew during trouble", 13},
    {"gateway has not heard of the revocation", 1},
    {"hung", 15},
    {"its gateway keeps no rule", 180},
    {"link impaired", 50},
    {"new key pair", 4},
    {"no common relay", 140},
    {"no gateway is online", 40},
    {"no session with the portal", 2},
    {"not started yet", 12},
    {"one IP family lost", 8},
    {"one of several equal resources is offline", 3},
    {"order across a path switch", 3},
    {"order after a fault", 4},
    {"portal does not run", 20},
    {"portal out of reach", 15},
    {"portal was out of reach while a connection began", 5},
    {"process does not run", 1},
    {"recorded answer to a check", 1},
    {"relay (re)appeared", 1},
    {"relay blocked", 20},
    {"relay in trouble", 60},
    {"replayed check of a new connection", 1},
    {"request crossed the removal", 25},
    {"request waited for the portal", 1},
    {"request with valid credentials", 45},
    {"reset", 40},
    {"resource was taken away or changed", 65},
    {"revocation on its way", 50},
    {"revocation takes a moment", 11},
    {"roaming", 80},
    {"stopped", 20},
    {"suspended", 15},
    {"the client's list is out of date", 85},
    {"token ended", 30},
    {"token expired a moment ago", 1},
    {"two dependent NATs", 35},
    {"warning: a flow for a resource that has gone", 6},
    {"warning: a gateway answers what the portal has forgotten", 4},
    {"warning: a gateway's clock is ahead", 25},
    {"warning: a hostile gateway is refused", 25},
    {"warning: a relay has no port left", 65},
    {"warning: a relay has other credentials", 20},
    {"warning: a relay lies", 34},
    {"warning: a relay lost its connection to the portal", 200},
    {"warning: an allocation came with a NAT's port", 12},
    {"warning: no relay is in reach", 165},
    {"warning: relay in trouble", 65},
    {"wire: a relay has lost an allocation after a fault", 200},
    {"wire: a relay has no port left", 80},
    {"wire: a relay refuses a request after a fault", 10},
    {"wire: an allocation came with a NAT's port", 4},
    {"wire: candidates from before the host moved", 1},
    {"wire: credentials for a relay have expired", 1},
    {"wire: credentials for a relay were revoked", 5},
    {"wire: flow requested again after a fault", 11},
    {"wire: flow requested again as soon as it ended", 75},
    {"wire: gateway initiates after a fault", 2},
    {"wire: gateway initiates after the session expired", 1},
    {"wire: gateway initiates before its session is confirmed", 1},
    {"wire: gateway renews the session that it initiated", 7},
    {"wire: handshake after a fault", 2},
    {"wire: handshake because the peer is silent", 210},
    {"wire: many checks after a fault", 1},
    {"wire: message of an earlier run", 1},
    {"wire: more pairs than a list keeps", 2},
    {"wire: nominations after a fault", 1},
    {"wire: reflexive candidates change after a fault", 130},
    {"wire: requests that waited for the portal arrive together", 50},
    {"wire: sealed before the connection was replaced", 1},
    {"wire: sent from a queue", 1},
    {"wire: source address lost", 1},
});

const Budget* find_budget(std::string_view tolerance) {
    const auto found = std::ranges::find(kBudgets, tolerance, &Budget::tolerance);
    return found == kBudgets.end() ? nullptr : &*found;
}

/// How many cases of a run may need a tolerance whose share is that of its budget. Chance exceeds five standard
/// deviations of a Poisson distribution, and five cases where there are few, in less than one of a million runs.
std::uint64_t most_cases(const Budget& budget, std::uint64_t cases) {
    const auto expected = budget.cases_per_thousand * static_cast<double>(cases) / 1000;
    return static_cast<std::uint64_t>(expected + 5 * std::sqrt(expected) + 5);
}

double per_thousand(std::uint64_t part, std::uint64_t cases) {
    return cases == 0 ? 0 : 1000 * static_cast<double>(part) / static_cast<double>(cases);
}

}  // namespace

std::span<const Budget> budgets() {
    return kBudgets;
}

void ToleranceCount::add(const Verdict& of_case) {
    ++cases_;
    for (const auto& [name, uses] : of_case.tolerances()) {
        ++cases_with_[name];
    }
}

std::vector<std::string> find_overdrafts(const ToleranceCount& count) {
    std::vector<std::string> overdrafts;
    for (const auto& [name, cases] : count.cases_with()) {
        const auto* budget = find_budget(name);
        if (budget == nullptr) {
            overdrafts.push_back(fmt::format("tolerance \"{}\" has no budget", name));
        } else if (cases > most_cases(*budget, count.cases())) {
            overdrafts.push_back(
                fmt::format("{} of {} cases needed the tolerance \"{}\", budgeted for {} in a thousand", cases,
                            count.cases(), name, budget->cases_per_thousand));
        }
    }
    return overdrafts;
}

std::string budget_table(const ToleranceCount& count) {
    auto text = fmt::format("{:<58} {:>8} {:>11} {:>8}\n", "tolerated, in random cases", "cases", "per 1000", "budget");
    const auto add = [&](std::string_view name, std::uint64_t cases, const std::string& limit) {
        text += fmt::format("  {:<56} {:>8} {:>11.1f} {:>8}\n", name, cases, per_thousand(cases, count.cases()), limit);
    };
    for (const auto& budget : kBudgets) {
        const auto found = count.cases_with().find(budget.tolerance);
        add(budget.tolerance, found == count.cases_with().end() ? 0 : found->second,
            fmt::format("{}", budget.cases_per_thousand));
    }
    for (const auto& [name, cases] : count.cases_with()) {
        if (find_budget(name) == nullptr) {
            add(name, cases, "none");
        }
    }
    return text;
}

}  // namespace culvert::model
