#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/portal/admin_records.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/directory.h"
#include "culvert/portal/flow_log.h"
#include "culvert/portal/list.h"
#include "culvert/portal/token.h"
#include "culvert/turn/constants.h"

/// What the portal needs of a database. Source: spec/portal-product.md sections 1.16 and 1.17.
namespace culvert::portal {

/// The database failed: unreachable, locked, full, damaged. No caller can repair that, so it is thrown; the entry
/// points of the control plane and of the command line catch it. what() is a sentence for a person.
class StorageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What limits registration.
struct RegistrationLimits {
    /// Of one actor (clients) or site (gateways): each device takes a tunnel address for as long as it is remembered.
    std::size_t max_devices = 2000;
    /// A device that was not seen since then loses its public key, and its row, to another one that presents the key.
    UnixSeconds keys_kept_since{};
};

/// What a client says about itself when it connects (spec/portal-protocol.md section 9.2).
struct ClientReport {
    ActorId actor;
    /// What it signed in with.
    std::optional<TokenId> token;
    std::string external_id;
    std::string name;
    crypto::PublicKey public_key;
    std::optional<std::string> device_serial;
    std::optional<std::string> device_uuid;
    std::optional<std::string> identifier_for_vendor;
    std::optional<std::string> firebase_installation_id;
    LastSeen last_seen;
    RegistrationLimits limits{};
};

/// Whether what the client says of its hardware is what it said before; what it did not say before may be anything.
[[nodiscard]] inline bool is_same_machine(const Client& known, const ClientReport& report) {
    const auto is_kept = [](const auto& before, const auto& now) { return !before || before == now; };
    return is_kept(known.device_serial, report.device_serial) && is_kept(known.device_uuid, report.device_uuid) &&
           is_kept(known.identifier_for_vendor, report.identifier_for_vendor) &&
           is_kept(known.firebase_installation_id, report.firebase_installation_id);
}

struct GatewayReport {
    SiteId site;
    std::optional<TokenId> token;
    std::string external_id;
    std::string name;
    crypto::PublicKey public_key;
    LastSeen last_seen;
    RegistrationLimits limits{};
};

struct RelayReport {
    std::optional<TokenId> token;
    std::optional<std::string> name;
    std::optional<net::IpAddress> ipv4;
    std::optional<net::IpAddress> ipv6;
    std::uint16_t port = turn::kRelayPort;
    LastSeen last_seen;
};

enum class RegisterError {
    /// Another device of the account uses this public key, be it a client or a gateway.
    kPublicKeyTaken,
    kNoTunnelAddressLeft,
    /// The device is new, and its actor or site has as many as it may.
    kTooManyDevices,
    /// An administrator revoked it.
    kRevoked,
};

/// What goes with a site or an actor, besides what the directory shows.
struct Dependents {
    std::vector<TokenId> tokens;
    /// Names of the gateways of a site, of the clients of an actor.
    std::vector<std::string> devices;
};

/// Somebody who was given credentials for relays. Relays know him by the salt of his user names.
struct TurnUser {
    std::string salt;
    /// What entitles him: with either of the two, the credentials go.
    TokenId token;
    Uuid device;
    /// No user name that he was given counts longer.
    UnixSeconds until;
};

/// What relays are to refuse: user names with this salt, until the last one has expired by itself.
struct RevokedTurnUser {
    std::string salt;
    UnixSeconds until;

    friend bool operator==(const RevokedTurnUser&, const RevokedTurnUser&) = default;
};

/// One database, used by one thread; other processes may write to it at the same time. Every call throws StorageError.
///
/// A row goes away with each row it cites: deleting a site deletes its gateways, its tokens and their flows, and takes
/// the site off resources; deleting an actor, its memberships, tokens, clients and their flows; and so on.
class Storage {
public:
    Storage() = default;
    virtual ~Storage() = default;
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    /// Runs `work` so that all of its changes are kept or, if it throws, none. Not nested.
    virtual void in_transaction(const std::function<void()>& work) = 0;

    /// Generated together with the database.
    [[nodiscard]] virtual TokenKeys token_keys() = 0;

