#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "culvert/portal/storage.h"
#include "sqlite.h"

namespace culvert::portal_server {

/// The portal's database in one file, or in memory with ":memory:". Several processes may have it open.
class SqliteStorage final : public portal::Storage {
public:
    /// Opens or creates the database and migrates its schema. Throws StorageError.
    SqliteStorage(const std::filesystem::path& path, Rng& rng);

    /// Changes whenever another process changed something.
    [[nodiscard]] std::int64_t foreign_changes() { return database_.data_version(); }

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

    void put(const portal::Token& token) override;
    std::optional<portal::Token> find_token(const portal::TokenId& id) override;
    void record_use(const portal::TokenId& id, const portal::LastSeen& last_seen) override;
    bool erase(const portal::TokenId& id) override;
    void erase_expired_tokens(UnixSeconds now) override;

    std::expected<portal::Client, portal::RegisterError> register_client(const portal::ClientReport& report,
                                                                         Rng& rng) override;
    std::expected<portal::Gateway, portal::RegisterError> register_gateway(const portal::GatewayReport& report,
                                                                           Rng& rng) override;
    portal::RelayServer register_relay(const portal::RelayReport& report, Rng& rng) override;
    std::optional<portal::Client> find_client(const ClientId& id) override;
    bool has_gateway(const GatewayId& id) override;

    bool insert(const portal::Flow& flow) override;
    std::vector<portal::Flow> find_flows(const GatewayId& gateway) override;
    bool erase_flows_except(const ClientId& client, const std::set<ResourceId>& reachable) override;
    void erase_expired_flows(UnixSeconds now) override;

private:
    /// Executes a statement whose constraints hold by construction.
    void must_execute(Statement statement);
    void erase_row(std::string_view sql, const Uuid& id);
    [[nodiscard]] std::optional<net::IpAddress> free_address(net::Family family, Rng& rng);

    std::string path_;
    Database database_;
    std::string account_id_;
};

}  // namespace culvert::portal_server
