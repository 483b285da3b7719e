#pragma once

#include <optional>
#include <string>

#include "culvert/portal/flow_log.h"
#include "culvert/portal/model.h"

/// What administrators are shown of tokens and devices.
namespace culvert::portal_server {

/// Never the secret, of which the database has no more than a hash.
struct TokenListing {
    portal::TokenId id;
    portal::TokenType type = portal::TokenType::kClient;
    /// Names of what it belongs to.
    std::optional<std::string> actor;
    std::optional<std::string> site;
    UnixSeconds created_at;
    std::optional<UnixSeconds> expires_at;
    /// When a device signed in with it last, and from where.
    std::optional<UnixSeconds> last_seen_at;
    std::optional<std::string> last_seen_remote_ip;
    std::optional<std::string> last_seen_user_agent;
};

enum class DeviceKind { kClient, kGateway, kRelay };

struct DeviceListing {
    Uuid id;
    DeviceKind kind = DeviceKind::kClient;
    /// As the device calls itself.
    std::string name;
    std::optional<std::string> external_id;
    std::optional<std::string> actor;
    std::optional<std::string> site;
    /// In the tunnel; of relays the public ones.
    std::optional<std::string> ipv4;
    std::optional<std::string> ipv6;
    /// What it signed in with last, unless that is gone.
    std::optional<portal::TokenId> token;
    UnixSeconds created_at;
    UnixSeconds last_seen_at;
    std::string last_seen_remote_ip;
    std::string last_seen_version;
    std::optional<UnixSeconds> revoked_at;
};

/// A flow as a device has reported it, with the names of today.
struct FlowListing {
    portal::FlowLogEntry entry;
    /// Unset: the device is gone.
    std::optional<std::string> client;
    std::optional<std::string> gateway;
    /// What stands there is another client, to which the flow went without a gateway.
    bool is_to_client = false;
};

}  // namespace culvert::portal_server
