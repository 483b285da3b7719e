#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/ip_network.h"
#include "culvert/portal/time_windows.h"

/// On which conditions a policy counts. Source: spec/portal-product.md sections 1.10 and 10.1.
namespace culvert::portal {

/// What a condition is about.
enum class ConditionProperty : std::uint8_t { kRemoteIp, kAuthProvider, kTime, kClientVerified };

/// As files, the REST API and devices of 2026 name it.
[[nodiscard]] std::string_view to_string(ConditionProperty property);

/// The client's address, as the portal sees it, is in one of the networks; or in none.
struct RemoteIpCondition {
    bool is_in = true;
    std::vector<net::IpNetwork> networks;

    friend bool operator==(const RemoteIpCondition&, const RemoteIpCondition&) = default;
};
/// The client signed in with one of the providers; or with none of them.
struct AuthProviderCondition {
    bool is_in = true;
    std::vector<Uuid> providers;

    friend bool operator==(const AuthProviderCondition&, const AuthProviderCondition&) = default;
};
struct TimeCondition {
    WeekHours hours;

    friend bool operator==(const TimeCondition&, const TimeCondition&) = default;
};
/// An administrator has verified the client. "Need not be" is a condition, too, which always holds.
struct ClientVerifiedCondition {
    bool must_be = true;

    friend bool operator==(const ClientVerifiedCondition&, const ClientVerifiedCondition&) = default;
};
using PolicyCondition = std::variant<RemoteIpCondition, AuthProviderCondition, TimeCondition, ClientVerifiedCondition>;
/// All have to hold. One for each property at most, in the order in which they were entered.
using PolicyConditions = std::vector<PolicyCondition>;

[[nodiscard]] ConditionProperty property_of(const PolicyCondition& condition);
[[nodiscard]] std::string_view operator_of(const PolicyCondition& condition);
/// As they are entered, in their canonical form.
[[nodiscard]] std::vector<std::string> values_of(const PolicyCondition& condition);

/// What is known of a client at a moment.
struct ClientFacts {
    /// Unset: unknown, which is in no network, and not outside of any either.
    std::optional<net::IpAddress> remote_ip;
    bool is_verified = false;
    /// Unset: it signed in with a token of an administrator, and so with none of any providers.
    std::optional<Uuid> auth_provider;
    UnixSeconds now;
};

struct ConditionVerdict {
    /// In the order of the conditions. None: the policy counts.
    std::vector<ConditionProperty> violated;
    /// Until when it counts, if time alone passes; unset: without end.
    std::optional<UnixSeconds> until;

    [[nodiscard]] bool passes() const { return violated.empty(); }

    friend bool operator==(const ConditionVerdict&, const ConditionVerdict&) = default;
};

/// What is not known, and what nothing is listed for, violates.
[[nodiscard]] ConditionVerdict evaluate(const PolicyConditions& conditions, const ClientFacts& facts,
                                        TimeWindows& windows);

/// When the conditions may come to another verdict by time alone; unset: never.
[[nodiscard]] std::optional<UnixSeconds> next_change(const PolicyConditions& conditions, UnixSeconds now,
                                                     TimeWindows& windows);

}  // namespace culvert::portal
