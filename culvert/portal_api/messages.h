#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"

/// The messages between portal and devices, typed. Source: spec/portal-protocol.md sections 5 to 8; names are those of
/// the wire, in the dialect of 2025. JSON conversion, for that dialect and the one of 2026, is in codec.h.
namespace culvert::portal_api {

// --- Shared pieces (section 5) ---

struct UpstreamDns {
    net::SocketAddress address;

    friend bool operator==(const UpstreamDns&, const UpstreamDns&) = default;
};

/// Addresses of the device's TUN interface and, for clients, its DNS settings.
struct Interface {
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    std::vector<UpstreamDns> upstream_dns;
    /// URLs of resolvers that are asked over HTTPS where `upstream_dns` has none (spec/dns.md section 14.1).
    std::vector<std::string> upstream_doh;
    std::optional<std::string> search_domain;
    /// As `upstream_dns`, at port 53, for devices of 2026, which count these first (spec/dns.md section 14.1).
    std::vector<net::IpAddress> upstream_do53;

    friend bool operator==(const Interface&, const Interface&) = default;
};

/// Where and how often to upload records of flows (spec/newer-dialect.md section 5.3). An interval of 0 means never.
struct FlowLogSettings {
    std::string api_url;
    std::uint32_t upload_interval_secs = 0;
    std::uint32_t upload_batch_size = 0;  // 0: as many as the device likes

    friend bool operator==(const FlowLogSettings&, const FlowLogSettings&) = default;
};

/// One address of a TURN relay. A dual-stack relay is two adjacent entries with one id (section 5.4).
struct Relay {
    RelayId id;
    net::SocketAddress addr;
    std::string username;
    std::string password;
    UnixSeconds expires_at;

    friend bool operator==(const Relay&, const Relay&) = default;
};

struct IceCredentials {
    std::string username;
    std::string password;

    friend bool operator==(const IceCredentials&, const IceCredentials&) = default;
};

/// A site (`gateway_groups` on the wire). Two sites are the same if their ids are.
struct Site {
    SiteId id;
    std::string name;

    friend bool operator==(const Site&, const Site&) = default;
};

enum class FilterProtocol { kTcp, kUdp, kIcmp };

/// Ports are inclusive and mean nothing for ICMP.
struct Filter {
    FilterProtocol protocol = FilterProtocol::kTcp;
    std::uint16_t port_range_start = 0;
    std::uint16_t port_range_end = 65535;

    friend bool operator==(const Filter&, const Filter&) = default;
};

enum class IpStack { kDual, kIpv4Only, kIpv6Only };

// --- Resources as clients see them (5.5) ---

struct ClientDnsResource {
    ResourceId id;
    std::string name;
    std::string address;  // a pattern
    std::optional<std::string> address_description;
    std::vector<Site> sites;
    IpStack ip_stack = IpStack::kDual;
    std::vector<Filter> filters;

    friend bool operator==(const ClientDnsResource&, const ClientDnsResource&) = default;
};

struct ClientCidrResource {
    ResourceId id;
    std::string name;
    net::IpNetwork address;
    std::optional<std::string> address_description;
    std::vector<Site> sites;
    std::vector<Filter> filters;

    friend bool operator==(const ClientCidrResource&, const ClientCidrResource&) = default;
};

struct ClientInternetResource {
    ResourceId id;
    std::string name = "Internet Resource";
    std::vector<Site> sites;

    friend bool operator==(const ClientInternetResource&, const ClientInternetResource&) = default;
};

using ClientResource = std::variant<ClientDnsResource, ClientCidrResource, ClientInternetResource>;

// --- Devices that clients reach without a gateway (spec/newer-dialect.md section 12) ---

/// A device of a pool: another client of the account, or the receiver.
struct PoolDevice {
    ClientId client_id;
    net::IpAddress ipv4;
    net::IpAddress ipv6;

    friend bool operator==(const PoolDevice&, const PoolDevice&) = default;
};

/// A `static_device_pool`. On the wire it is one of the client's resources, but no gateway serves it.
struct DevicePool {
    ResourceId id;
    std::string name;
    std::vector<Filter> filters;
    std::vector<PoolDevice> devices;

    friend bool operator==(const DevicePool&, const DevicePool&) = default;
};

// --- Resources as gateways see them (5.6) ---

struct GatewayDnsResource {
    ResourceId id;
    std::string name;
    std::string address;
    std::vector<Filter> filters;

    friend bool operator==(const GatewayDnsResource&, const GatewayDnsResource&) = default;
};

struct GatewayCidrResource {
    ResourceId id;
    std::string name;
    net::IpNetwork address;
    std::vector<Filter> filters;

