#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "culvert/base/rate_limiter.h"
#include "culvert/portal/candidate_budget.h"
#include "culvert/portal/granted_flows.h"
#include "culvert/portal/model.h"
#include "culvert/portal/version.h"
#include "culvert/portal_api/dialect.h"
#include "culvert/portal_api/role.h"

namespace culvert::portal {

/// One WebSocket connection, for as long as it lasts. Greater is newer.
enum class SessionId : std::uint64_t {};

/// Pools of devices; never null.
using SharedPools = std::map<ResourceId, std::shared_ptr<const portal_api::DevicePool>>;

/// What is kept of a client beside its row, while it is connected.
struct ConnectedClient {
    Client device;
    ClientComponent component = ClientComponent::kHeadless;
    /// Resources the client knows of.
    std::map<ResourceId, portal_api::ClientResource> resources;
    /// And the pools of devices.
    SharedPools pools = {};
    /// Who was let through to it.
    GrantedDeviceFlows inbound = {};
};
struct ConnectedGateway {
    Gateway device;
    GrantedFlows flows;
};
struct ConnectedRelay {
    RelayServer device;
};

/// What a device is known by before it has a row: its owner (an actor or a site) and the id it gives itself.
struct DeviceIdentity {
    Uuid owner;
    std::string external_id;

    friend auto operator<=>(const DeviceIdentity&, const DeviceIdentity&) = default;
};

/// What the control plane keeps of a connection.
struct Session {
    SessionId id{};
    portal_api::Role role = portal_api::Role::kClient;
    portal_api::Dialect dialect = portal_api::Dialect::kV1;
    bool is_joined = false;
    TokenId token;
    std::optional<UnixSeconds> expires_at;
    std::optional<Instant> ends_at;  // the same moment on the other time line
    /// When the device's row was last told that the device is there.
    Instant recorded_at;
    std::string user_agent;
    net::IpAddress remote_ip;
    Version version;
    /// Of clients and gateways.
    std::optional<DeviceIdentity> identity;
    /// Of the credentials for relays that it is given.
    UnixSeconds turn_expires_at;
    CandidateBudget candidates;
    RateLimiter frames;
    RateLimiter joins;
    RateLimiter flows;
    /// Gateways, and devices of pools: what they are asked.
    RateLimiter asked;
    /// Devices of pools: the same by the clients of each owner that asked lately.
    std::map<Uuid, RateLimiter> asked_by;
    RateLimiter relay_requests;
    /// It does not read as fast as it is written to, so nothing is sent to it on others' behalf.
    bool is_congested = false;
    std::variant<ConnectedClient, ConnectedGateway, ConnectedRelay> state;

    ConnectedClient& client() { return std::get<ConnectedClient>(state); }
    ConnectedGateway& gateway() { return std::get<ConnectedGateway>(state); }
    ConnectedRelay& relay() { return std::get<ConnectedRelay>(state); }
    [[nodiscard]] const ConnectedClient& client() const { return std::get<ConnectedClient>(state); }
};

/// Which sessions of a kind of device have joined their channel. A device may have several: nothing evicts the socket
/// of a device that was cut off and came back (spec/portal-protocol.md sections 9.2 and 10.1).
template <typename DeviceId>
class Presence {
public:
    void add(const DeviceId& device, SessionId session) { sessions_[device].push_back(session); }

    void remove(const DeviceId& device, SessionId session) {
        const auto entry = sessions_.find(device);
        if (entry == sessions_.end()) {
            return;
        }
        std::erase(entry->second, session);
        if (entry->second.empty()) {
            sessions_.erase(entry);
        }
    }

    /// Newest last. Empty: offline.
    [[nodiscard]] std::vector<SessionId> sessions(const DeviceId& device) const {
        const auto entry = sessions_.find(device);
        return entry == sessions_.end() ? std::vector<SessionId>{} : entry->second;
    }

    [[nodiscard]] std::size_t device_count() const { return sessions_.size(); }
    [[nodiscard]] const std::map<DeviceId, std::vector<SessionId>>& all() const { return sessions_; }

private:
    std::map<DeviceId, std::vector<SessionId>> sessions_;
};

}  // namespace culvert::portal
