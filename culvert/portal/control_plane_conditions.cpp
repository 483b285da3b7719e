// Conditions of policies: what depends on where a client is, which one it is, and when (spec/portal-product.md section
// 1.10). Whenever one of these changes, access is looked at anew.

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/portal/control_plane.h"

namespace culvert::portal {
namespace {

using portal_api::Role;

constexpr log::Logger kLog{"portal"};

}  // namespace

ClientFacts ControlPlane::facts_of(const Session& client, UnixSeconds wall_now) {
    return {.remote_ip = client.remote_ip,
            .is_verified = client.client().device.verified_at.has_value(),
            .auth_provider = std::nullopt,
            .now = wall_now};
}

/// Of one that may not be connected: as it was when it was.
ClientFacts ControlPlane::facts_of(const Client& client, UnixSeconds wall_now) {
    return {.remote_ip = client.last_seen.remote_ip,
            .is_verified = client.verified_at.has_value(),
            .auth_provider = std::nullopt,
            .now = wall_now};
}

std::vector<Grant> ControlPlane::grants_of(const Session& client, const ResourceId& resource, UnixSeconds wall_now) {
    return find_grants(directory_, client.client().device.actor, facts_of(client, wall_now), resource, windows_);
}

bool ControlPlane::withdraw_flows(const Client& client, const ClientFacts& facts) {
    return storage_.erase_flows_except(client.id, granting_policies(directory_, client.actor, facts, windows_));
}

/// What conditions keep from a client is not on its list, and would not be found by that; but why is what people ask.
void ControlPlane::refuse_flow(Session& session, const ResourceId& resource, Instant now, UnixSeconds wall_now) {
    const auto violations =
        find_violations(directory_, session.client().device.actor, facts_of(session, wall_now), resource, windows_);
    std::vector<std::string> violated;
    std::ranges::transform(violations, std::back_inserter(violated),
                           [](ConditionProperty property) { return std::string{to_string(property)}; });
    const auto reason = violated.empty() ? portal_api::FlowFailure::kNotFound : portal_api::FlowFailure::kForbidden;
    fail_flow(session.id, resource, reason, now, std::move(violated));
}

/// What ended by time ended everywhere at the same moment: each flow says until when its policy counts. Asks the
/// database nothing, so that nothing keeps the devices from hearing of it.
void ControlPlane::time_has_come(Instant now, WallTime wall_now) {
    const auto wall_seconds = std::chrono::floor<std::chrono::seconds>(wall_now);
    kLog.debug("Looks at access anew, since the time that policies name has come");
    for (auto& [id, session] : sessions_) {
        if (session.is_joined && session.role == Role::kGateway) {
            end_expired(session, wall_seconds);
        } else if (session.is_joined && session.role == Role::kClient) {
            end_expired_devices(session, wall_seconds);
        }
    }
    for (auto& [id, session] : sessions_) {
        if (session.is_joined && session.role == Role::kClient) {
            update_client(session, {}, now, wall_seconds);
        }
    }
    watch_time_conditions(now, wall_now);
}

void ControlPlane::watch_time_conditions(Instant now, WallTime wall_now) {
    const auto next = next_time_boundary(directory_, std::chrono::floor<std::chrono::seconds>(wall_now), windows_);
    due_.set(Due::kTimeConditions, next ? std::optional{now + (*next - wall_now)} : std::nullopt);
}

}  // namespace culvert::portal
