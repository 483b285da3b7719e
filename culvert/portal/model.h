#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/socket_address.h"
#include "culvert/portal/policy_conditions.h"
#include "culvert/portal_api/messages.h"
#include "culvert/turn/constants.h"

/// What the portal keeps. Source: spec/portal-product.md section 1. One installation serves one account.
namespace culvert::portal {

using ActorId = Id<struct ActorTag>;
using GroupId = Id<struct GroupTag>;
using MembershipId = Id<struct MembershipTag>;
using PolicyId = Id<struct PolicyTag>;
using TokenId = Id<struct TokenTag>;
using FlowId = Id<struct FlowTag>;

using Site = portal_api::Site;
using portal_api::FilterProtocol;
using portal_api::IpStack;

/// Written where the wire or the database needs an expiry and there is none: 2038-01-01T00:00:00Z. Gateways' TURN
/// credentials expire then too, so that they are the same on every connect.
constexpr UnixSeconds kNever{std::chrono::seconds{2'145'916'800}};

// --- Configuration: changed by administrators ---

/// Whether devices report their flows, and what is kept of that (spec/newer-dialect.md sections 5.3, 10 and 11).
struct FlowLogging {
    bool is_on = false;
    /// Where devices reach this portal.
    std::string api_url;
    std::chrono::seconds upload_interval{60};
    std::uint32_t upload_batch_size = 1000;
    /// Records that came in longer ago are deleted, and the oldest of more than so many.
    std::chrono::days retention{30};
    std::uint64_t max_records = 1'000'000;

    friend bool operator==(const FlowLogging&, const FlowLogging&) = default;
};

struct Account {
    AccountId id;
    std::string name;
    std::string slug;
    std::optional<std::string> search_domain;
    std::vector<net::SocketAddress> upstream_dns;
    std::vector<std::string> upstream_doh;  ///< URLs.
    FlowLogging flow_logging = {};
    /// How long a device stays signed in on which a person signed in by a browser.
    std::chrono::seconds client_session_lifetime = std::chrono::days{7};

    friend bool operator==(const Account&, const Account&) = default;
};

enum class ActorType { kUser, kAdminUser, kServiceAccount, kApiClient };

struct Actor {
    ActorId id;
    ActorType type = ActorType::kUser;
    std::string name;
    std::optional<std::string> email;
    /// Cannot sign in, nor be signed in, and reaches nothing.
    bool is_disabled = false;

    friend bool operator==(const Actor&, const Actor&) = default;
};

struct Group {
    GroupId id;
    std::string name;

    friend bool operator==(const Group&, const Group&) = default;
};

struct Membership {
    MembershipId id;
    ActorId actor;
    GroupId group;

    friend bool operator==(const Membership&, const Membership&) = default;
};

enum class ResourceType { kDns, kCidr, kIp, kInternet, kStaticDevicePool };

/// Inclusive on both ends.
struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 65535;

    friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// No ports: every port of the protocol.
struct ResourceFilter {
    FilterProtocol protocol = FilterProtocol::kTcp;
    std::vector<PortRange> ports;

    friend bool operator==(const ResourceFilter&, const ResourceFilter&) = default;
};

/// Which device a pool names: whose it is, and the id that it gives itself. It need not have connected yet.
struct PoolMember {
    ActorId actor;
    std::string external_id;

    friend auto operator<=>(const PoolMember&, const PoolMember&) = default;
};

struct Resource {
    ResourceId id;
    ResourceType type = ResourceType::kCidr;
    std::string name;
    /// A DNS pattern, a network or an address in canonical form; empty for the Internet resource and for pools.
    std::string address;
    std::optional<std::string> address_description;
    /// Only DNS resources have one that is not kDual.
    IpStack ip_stack = IpStack::kDual;
    /// None: all traffic.
    std::vector<ResourceFilter> filters;
    /// In ascending order. A resource without sites is sent to nobody, unless it is a pool, which has none.
    std::vector<SiteId> sites;
    /// Of pools, in ascending order.
    std::vector<PoolMember> members = {};

    friend bool operator==(const Resource&, const Resource&) = default;
};

struct Policy {
    PolicyId id;
    GroupId group;
    ResourceId resource;
    /// All have to hold for it to grant anything.
    PolicyConditions conditions = {};
    bool is_disabled = false;
    /// Where the account logs flows: whether those that it grants are among them.
    bool logs_flows = true;
    /// For people.
    std::optional<std::string> description = {};

    friend bool operator==(const Policy&, const Policy&) = default;
};

// --- Tokens ---

enum class TokenType { kClient, kGateway, kRelay, kApi };

/// What is stored of a token; neither its secret nor its nonce (spec/portal-protocol.md section 13.1).
struct Token {
    TokenId id;
    TokenType type = TokenType::kClient;
    /// Unset for relays, which serve every account.
    std::optional<AccountId> account;
    /// Of client and API tokens.
    std::optional<ActorId> actor;
    /// Of gateway tokens.
    std::optional<SiteId> site;
    std::string secret_salt;
    std::string secret_hash;
    std::optional<UnixSeconds> expires_at;

    [[nodiscard]] bool is_expired(UnixSeconds now) const { return expires_at && *expires_at <= now; }

    friend bool operator==(const Token&, const Token&) = default;
};

// --- Devices ---

/// Where and what a device was when it connected last.
struct LastSeen {
    std::string user_agent;
    std::string version;
    net::IpAddress remote_ip;
    UnixSeconds at;
};

struct Client {
    ClientId id;
    ActorId actor;
    std::string external_id;
    std::string name;
    crypto::PublicKey public_key;
    /// Never leaves the portal; preshared keys are derived from it.
    crypto::Secret<32> psk_base;
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    std::optional<std::string> device_serial;
    std::optional<std::string> device_uuid;
    std::optional<std::string> identifier_for_vendor;
    std::optional<std::string> firebase_installation_id;
    LastSeen last_seen;
    /// An administrator knows this very machine; when he said so.
    std::optional<UnixSeconds> verified_at = {};
};

struct Gateway {
    GatewayId id;
    SiteId site;
    std::string external_id;
    std::string name;
    crypto::PublicKey public_key;
    crypto::Secret<32> psk_base;
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    LastSeen last_seen;
};

struct RelayServer {
    RelayId id;
    std::optional<std::string> name;
    /// At least one of the two addresses is set, and they are of the family the name says.
    std::optional<net::IpAddress> ipv4;
    std::optional<net::IpAddress> ipv6;
    std::uint16_t port = turn::kRelayPort;
    LastSeen last_seen;
};

// --- Flows ---

/// The record that a client was let through to a resource by a gateway. Never changed; extending access adds a row, and
/// a row goes when a newer one supersedes it.
/// Goes away with anything it cites.
struct Flow {
    FlowId id;
    ClientId client;
    GatewayId gateway;
    ResourceId resource;
    PolicyId policy;
    MembershipId membership;
    TokenId token;
    net::IpAddress client_remote_ip;
    std::string client_user_agent;
    net::IpAddress gateway_remote_ip;
    UnixSeconds expires_at;

    friend bool operator==(const Flow&, const Flow&) = default;
};

/// Whether `newer` makes `older` needless: it cites the same rows, so nothing could take away one but not the other,
/// and it lasts as long. Such flows differ in where the client came from, and a client that roams would leave ever
/// more.
[[nodiscard]] inline bool supersedes(const Flow& newer, const Flow& older) {
    return older.client == newer.client && older.gateway == newer.gateway && older.resource == newer.resource &&
           older.policy == newer.policy && older.membership == newer.membership && older.token == newer.token &&
           older.expires_at <= newer.expires_at;
}

/// The record that a client was let through to another one, which a pool names. As above.
struct DeviceFlow {
    FlowId id;
    ClientId client;
    /// The other one.
    ClientId device;
    ResourceId resource;
    PolicyId policy;
    MembershipId membership;
    TokenId token;
    net::IpAddress client_remote_ip;
    std::string client_user_agent;
    net::IpAddress device_remote_ip;
    UnixSeconds expires_at;

    friend bool operator==(const DeviceFlow&, const DeviceFlow&) = default;
};

[[nodiscard]] inline bool supersedes(const DeviceFlow& newer, const DeviceFlow& older) {
    return older.client == newer.client && older.device == newer.device && older.resource == newer.resource &&
           older.policy == newer.policy && older.membership == newer.membership && older.token == newer.token &&
           older.expires_at <= newer.expires_at;
}

}  // namespace culvert::portal
