#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/portal/inventory.h"
#include "apps/portal/sqlite.h"
#include "apps/portal/sqlite_addresses.h"
#include "culvert/portal/storage.h"

namespace culvert::portal_server {

/// The portal's database in one file, or in memory with ":memory:". Several processes may have it open.
class SqliteStorage final : public portal::Storage {
public:
    /// Opens or creates the database and migrates its schema. Throws StorageError.
    SqliteStorage(const std::filesystem::path& path, Rng& rng);

    /// Changes whenever another process changed something. Throws StorageError, also if the database's file is gone.
    [[nodiscard]] std::int64_t foreign_changes() {
        database_.check_file();
        return database_.data_version();
    }

    /// Files of the database that other users of the machine may read.
    [[nodiscard]] std::vector<std::filesystem::path> exposed_files() const { return database_.exposed_files(); }

    /// Writes as much as a device's registration does. Throws StorageError if that is not possible, or hardly so.
    void try_to_write();

    /// All tokens and all devices, the oldest first, for people.
    [[nodiscard]] std::vector<TokenListing> list_tokens();
    [[nodiscard]] std::vector<DeviceListing> list_devices();

    void set_lock_timeout(std::chrono::milliseconds timeout) { database_.set_lock_timeout(timeout); }

    void in_transaction(const std::function<void()>& work) override;
    portal::TokenKeys token_keys() override;

    portal::Directory load_directory() override;
    void put(const portal::Account& account) override;
    void put(const portal::Site& site) override;
    void put(const portal::Actor& actor) override;
    void put(const portal::Group& group) override;
    void put(const portal::Membership& membership) override;
    void put(const portal::Resource& resource) override;
    void put(const portal::Policy& policy) override;
    void erase(const SiteId& id) override;
    void erase(const portal::ActorId& id) override;
    void erase(const portal::GroupId& id) override;
    void erase(const portal::MembershipId& id) override;
    void erase(const ResourceId& id) override;
    void erase(const portal::PolicyId& id) override;

    portal::Dependents find_dependents(const SiteId& id) override;
    portal::Dependents find_dependents(const portal::ActorId& id) override;

    void put(const portal::Token& token) override;
    std::optional<portal::Token> find_token(const portal::TokenId& id) override;
    void record_use(const portal::TokenId& id, const portal::LastSeen& last_seen) override;
    bool erase(const portal::TokenId& id) override;
    void erase_expired_tokens(UnixSeconds now) override;

    std::optional<portal::RegisterError> find_obstacle(const portal::ClientReport& report) override;
    std::optional<portal::RegisterError> find_obstacle(const portal::GatewayReport& report) override;
    std::optional<portal::RegisterError> find_obstacle(const portal::RelayReport& report) override;
    std::expected<portal::Client, portal::RegisterError> register_client(const portal::ClientReport& report,
                                                                         Rng& rng) override;
    std::expected<portal::Gateway, portal::RegisterError> register_gateway(const portal::GatewayReport& report,
                                                                           Rng& rng) override;
    std::expected<portal::RelayServer, portal::RegisterError> register_relay(const portal::RelayReport& report,
                                                                             Rng& rng) override;
    std::optional<portal::Client> find_client(const ClientId& id) override;
    bool has_gateway(const GatewayId& id) override;
    void record_presence(const std::vector<ClientId>& clients, const std::vector<GatewayId>& gateways,
                         UnixSeconds now) override;
    std::size_t erase_unseen_devices(UnixSeconds seen_before, std::size_t limit) override;
    void release_addresses(UnixSeconds now, std::chrono::seconds quarantine) override {
        addresses_.release(now, quarantine);
    }

    void put(const portal::TurnUser& user) override;
    std::vector<portal::RevokedTurnUser> revoked_turn_users(UnixSeconds now) override;
    void erase_expired_turn_users(UnixSeconds now) override;
    bool has_relay(const RelayId& id) override;
    bool revoke(const ClientId& id, UnixSeconds now) override;
    bool revoke(const GatewayId& id, UnixSeconds now) override;
    bool revoke(const RelayId& id, UnixSeconds now) override;
    bool erase(const ClientId& id) override;
    bool erase(const GatewayId& id) override;
    bool erase(const RelayId& id) override;

    bool insert(const portal::DeviceFlow& flow, const portal::PolicyConditions& met) override;
    std::vector<portal::DeviceFlow> find_device_flows(const ClientId& device) override;
    bool insert(const portal::Flow& flow, const portal::PolicyConditions& met) override;
    std::vector<portal::Flow> find_flows(const GatewayId& gateway) override;
    bool erase_flows_except(const ClientId& client, const std::set<portal::PolicyId>& granting) override;
    void erase_expired_flows(UnixSeconds now) override;

