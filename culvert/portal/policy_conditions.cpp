#include "culvert/portal/policy_conditions.h"

#include <algorithm>
#include <iterator>

#include "culvert/base/overloaded.h"

namespace culvert::portal {
namespace {

bool holds(const RemoteIpCondition& condition, const ClientFacts& facts) {
    if (!facts.remote_ip || condition.networks.empty()) {
        return false;
    }
    const bool is_listed = std::ranges::any_of(
        condition.networks, [&](const net::IpNetwork& network) { return network.contains(*facts.remote_ip); });
    return is_listed == condition.is_in;
}

bool holds(const AuthProviderCondition& condition, const ClientFacts& facts) {
    if (condition.providers.empty()) {
        return false;
    }
    const bool is_listed = facts.auth_provider && std::ranges::count(condition.providers, *facts.auth_provider) > 0;
    return is_listed == condition.is_in;
}

/// The earlier one; unset is later than any.
std::optional<UnixSeconds> earlier(std::optional<UnixSeconds> a, std::optional<UnixSeconds> b) {
    return !a ? b : !b ? a : std::min(a, b);
}

}  // namespace

std::string_view to_string(ConditionProperty property) {
    switch (property) {
        case ConditionProperty::kRemoteIp:
            return "remote_ip";
        case ConditionProperty::kAuthProvider:
            return "auth_provider_id";
        case ConditionProperty::kTime:
            return "current_utc_datetime";
        case ConditionProperty::kClientVerified:
            return "client_verified";
    }
    return "";
}

ConditionProperty property_of(const PolicyCondition& condition) {
    return std::visit(overloaded{
                          [](const RemoteIpCondition&) { return ConditionProperty::kRemoteIp; },
                          [](const AuthProviderCondition&) { return ConditionProperty::kAuthProvider; },
                          [](const TimeCondition&) { return ConditionProperty::kTime; },
                          [](const ClientVerifiedCondition&) { return ConditionProperty::kClientVerified; },
                      },
                      condition);
}

std::string_view operator_of(const PolicyCondition& condition) {
    using Name = std::string_view;
    return std::visit(
        overloaded{
            [](const RemoteIpCondition& one) -> Name { return one.is_in ? "is_in_cidr" : "is_not_in_cidr"; },
            [](const AuthProviderCondition& one) -> Name { return one.is_in ? "is_in" : "is_not_in"; },
            [](const TimeCondition&) -> Name { return "is_in_day_of_week_time_ranges"; },
            [](const ClientVerifiedCondition&) -> Name { return "is"; },
        },
        condition);
}

std::vector<std::string> values_of(const PolicyCondition& condition) {
    std::vector<std::string> values;
    std::visit(overloaded{
                   [&](const RemoteIpCondition& one) {
                       std::ranges::transform(one.networks, std::back_inserter(values), &net::IpNetwork::to_string);
                   },
                   [&](const AuthProviderCondition& one) {
                       std::ranges::transform(one.providers, std::back_inserter(values), &Uuid::to_string);
                   },
                   [&](const TimeCondition& one) {
                       std::ranges::transform(one.hours, std::back_inserter(values), &DayHours::to_string);
                   },
                   [&](const ClientVerifiedCondition& one) { values.emplace_back(one.must_be ? "true" : "false"); },
               },
               condition);
    return values;
}

ConditionVerdict evaluate(const PolicyConditions& conditions, const ClientFacts& facts, TimeWindows& windows) {
    ConditionVerdict verdict;
    for (const auto& condition : conditions) {
        const bool is_met =
            std::visit(overloaded{
                           [&](const RemoteIpCondition& one) { return holds(one, facts); },
                           [&](const AuthProviderCondition& one) { return holds(one, facts); },
                           [&](const TimeCondition& one) {
                               const auto& window = windows.at(one.hours, facts.now);
                               verdict.until = earlier(verdict.until, window.changes_at);
                               return window.is_open;
                           },
                           [&](const ClientVerifiedCondition& one) { return facts.is_verified || !one.must_be; },
                       },
                       condition);
        if (!is_met) {
            verdict.violated.push_back(property_of(condition));
        }
    }
    if (!verdict.passes()) {
        verdict.until.reset();
    }
    return verdict;
}

std::optional<UnixSeconds> next_change(const PolicyConditions& conditions, UnixSeconds now, TimeWindows& windows) {
    std::optional<UnixSeconds> next;
    for (const auto& condition : conditions) {
        if (const auto* time = std::get_if<TimeCondition>(&condition)) {
            next = earlier(next, windows.at(time->hours, now).changes_at);
        }
    }
    return next;
}

}  // namespace culvert::portal
