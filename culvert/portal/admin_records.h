#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "culvert/portal/model.h"

/// What the portal keeps for the administrators' pages and REST API, besides the configuration.
namespace culvert::portal {

/// Somebody signed in by a browser. The cookie holds a secret; here is only its hash, so that whoever reads the
/// database cannot sign in with it.
struct BrowserSession {
    std::string secret_hash;
    ActorId actor;
    UnixSeconds created_at;
    UnixSeconds expires_at;

    friend bool operator==(const BrowserSession&, const BrowserSession&) = default;
};

/// One change, or one attempt to sign in. A copy of what was: nothing in it goes away with what it is about.
struct AuditEntry {
    /// Given by the storage; greater is newer.
    std::uint64_t number = 0;
    UnixSeconds at;
    /// Who did it; unset: nobody who has signed in.
    std::optional<ActorId> actor;
    std::string actor_name;
    std::optional<std::string> actor_email;
    std::string remote_ip;
    std::string action;
    std::string object_type;
    std::string object_id;
    std::string object_name;
    /// JSON objects without secrets; empty: there was, or is, none.
    std::string before;
    std::string after;

    friend bool operator==(const AuditEntry&, const AuditEntry&) = default;
};

/// Which part of a list to read. `text`: what names and addresses must have in them, in either case; empty: anything.
struct ListRange {
    std::string text;
    std::size_t skip = 0;
    std::size_t limit = 50;
};

/// A token as administrators see it, with its name.
struct KnownToken {
    TokenId id;
    TokenType type = TokenType::kClient;
    std::optional<ActorId> actor;
    std::optional<SiteId> site;
    std::optional<std::string> name;
    UnixSeconds created_at;
    std::optional<UnixSeconds> expires_at;
    std::optional<UnixSeconds> last_used_at;
};

/// A client as administrators see it, revoked or not.
struct KnownClient {
    ClientId id;
    ActorId actor;
    std::string external_id;
    std::string name;
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    LastSeen last_seen;
    bool is_revoked = false;
    std::optional<UnixSeconds> verified_at = {};
};

struct KnownGateway {
    GatewayId id;
    SiteId site;
    std::string external_id;
    std::string name;
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    LastSeen last_seen;
    bool is_revoked = false;
};

struct KnownRelay {
    RelayId id;
    std::optional<std::string> name;
    std::optional<net::IpAddress> ipv4;
    std::optional<net::IpAddress> ipv6;
    std::uint16_t port = 0;
    LastSeen last_seen;
    bool is_revoked = false;
};

/// A flow to a gateway as administrators see it.
struct KnownFlow {
    FlowId id;
    ClientId client;
    std::string client_name;
    ActorId actor;
    GatewayId gateway;
    std::string gateway_name;
    ResourceId resource;
    PolicyId policy;
    net::IpAddress client_remote_ip;
    UnixSeconds expires_at;
};

/// Of which client, gateway and so on; unset: any.
struct FlowFilter {
    std::optional<ClientId> client;
    std::optional<GatewayId> gateway;
    std::optional<ResourceId> resource;
    std::optional<PolicyId> policy;
    std::optional<ActorId> actor;
};

}  // namespace culvert::portal