    // Configuration. put() inserts the row or replaces the one with its id. If it cites a row that does not exist, or
    // is a second membership or policy of the same pair, it throws and changes nothing; likewise the calls below.
    [[nodiscard]] virtual Directory load_directory() = 0;
    /// Deletes the flows of policies that log flows if that is switched on or off for the account.
    virtual void put(const Account& account) = 0;
    virtual void put(const Site& site) = 0;
    /// Deletes the tokens and browser sessions of an actor that is disabled.
    virtual void put(const Actor& actor) = 0;
    virtual void put(const Group& group) = 0;
    virtual void put(const Membership& membership) = 0;
    /// Deletes the resource's flows if address, type or IP stack change, and those through sites and to members that it
    /// lost.
    virtual void put(const Resource& resource) = 0;
    /// Deletes the policy's flows if it is disabled or its group, resource or conditions change, or whether it logs
    /// flows (devices were told with each flow).
    virtual void put(const Policy& policy) = 0;
    virtual void erase(const SiteId& id) = 0;
    virtual void erase(const ActorId& id) = 0;
    virtual void erase(const GroupId& id) = 0;
    virtual void erase(const MembershipId& id) = 0;
    virtual void erase(const ResourceId& id) = 0;
    virtual void erase(const PolicyId& id) = 0;

    /// In ascending order.
    [[nodiscard]] virtual Dependents find_dependents(const SiteId& id) = 0;
    [[nodiscard]] virtual Dependents find_dependents(const ActorId& id) = 0;

    // Tokens
    virtual void put(const Token& token) = 0;
    [[nodiscard]] virtual std::optional<Token> find_token(const TokenId& id) = 0;
    virtual void record_use(const TokenId& id, const LastSeen& last_seen) = 0;
    /// Whether there was such a token.
    virtual bool erase(const TokenId& id) = 0;
    virtual void erase_expired_tokens(UnixSeconds now) = 0;

    // Devices. A new row gets an id, tunnel addresses and a key base that stay for its life. A device that was revoked
    // keeps its row, so that it cannot come back as a new one, but is not found any more and loses its flows. Who is
    // refused has changed nothing.
    /// Whether the device would be refused, but for addresses in the tunnel. Needs no transaction: who is refused here
    /// waits for nobody who writes, and nobody waits for him. Registration asks it again.
    [[nodiscard]] virtual std::optional<RegisterError> find_obstacle(const ClientReport& report) = 0;
    [[nodiscard]] virtual std::optional<RegisterError> find_obstacle(const GatewayReport& report) = 0;
    [[nodiscard]] virtual std::optional<RegisterError> find_obstacle(const RelayReport& report) = 0;
    [[nodiscard]] virtual std::expected<Client, RegisterError> register_client(const ClientReport& report,
                                                                               Rng& rng) = 0;
    [[nodiscard]] virtual std::expected<Gateway, RegisterError> register_gateway(const GatewayReport& report,
                                                                                 Rng& rng) = 0;
    [[nodiscard]] virtual std::expected<RelayServer, RegisterError> register_relay(const RelayReport& report,
                                                                                   Rng& rng) = 0;
    [[nodiscard]] virtual std::optional<Client> find_client(const ClientId& id) = 0;
    [[nodiscard]] virtual bool has_gateway(const GatewayId& id) = 0;
    /// Devices that are connected are seen all the time.
    virtual void record_presence(const std::vector<ClientId>& clients, const std::vector<GatewayId>& gateways,
                                 UnixSeconds now) = 0;
    /// Deletes clients and gateways that were last seen before that, `limit` of each at most. How many there were.
    virtual std::size_t erase_unseen_devices(UnixSeconds seen_before, std::size_t limit) = 0;
    /// The addresses of deleted devices stay taken until two calls are `quarantine` apart: who still believes in the
    /// old device must not meet another one.
    virtual void release_addresses(UnixSeconds now, std::chrono::seconds quarantine) = 0;

    // Users of relays
    /// He is entitled (again). Of a device's users the newest kTurnUsersPerDevice are, others are revoked.
    virtual void put(const TurnUser& user) = 0;
    /// Those whose token or device was deleted, whoever did that, and that are not expired; the newest
    /// first.
    [[nodiscard]] virtual std::vector<RevokedTurnUser> revoked_turn_users(UnixSeconds now) = 0;
    virtual void erase_expired_turn_users(UnixSeconds now) = 0;
    [[nodiscard]] virtual bool has_relay(const RelayId& id) = 0;
    // Each: whether there is such a device, revoked or not.
    virtual bool revoke(const ClientId& id, UnixSeconds now) = 0;
    virtual bool revoke(const GatewayId& id, UnixSeconds now) = 0;
    virtual bool revoke(const RelayId& id, UnixSeconds now) = 0;
    virtual bool erase(const ClientId& id) = 0;
    virtual bool erase(const GatewayId& id) = 0;
    virtual bool erase(const RelayId& id) = 0;

