#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "culvert/portal/address_pool.h"
#include "culvert/portal/storage.h"

namespace culvert::portal {

/// A database that lives as long as the process: for simulations and tests. A transaction that fails is undone by
/// putting a copy back.
class MemoryStorage : public Storage {
public:
    /// With an account called "Default" and fresh token keys.
    explicit MemoryStorage(Rng& rng);

    void in_transaction(const std::function<void()>& work) override;
    TokenKeys token_keys() override { return keys_; }

    Directory load_directory() override;
    void put(const Account& account) override;
    void put(const Site& site) override { rows_.directory.sites[site.id] = site; }
    void put(const Actor& actor) override;
    void put(const Group& group) override { rows_.directory.groups[group.id] = group; }
    void put(const Membership& membership) override;
    void put(const Resource& resource) override;
    void put(const Policy& policy) override;
    void erase(const SiteId& id) override;
    void erase(const ActorId& id) override;
    void erase(const GroupId& id) override;
    void erase(const MembershipId& id) override;
    void erase(const ResourceId& id) override;
    void erase(const PolicyId& id) override;

    Dependents find_dependents(const SiteId& id) override;
    Dependents find_dependents(const ActorId& id) override;

    void put(const Token& token) override;
    std::optional<Token> find_token(const TokenId& id) override;
    /// Kept for administrators, who have no view of this storage.
    void record_use(const TokenId&, const LastSeen&) override {}
    bool erase(const TokenId& id) override;
    void erase_expired_tokens(UnixSeconds now) override;

    std::optional<RegisterError> find_obstacle(const ClientReport& report) override;
    std::optional<RegisterError> find_obstacle(const GatewayReport& report) override;
    std::optional<RegisterError> find_obstacle(const RelayReport& report) override;
    std::expected<Client, RegisterError> register_client(const ClientReport& report, Rng& rng) override;
    std::expected<Gateway, RegisterError> register_gateway(const GatewayReport& report, Rng& rng) override;
    std::expected<RelayServer, RegisterError> register_relay(const RelayReport& report, Rng& rng) override;
    std::optional<Client> find_client(const ClientId& id) override;
    void record_presence(const std::vector<ClientId>& clients, const std::vector<GatewayId>& gateways,
                         UnixSeconds now) override;
    std::size_t erase_unseen_devices(UnixSeconds seen_before, std::size_t limit) override;
    void release_addresses(UnixSeconds now, std::chrono::seconds quarantine) override;

    void put(const TurnUser& user) override;
    std::vector<RevokedTurnUser> revoked_turn_users(UnixSeconds now) override;
    void erase_expired_turn_users(UnixSeconds now) override;
    bool has_gateway(const GatewayId& id) override;
    bool has_relay(const RelayId& id) override;
    bool revoke(const ClientId& id, UnixSeconds now) override;
    bool revoke(const GatewayId& id, UnixSeconds now) override;
    bool revoke(const RelayId& id, UnixSeconds now) override;
    bool erase(const ClientId& id) override;
    bool erase(const GatewayId& id) override;
    bool erase(const RelayId& id) override;

    bool insert(const DeviceFlow& flow, const PolicyConditions& met) override;
    std::vector<DeviceFlow> find_device_flows(const ClientId& device) override;
    bool insert(const Flow& flow, const PolicyConditions& met) override;
    std::vector<Flow> find_flows(const GatewayId& gateway) override;
    bool erase_flows_except(const ClientId& client, const std::set<PolicyId>& granting) override;
    void erase_expired_flows(UnixSeconds now) override;

    portal_api::IngestKey ingest_key(Rng& rng) override;
    FlowLogged put(const FlowLogEntry& entry, UnixSeconds now) override;
    void erase_flow_logs(UnixSeconds before, std::uint64_t max_records, std::size_t limit) override;
    std::vector<FlowLogEntry> find_flow_logs(const FlowLogQuery& query) override;

    void put_password(const ActorId& actor, const std::string& hash) override;
    std::optional<std::string> find_password(const ActorId& actor) override;
    bool can_administrator_sign_in() override;
    void put(const BrowserSession& session) override;
    std::optional<BrowserSession> find_browser_session(const std::string& secret_hash) override;
    void erase_browser_session(const std::string& secret_hash) override;
    void erase_browser_sessions(const ActorId& actor, const std::string& but) override;
    void erase_expired_browser_sessions(UnixSeconds now) override;
    void append(const AuditEntry& entry) override;
    Listed<AuditEntry> list_audit(const std::string& object_id, const ListRange& range) override;
    void erase_audit(UnixSeconds before, std::size_t max_entries) override;

