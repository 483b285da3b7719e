#pragma once

#include <map>
#include <set>
#include <vector>

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

    Directory load_directory() override { return rows_.directory; }
    void put(const Account& account) override { rows_.directory.account = account; }
    void put(const Site& site) override { rows_.directory.sites[site.id] = site; }
    void put(const Actor& actor) override { rows_.directory.actors[actor.id] = actor; }
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

    void put(const Token& token) override;
    std::optional<Token> find_token(const TokenId& id) override;
    /// Kept for administrators, who have no view of this storage.
    void record_use(const TokenId&, const LastSeen&) override {}
    bool erase(const TokenId& id) override;
    void erase_expired_tokens(UnixSeconds now) override;

    std::expected<Client, RegisterError> register_client(const ClientReport& report, Rng& rng) override;
    std::expected<Gateway, RegisterError> register_gateway(const GatewayReport& report, Rng& rng) override;
    RelayServer register_relay(const RelayReport& report, Rng& rng) override;
    std::optional<Client> find_client(const ClientId& id) override;
    bool has_gateway(const GatewayId& id) override { return rows_.gateways.contains(id); }

    bool insert(const Flow& flow) override;
    std::vector<Flow> find_flows(const GatewayId& gateway) override;
    bool erase_flows_except(const ClientId& client, const std::set<ResourceId>& reachable) override;
    void erase_expired_flows(UnixSeconds now) override;

private:
    struct Rows {
        Directory directory;
        std::map<TokenId, Token> tokens;
        std::map<ClientId, Client> clients;
        std::map<GatewayId, Gateway> gateways;
        std::map<RelayId, RelayServer> relays;
        std::map<FlowId, Flow> flows;
    };

    /// Deletes every row that cites a row that is gone.
    template <typename Table, typename Id>
    bool erase_from(Table& table, const Id& id);
    void cascade();
    [[nodiscard]] bool cites_existing_rows(const Flow& flow) const;
    /// Whether what `flow` cites, which exists, still lets the client through.
    [[nodiscard]] bool is_granted(const Flow& flow) const;
    [[nodiscard]] std::optional<net::IpAddress> free_address(net::Family family, Rng& rng) const;

    TokenKeys keys_;
    Rows rows_;
};

}  // namespace culvert::portal