    portal_api::IngestKey ingest_key(Rng& rng) override;
    portal::FlowLogged put(const portal::FlowLogEntry& entry, UnixSeconds now) override;
    void erase_flow_logs(UnixSeconds before, std::uint64_t max_records, std::size_t limit) override;
    std::vector<portal::FlowLogEntry> find_flow_logs(const portal::FlowLogQuery& query) override;

    void put_password(const portal::ActorId& actor, const std::string& hash) override;
    std::optional<std::string> find_password(const portal::ActorId& actor) override;
    bool can_administrator_sign_in() override;
    void put(const portal::BrowserSession& session) override;
    std::optional<portal::BrowserSession> find_browser_session(const std::string& secret_hash) override;
    void erase_browser_session(const std::string& secret_hash) override;
    void erase_browser_sessions(const portal::ActorId& actor, const std::string& but) override;
    void erase_expired_browser_sessions(UnixSeconds now) override;
    void append(const portal::AuditEntry& entry) override;
    portal::Listed<portal::AuditEntry> list_audit(const std::string& object_id,
                                                  const portal::ListRange& range) override;
    void erase_audit(UnixSeconds before, std::size_t max_entries) override;

    void put_name(const portal::TokenId& token, const std::string& name) override;
    std::vector<portal::KnownToken> list_tokens_of(const std::optional<portal::ActorId>& actor,
                                                   const std::optional<SiteId>& site, portal::TokenType type) override;
    portal::Listed<portal::KnownClient> list_clients(const std::optional<portal::ActorId>& actor,
                                                     const portal::ListRange& range) override;
    std::optional<portal::KnownClient> find_known_client(const ClientId& id) override;
    std::map<portal::ActorId, std::size_t> count_clients() override;
    std::vector<portal::KnownGateway> list_gateways() override;
    std::vector<portal::KnownRelay> list_relays() override;
    portal::Listed<portal::KnownFlow> list_flows(const portal::FlowFilter& filter,
                                                 const portal::ListRange& range) override;
    bool rename(const ClientId& id, const std::string& name) override;
    bool set_verified(const ClientId& id, const std::optional<UnixSeconds>& since) override;
    bool restore(const ClientId& id) override;
    bool restore(const GatewayId& id) override;

private:
    void erase_row(std::string_view sql, const Uuid& id);
    /// Who else has a public key: nobody, one that may keep it, or one that was not seen for so long that it may not.
    enum class KeyHolder : std::uint8_t { kNobody, kDevice, kForgotten };
    [[nodiscard]] KeyHolder holder_of(const crypto::PublicKey& key, const Uuid& device, UnixSeconds kept_since);
    /// A client or gateway that nothing keeps from being registered, but for addresses.
    struct Eligible {
        std::optional<Uuid> known;
        KeyHolder holder = KeyHolder::kNobody;
    };
    [[nodiscard]] std::expected<Eligible, portal::RegisterError> examine(const portal::ClientReport& report);
    [[nodiscard]] std::expected<Eligible, portal::RegisterError> examine(const portal::GatewayReport& report);
    /// `select_known` takes owner and external id; `count_others` owner and public key.
    [[nodiscard]] std::expected<Eligible, portal::RegisterError> examine(
        std::string_view select_known, std::string_view count_others, const Uuid& owner, const std::string& external_id,
        const crypto::PublicKey& key, const portal::RegistrationLimits& limits);
    /// Where a device is to be written.
    struct Place {
        Uuid device;
        /// Of a new device, of which there is no row yet.
        std::optional<std::pair<net::IpAddress, net::IpAddress>> addresses;
    };
    /// Refuses, or takes the key from whoever is forgotten: the first thing that is written, and the last that may
    /// fail.
    template <typename Report>
    [[nodiscard]] std::expected<Place, portal::RegisterError> make_place(const Report& report, Rng& rng);
    /// Deletes whoever else has the key.
    void take_key(const crypto::PublicKey& key, const Uuid& device);
    void put_members(const std::string& pool, std::set<portal::PoolMember> missing);
    portal::Dependents find_dependents(std::string_view tokens_sql, std::string_view devices_sql, const Uuid& id);
    bool revoke_row(std::string_view sql, const Uuid& id, UnixSeconds now);
    [[nodiscard]] bool has_row(std::string_view sql, const Uuid& id);

    std::string path_;
    Database database_;
    std::string account_id_;
    AddressTable addresses_;
};

}  // namespace culvert::portal_server