    void put_name(const TokenId& token, const std::string& name) override;
    std::vector<KnownToken> list_tokens_of(const std::optional<ActorId>& actor, const std::optional<SiteId>& site,
                                           TokenType type) override;
    Listed<KnownClient> list_clients(const std::optional<ActorId>& actor, const ListRange& range) override;
    std::optional<KnownClient> find_known_client(const ClientId& id) override;
    std::map<ActorId, std::size_t> count_clients() override;
    std::vector<KnownGateway> list_gateways() override;
    std::vector<KnownRelay> list_relays() override;
    Listed<KnownFlow> list_flows(const FlowFilter& filter, const ListRange& range) override;
    bool rename(const ClientId& id, const std::string& name) override;
    bool set_verified(const ClientId& id, const std::optional<UnixSeconds>& since) override;
    bool restore(const ClientId& id) override;
    bool restore(const GatewayId& id) override;

private:
    struct TurnUserRow {
        TurnUser user;
        std::uint64_t number = 0;  // greater is newer
        bool is_revoked = false;
    };
    struct FlowLogRow {
        FlowLogEntry entry;
        UnixSeconds received_at;
    };
    struct Rows {
        Directory directory;
        std::map<TokenId, Token> tokens;
        std::map<ClientId, Client> clients;
        std::map<GatewayId, Gateway> gateways;
        std::map<RelayId, RelayServer> relays;
        std::map<FlowId, Flow> flows;
        std::map<FlowId, DeviceFlow> device_flows;
        std::map<std::string, TurnUserRow> turn_users;
        std::uint64_t last_turn_user = 0;
        /// Addresses of deleted devices, and since when that is known.
        std::map<net::IpAddress, std::optional<UnixSeconds>> quarantine;
        /// Of devices of all kinds.
        std::set<Uuid> revoked;
        std::optional<portal_api::IngestKey> ingest_key;
        /// By number: the order in which they came.
        std::map<std::uint64_t, FlowLogRow> flow_logs;
        std::uint64_t last_flow_log = 0;
        std::map<ActorId, std::string> passwords;
        std::map<std::string, BrowserSession> browser_sessions;
        std::map<std::uint64_t, AuditEntry> audit;
        std::uint64_t last_audit = 0;
        std::map<TokenId, std::string> token_names;
    };

    /// What foreign keys and unique indices see to in a database. Throws StorageError.
    static void require(bool holds);
    template <typename Table, typename Id>
    bool erase_from(Table& table, const Id& id);
    template <typename Table, typename Id>
    bool erase_device(Table& table, const Id& id);
    /// Deletes every row that cites a row that is gone.
    void cascade();
    [[nodiscard]] bool cites_existing_rows(const Flow& flow) const;
    /// Whether what `flow` cites, which exists, still lets the client through.
    [[nodiscard]] bool is_granted(const Flow& flow, const PolicyConditions& met) const;
    [[nodiscard]] bool cites_existing_rows(const DeviceFlow& flow) const;
    [[nodiscard]] bool is_granted(const DeviceFlow& flow, const PolicyConditions& met) const;
    [[nodiscard]] static bool is_member(const Resource& pool, const Client& client);
    template <typename Row>
    [[nodiscard]] bool has_grant(const Row& flow, const PolicyConditions& met) const;
    /// Who else has a public key: nobody, one that may keep it, or one that was not seen for so long that it may not.
    enum class KeyHolder : std::uint8_t { kNobody, kDevice, kForgotten };
    [[nodiscard]] KeyHolder holder_of(const crypto::PublicKey& key, const Uuid& device, UnixSeconds kept_since) const;
    /// A client or gateway that nothing keeps from being registered, but for addresses.
    template <typename Id>
    struct Eligible {
        std::optional<Id> known;
        KeyHolder holder = KeyHolder::kNobody;
    };
    [[nodiscard]] std::expected<Eligible<ClientId>, RegisterError> examine(const ClientReport& report) const;
    [[nodiscard]] std::expected<Eligible<GatewayId>, RegisterError> examine(const GatewayReport& report) const;
    template <typename Table, typename Report, typename IsOwners>
    [[nodiscard]] auto examine(const Table& table, const Report& report, const IsOwners& is_owners) const
        -> std::expected<Eligible<typename Table::key_type>, RegisterError>;
    [[nodiscard]] std::optional<RelayId> find_relay(const RelayReport& report) const;
    /// Deletes whoever else has the key.
    void take_key(const crypto::PublicKey& key, const Uuid& device);
    [[nodiscard]] std::optional<std::pair<net::IpAddress, net::IpAddress>> free_addresses(Rng& rng);
    void revoke_turn_users();
    [[nodiscard]] KnownClient known(const Client& client) const;
    template <typename Devices>
    void quarantine_gone(const Devices& before, const Devices& after);

    TokenKeys keys_;
    Rows rows_;
    /// Of `rows_`; made anew when it is needed.
    std::optional<AddressPool> pool_;
};

}  // namespace culvert::portal