    friend bool operator==(const GatewayCidrResource&, const GatewayCidrResource&) = default;
};

struct GatewayInternetResource {
    ResourceId id;

    friend bool operator==(const GatewayInternetResource&, const GatewayInternetResource&) = default;
};

using GatewayResource = std::variant<GatewayDnsResource, GatewayCidrResource, GatewayInternetResource>;

// --- Portal -> client (6.1) ---

/// What a gateway lets a client do, or one client another.
struct Authorization {
    ClientId client_id;
    ResourceId resource_id;
    UnixSeconds expires_at;

    friend bool operator==(const Authorization&, const Authorization&) = default;
};

struct ClientInit {
    Interface interface;
    std::vector<ClientResource> resources;
    std::vector<Relay> relays;
    std::optional<FlowLogSettings> flow_logs;  // portals of 2026 send them always
    std::vector<DevicePool> device_pools = {};
    /// Who may reach this client: nothing else remains of what was authorized before.
    std::vector<Authorization> authorizations = {};

    friend bool operator==(const ClientInit&, const ClientInit&) = default;
};
struct ConfigChanged {
    Interface interface;

    friend bool operator==(const ConfigChanged&, const ConfigChanged&) = default;
};
struct ResourceCreatedOrUpdated {
    ClientResource resource;

    friend bool operator==(const ResourceCreatedOrUpdated&, const ResourceCreatedOrUpdated&) = default;
};
/// `resource_created_or_updated`, too.
struct DevicePoolCreatedOrUpdated {
    DevicePool pool;

    friend bool operator==(const DevicePoolCreatedOrUpdated&, const DevicePoolCreatedOrUpdated&) = default;
};
/// Also of a pool.
struct ResourceDeleted {
    ResourceId resource_id;

    friend bool operator==(const ResourceDeleted&, const ResourceDeleted&) = default;
};
struct RelaysPresence {
    std::vector<RelayId> disconnected_ids;
    std::vector<Relay> connected;

    friend bool operator==(const RelaysPresence&, const RelaysPresence&) = default;
};
struct FlowCreated {
    ResourceId resource_id;
    GatewayId gateway_id;
    crypto::PublicKey gateway_public_key;
    net::IpAddress gateway_ipv4;
    net::IpAddress gateway_ipv6;
    SiteId site_id;  // `gateway_group_id`
    crypto::PresharedKey preshared_key;
    IceCredentials client_ice_credentials;
    IceCredentials gateway_ice_credentials;
    /// A JSON Web Token; portals of 2026 send one always (spec/newer-dialect.md section 10).
    std::optional<std::string> flow_logs_ingest_token;

    friend bool operator==(const FlowCreated&, const FlowCreated&) = default;
};
enum class FlowFailure { kNotFound, kOffline, kForbidden, kVersionMismatch, kUnknown };
/// As on the wire.
[[nodiscard]] std::string_view to_string(FlowFailure reason);

struct FlowCreationFailed {
    ResourceId resource_id;
    FlowFailure reason = FlowFailure::kUnknown;
    std::vector<std::string> violated_properties;

    friend bool operator==(const FlowCreationFailed&, const FlowCreationFailed&) = default;
};
struct GatewayIceCandidates {
    GatewayId gateway_id;
    std::vector<std::string> candidates;

    friend bool operator==(const GatewayIceCandidates&, const GatewayIceCandidates&) = default;
};
struct InvalidateGatewayIceCandidates {
    GatewayId gateway_id;
    std::vector<std::string> candidates;

    friend bool operator==(const InvalidateGatewayIceCandidates&, const InvalidateGatewayIceCandidates&) = default;
};

// About another client (spec/newer-dialect.md section 12.1).

enum class IceRole : std::uint8_t { kControlling, kControlled };

/// The services of a pool that the receiver is in.
struct PoolGrant {
    ResourceId id;
    std::vector<Filter> filters;

    friend bool operator==(const PoolGrant&, const PoolGrant&) = default;
};
struct DeviceAccessAuthorized {
    ClientId client_id;
    std::string client_name;
    crypto::PublicKey client_public_key;
    net::IpAddress client_ipv4;
    net::IpAddress client_ipv6;
    crypto::PresharedKey preshared_key;
    IceRole ice_role = IceRole::kControlled;
    IceCredentials local_ice_credentials;
    IceCredentials remote_ice_credentials;
    /// Set: the other one may use these of ours. Unset: we asked for access to the other one.
    std::optional<PoolGrant> resource = {};
    std::optional<UnixSeconds> expires_at = {};  ///< Of `resource`; unset: never.
    std::optional<std::string> flow_logs_ingest_token = {};

