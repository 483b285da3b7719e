// What is done from time to time, whatever devices do: deleting, recording, renewing, looking for changes.

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>

#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/derivations.h"

namespace culvert::portal {
namespace {

using portal_api::Role;

constexpr log::Logger kLog{"portal"};

}  // namespace

void ControlPlane::keep_house(Instant now, WallTime wall_now) {
    due_.set(Due::kHousekeeping, now + kHousekeepingInterval);
    const auto wall_seconds = std::chrono::floor<std::chrono::seconds>(wall_now);
    claims_.prune(now);
    held_.prune(now);
    signalled_candidates_.keep_only(directory_.sites);
    std::erase_if(owners_, [&](const auto& owner) {
        return owner.second.frames.is_full(now) && owner.second.connects.is_full(now) &&
               owner.second.joins.is_full(now) && owner.second.flows.is_full(now);
    });
    attempt("Cannot delete expired flows", now, [&] { storage_.erase_expired_flows(wall_seconds); });
    attempt("Cannot delete old flow logs", now, [&] {
        const auto& logging = directory_.account.flow_logging;
        storage_.erase_flow_logs(wall_seconds - logging.retention, logging.max_records, kFlowLogsReapedAtOnce);
    });
    attempt("Cannot look after devices", now, [&] { look_after_devices(now, wall_seconds); });
    attempt("Cannot renew credentials for relays", now, [&] { renew_turn_users(wall_seconds); });
    // Even on a full disk: what was taken back must be taken back everywhere.
    attempt("Cannot read changes", now, [&] { handle_changes(now, wall_now); });
    send_relay_pushes();
}

void ControlPlane::reap_tokens(Instant now, UnixSeconds wall_now) {
    const bool is_done = attempt("Cannot delete expired tokens", now, [&] { storage_.erase_expired_tokens(wall_now); });
    due_.set(Due::kTokenReap, now + (is_done ? kTokenReapInterval : kHousekeepingInterval));
}

void ControlPlane::reap_devices(Instant now, UnixSeconds wall_now) {
    due_.set(Due::kDeviceReap, now + kDeviceReapInterval);
    attempt("Cannot delete devices that are not seen any more", now,
            [&] { storage_.erase_unseen_devices(wall_now - limits_.forget_devices_after, kDevicesReapedAtOnce); });
}

void ControlPlane::look_after_devices(Instant now, UnixSeconds wall_now) {
    record_presence(now, wall_now);
    storage_.release_addresses(wall_now, kAddressQuarantine);
    storage_.erase_expired_turn_users(wall_now);
}

void ControlPlane::record_presence(Instant now, UnixSeconds wall_now) {
    std::vector<ClientId> clients;
    std::vector<GatewayId> gateways;
    auto left = std::max(kMinPresences, sessions_.size() / kPresenceShares);
    for (auto& [id, session] : sessions_) {
        if (session.role == Role::kRelay || now - session.recorded_at < kPresenceAge) {
            continue;
        }
        if (left-- == 0) {
            break;
        }
        session.recorded_at = now;
        if (session.role == Role::kClient) {
            clients.push_back(session.client().device.id);
        } else {
            gateways.push_back(session.gateway().device.id);
        }
    }
    if (!clients.empty() || !gateways.empty()) {
        storage_.in_transaction([&] { storage_.record_presence(clients, gateways, wall_now); });
    }
}

void ControlPlane::renew_turn_users(UnixSeconds wall_now) {
    std::ranges::move(relays_.renew(wall_now), std::back_inserter(renewals_));
    // Each leaves only when it is recorded: after a failure of the database the next time goes on here.
    for (; !renewals_.empty(); renewals_.pop_front()) {
        const auto& renewal = renewals_.front();
        const auto found = sessions_.find(renewal.session);
        if (found == sessions_.end()) {
            continue;  // it has left since
        }
        const auto& session = found->second;
        const auto device = session.role == Role::kClient ? std::get<ConnectedClient>(session.state).device.id.uuid()
                                                          : std::get<ConnectedGateway>(session.state).device.id.uuid();
        storage_.put(TurnUser{renewal.salt, session.token, device,
                              latest_turn_expiry(session.role, wall_now, session.expires_at)});
        if (renewal.extended_until) {
            turn_users_.extend(renewal.salt, *renewal.extended_until);
        }
    }
}

bool ControlPlane::attempt(std::string_view failure, Instant now, const std::function<void()>& work) {
    try {
        work();
        return true;
    } catch (const StorageError& error) {
        report(failure, error, now);
        return false;
    }
}

void ControlPlane::report(std::string_view failure, const StorageError& error, Instant now) {
    ++statistics_.storage_errors;
    const bool is_quiet = storage_errors_quiet_until_ && now < *storage_errors_quiet_until_;
    if (!is_quiet) {
        storage_errors_quiet_until_ = now + kStorageErrorInterval;
    }
    kLog.log(is_quiet ? log::Level::kDebug : log::Level::kError, failure,
             log::field("error", std::string_view{error.what()}));
}

}  // namespace culvert::portal