    // Flows
    /// False, and nothing is stored, if there is a flow with this id, or if a row that `flow` cites is gone or no
    /// longer lets the client through to the resource by that gateway: the policy is disabled or leads elsewhere, or
    /// its conditions are others than those that were `met`; the gateway's site lost the resource. Deletes what `flow`
    /// supersedes.
    [[nodiscard]] virtual bool insert(const Flow& flow, const PolicyConditions& met) = 0;
    /// All flows through a gateway, in ascending order of id, expired ones that were not yet deleted included.
    [[nodiscard]] virtual std::vector<Flow> find_flows(const GatewayId& gateway) = 0;
    /// The same between clients: false also if the pool does not name the device.
    [[nodiscard]] virtual bool insert(const DeviceFlow& flow, const PolicyConditions& met) = 0;
    /// All flows to a device, in ascending order of id.
    [[nodiscard]] virtual std::vector<DeviceFlow> find_device_flows(const ClientId& device) = 0;
    // Of both kinds.
    /// Deletes the client's flows that other policies than those of `granting` granted. Whether there were any.
    virtual bool erase_flows_except(const ClientId& client, const std::set<PolicyId>& granting) = 0;
    virtual void erase_expired_flows(UnixSeconds now) = 0;

    // Flows as devices report them
    /// What tokens for reports are signed with. Generated when it is first asked for, and kept.
    [[nodiscard]] virtual portal_api::IngestKey ingest_key(Rng& rng) = 0;
    /// A flow is known by who reports it, its start, protocol and addresses, and the resource. Reports may come again
    /// and in any order: the first one counts, and the first that says how the flow ended, with its paths.
    virtual FlowLogged put(const FlowLogEntry& entry, UnixSeconds now) = 0;
    /// Deletes reports that came in before that, and the oldest of more than `max_records`; `limit` of each at most.
    virtual void erase_flow_logs(UnixSeconds before, std::uint64_t max_records, std::size_t limit) = 0;
    /// The newest come last.
    [[nodiscard]] virtual std::vector<FlowLogEntry> find_flow_logs(const FlowLogQuery& query) = 0;

    // Administrators: how they sign in, and what was done
    /// What is stored of the actor's password (a hash with all that it takes to check it). Goes with the actor.
    virtual void put_password(const ActorId& actor, const std::string& hash) = 0;
    [[nodiscard]] virtual std::optional<std::string> find_password(const ActorId& actor) = 0;
    /// Whether any administrator who is not disabled has a password.
    [[nodiscard]] virtual bool can_administrator_sign_in() = 0;
    virtual void put(const BrowserSession& session) = 0;
    [[nodiscard]] virtual std::optional<BrowserSession> find_browser_session(const std::string& secret_hash) = 0;
    virtual void erase_browser_session(const std::string& secret_hash) = 0;
    /// All of the actor but the one with that hash.
    virtual void erase_browser_sessions(const ActorId& actor, const std::string& but) = 0;
    virtual void erase_expired_browser_sessions(UnixSeconds now) = 0;
    virtual void append(const AuditEntry& entry) = 0;
    /// The newest first. `object_id` empty: of all.
    [[nodiscard]] virtual Listed<AuditEntry> list_audit(const std::string& object_id, const ListRange& range) = 0;
    /// Deletes those from before that, and the oldest of more than `max_entries`.
    virtual void erase_audit(UnixSeconds before, std::size_t max_entries) = 0;

    // Administrators: what there is
    virtual void put_name(const TokenId& token, const std::string& name) = 0;
    /// Of all types, the oldest first.
    [[nodiscard]] virtual std::vector<KnownToken> list_tokens_of(const std::optional<ActorId>& actor,
                                                                 const std::optional<SiteId>& site, TokenType type) = 0;
    /// Those seen last come first. Each: unset means any.
    [[nodiscard]] virtual Listed<KnownClient> list_clients(const std::optional<ActorId>& actor,
                                                           const ListRange& range) = 0;
    [[nodiscard]] virtual std::optional<KnownClient> find_known_client(const ClientId& id) = 0;
    /// How many clients each actor has.
    [[nodiscard]] virtual std::map<ActorId, std::size_t> count_clients() = 0;
    [[nodiscard]] virtual std::vector<KnownGateway> list_gateways() = 0;
    [[nodiscard]] virtual std::vector<KnownRelay> list_relays() = 0;
    [[nodiscard]] virtual Listed<KnownFlow> list_flows(const FlowFilter& filter, const ListRange& range) = 0;
    // Each: whether there is such a device.
    virtual bool rename(const ClientId& id, const std::string& name) = 0;
    /// Since when an administrator knows the very machine; unset: he does not, and its flows go. Registration unsets it
    /// as well, without flows: if the machine no longer says of itself what it said then.
    virtual bool set_verified(const ClientId& id, const std::optional<UnixSeconds>& since) = 0;
    /// It is not refused any more; see revoke().
    virtual bool restore(const ClientId& id) = 0;
    virtual bool restore(const GatewayId& id) = 0;
};

}  // namespace culvert::portal