    friend bool operator==(const DeviceAccessAuthorized&, const DeviceAccessAuthorized&) = default;
};
enum class DeviceAccessRefusal : std::uint8_t {
    kForbidden,
    kOffline,
    kVersionMismatch,
    kAmbiguousAddress,
    kMissingAddress,
    kInvalidAddress,
    kUnknown,
};
/// As on the wire.
[[nodiscard]] std::string_view to_string(DeviceAccessRefusal reason);

struct DeviceAccessDenied {
    /// As it was asked for; both if access ends that nobody asks about.
    std::optional<net::IpAddress> ipv4;
    std::optional<net::IpAddress> ipv6;
    DeviceAccessRefusal reason = DeviceAccessRefusal::kUnknown;
    /// Only for who reads along.
    std::optional<ClientId> client_id = {};

    friend bool operator==(const DeviceAccessDenied&, const DeviceAccessDenied&) = default;
};
/// Of another client, or of a gateway's.
struct ClientIceCandidates {
    ClientId client_id;
    std::vector<std::string> candidates;

    friend bool operator==(const ClientIceCandidates&, const ClientIceCandidates&) = default;
};
struct InvalidateClientIceCandidates {
    ClientId client_id;
    std::vector<std::string> candidates;

    friend bool operator==(const InvalidateClientIceCandidates&, const InvalidateClientIceCandidates&) = default;
};
/// Candidates for the other client did not get there.
struct ClientIceCandidateError {
    ClientId client_id;
    std::string reason;

    friend bool operator==(const ClientIceCandidateError&, const ClientIceCandidateError&) = default;
};
/// The client may no longer use the resource of the gateway, or the pool that the receiver is in.
struct RejectAccess {
    ClientId client_id;
    ResourceId resource_id;

    friend bool operator==(const RejectAccess&, const RejectAccess&) = default;
};
/// What holders of a grant of this pool may use from now on.
struct ResourceFiltersUpdated {
    PoolGrant resource;

    friend bool operator==(const ResourceFiltersUpdated&, const ResourceFiltersUpdated&) = default;
};

using ToClient =
    std::variant<ClientInit, ConfigChanged, ResourceCreatedOrUpdated, DevicePoolCreatedOrUpdated, ResourceDeleted,
                 RelaysPresence, FlowCreated, FlowCreationFailed, GatewayIceCandidates, InvalidateGatewayIceCandidates,
                 DeviceAccessAuthorized, DeviceAccessDenied, ClientIceCandidates, InvalidateClientIceCandidates,
                 ClientIceCandidateError, RejectAccess, ResourceFiltersUpdated>;

// --- Client -> portal (6.2) ---

struct CreateFlow {
    ResourceId resource_id;
    std::vector<GatewayId> connected_gateway_ids;
    /// Of the device, if the resource is a pool: one of the two. Texts, since the portal says what is wrong with them.
    std::optional<std::string> ipv4 = {};
    std::optional<std::string> ipv6 = {};

    friend bool operator==(const CreateFlow&, const CreateFlow&) = default;
};
struct BroadcastGatewayIceCandidates {
    std::vector<GatewayId> gateway_ids;
    std::vector<std::string> candidates;

    friend bool operator==(const BroadcastGatewayIceCandidates&, const BroadcastGatewayIceCandidates&) = default;
};
struct BroadcastInvalidatedGatewayIceCandidates {
    std::vector<GatewayId> gateway_ids;
    std::vector<std::string> candidates;

    friend bool operator==(const BroadcastInvalidatedGatewayIceCandidates&,
                           const BroadcastInvalidatedGatewayIceCandidates&) = default;
};

/// From clients and gateways of 2026: the device has no relay left and asks for the ones there are.
struct NoRelays {
    friend bool operator==(const NoRelays&, const NoRelays&) = default;
};
/// From clients and gateways of 2026, after each join.
struct SnownetCapabilities {
    bool iceless = false;

    friend bool operator==(const SnownetCapabilities&, const SnownetCapabilities&) = default;
};

/// From a gateway to its clients, or from a client to another.
struct BroadcastClientIceCandidates {
    std::vector<ClientId> client_ids;
    std::vector<std::string> candidates;

    friend bool operator==(const BroadcastClientIceCandidates&, const BroadcastClientIceCandidates&) = default;
};
struct BroadcastInvalidatedClientIceCandidates {
    std::vector<ClientId> client_ids;
    std::vector<std::string> candidates;

    friend bool operator==(const BroadcastInvalidatedClientIceCandidates&,
                           const BroadcastInvalidatedClientIceCandidates&) = default;
};

using FromClient =
    std::variant<CreateFlow, BroadcastGatewayIceCandidates, BroadcastInvalidatedGatewayIceCandidates,
                 BroadcastClientIceCandidates, BroadcastInvalidatedClientIceCandidates, NoRelays, SnownetCapabilities>;

// --- Portal -> gateway (7.1) ---

struct GatewayInit {
    Interface interface;
    bool ipv4_masquerade_enabled = true;
    bool ipv6_masquerade_enabled = true;
    std::vector<Relay> relays;
    std::optional<std::string> account_slug;
    std::vector<Authorization> authorizations;
    std::optional<FlowLogSettings> flow_logs;  // portals of 2026 send them always

    friend bool operator==(const GatewayInit&, const GatewayInit&) = default;
};
/// Who asks for access, as told to a gateway. The optional members are for flow logs only.
struct FlowClient {
    ClientId id;
    crypto::PublicKey public_key;
    crypto::PresharedKey preshared_key;
    net::IpAddress ipv4;
    net::IpAddress ipv6;
    std::optional<std::string> version;
    std::optional<std::string> device_os_name;
    std::optional<std::string> device_os_version;
    std::optional<std::string> device_serial;
    std::optional<std::string> device_uuid;
    std::optional<std::string> identifier_for_vendor;
    std::optional<std::string> firebase_installation_id;

    friend bool operator==(const FlowClient&, const FlowClient&) = default;
};
struct Subject {
    std::optional<std::string> identity_id;
    std::optional<std::string> identity_name;
    std::optional<std::string> actor_id;
    std::optional<std::string> actor_email;

    friend bool operator==(const Subject&, const Subject&) = default;
};
struct AuthorizeFlow {
    std::string ref;  // echoed verbatim
    GatewayResource resource;
    FlowClient client;
    IceCredentials client_ice_credentials;
    IceCredentials gateway_ice_credentials;
    Subject subject;
    std::optional<UnixSeconds> expires_at;  // unset: never
    /// A JSON Web Token; portals of 2026 send one always (spec/newer-dialect.md section 10).
    std::optional<std::string> flow_logs_ingest_token;

    friend bool operator==(const AuthorizeFlow&, const AuthorizeFlow&) = default;
};
struct AccessAuthorizationExpiryUpdated {
    ClientId client_id;
    ResourceId resource_id;
    UnixSeconds expires_at;

    friend bool operator==(const AccessAuthorizationExpiryUpdated&, const AccessAuthorizationExpiryUpdated&) = default;
};
struct ResourceUpdated {
    GatewayResource resource;

    friend bool operator==(const ResourceUpdated&, const ResourceUpdated&) = default;
};

using ToGateway = std::variant<GatewayInit, AuthorizeFlow, AccessAuthorizationExpiryUpdated, RejectAccess,
                               ResourceUpdated, RelaysPresence, ClientIceCandidates, InvalidateClientIceCandidates>;

// --- Gateway -> portal (7.2) ---

struct FlowAuthorized {
    std::string ref;

    friend bool operator==(const FlowAuthorized&, const FlowAuthorized&) = default;
};

using FromGateway = std::variant<FlowAuthorized, BroadcastClientIceCandidates, BroadcastInvalidatedClientIceCandidates,
                                 NoRelays, SnownetCapabilities>;

// --- Portal -> relay (8) ---

struct RelayInit {
    friend bool operator==(const RelayInit&, const RelayInit&) = default;
};

/// What the portal says about a user it gave credentials to, known by the salt of his user names.
struct TurnUserRule {
    std::string salt;
    UnixSeconds until;

    friend bool operator==(const TurnUserRule&, const TurnUserRule&) = default;
};
/// An extension of ours, for relays that announce it when they join (kTurnUsersFeature). The newest word about a user
/// counts.
struct TurnUsers {
    /// No user name with this salt counts until then.
    std::vector<TurnUserRule> revoked;
    /// User names with this salt count until then, also those that have expired; lifts a revocation.
    std::vector<TurnUserRule> extended;

    friend bool operator==(const TurnUsers&, const TurnUsers&) = default;
};

/// Stands in the join's `features`. Portals that do not know the member ignore it.
inline constexpr std::string_view kTurnUsersFeature = "turn_users";

using ToRelay = std::variant<RelayInit, TurnUsers>;

}  // namespace culvert::portal_api
