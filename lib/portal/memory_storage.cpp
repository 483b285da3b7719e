#include "culvert/portal/memory_storage.h"

#include <algorithm>
#include <set>
#include <utility>

#include "culvert/portal/tunnel_addresses.h"

namespace culvert::portal {
namespace {

/// What foreign keys and unique indices see to in a database.
void require(bool holds) {
    if (!holds) {
        throw StorageError{"a row cites one that does not exist, or repeats one that must be unique"};
    }
}

/// Whether a row other than `row` has the same `key`.
template <typename Rows, typename Row, typename Key>
bool is_unique(const Rows& rows, const Row& row, const Key& key) {
    return std::ranges::none_of(
        rows, [&](const auto& other) { return other.first != row.id && key(other.second) == key(row); });
}

}  // namespace

MemoryStorage::MemoryStorage(Rng& rng) : keys_{TokenKeys::generate(rng)} {
    rows_.directory.account = {AccountId::random(rng), "Default", "default", std::nullopt, {}};
}

void MemoryStorage::in_transaction(const std::function<void()>& work) {
    auto before = rows_;
    try {
        work();
    } catch (...) {
        rows_ = std::move(before);
        throw;
    }
}

void MemoryStorage::put(const Membership& membership) {
    auto& directory = rows_.directory;
    require(directory.actors.contains(membership.actor) && directory.groups.contains(membership.group));
    require(is_unique(directory.memberships, membership,
                      [](const Membership& row) { return std::pair{row.actor, row.group}; }));
    directory.memberships[membership.id] = membership;
}

void MemoryStorage::put(const Resource& resource) {
    require(
        std::ranges::all_of(resource.sites, [&](const SiteId& site) { return rows_.directory.sites.contains(site); }));
    auto& stored = rows_.directory.resources[resource.id];
    const auto before = std::exchange(stored, resource);
    const bool moved =
        before.address != resource.address || before.type != resource.type || before.ip_stack != resource.ip_stack;
    std::erase_if(rows_.flows, [&](const auto& row) {
        return row.second.resource == resource.id &&
               (moved || std::ranges::count(resource.sites, rows_.gateways.at(row.second.gateway).site) == 0);
    });
}

void MemoryStorage::put(const Policy& policy) {
    auto& directory = rows_.directory;
    require(directory.groups.contains(policy.group) && directory.resources.contains(policy.resource));
    require(
        is_unique(directory.policies, policy, [](const Policy& row) { return std::pair{row.group, row.resource}; }));
    auto& stored = directory.policies[policy.id];
    const auto before = std::exchange(stored, policy);
    if (policy.is_disabled || before.group != policy.group || before.resource != policy.resource ||
        before.conditions != policy.conditions) {
        std::erase_if(rows_.flows, [&](const auto& row) { return row.second.policy == policy.id; });
    }
}

template <typename Table, typename Id>
bool MemoryStorage::erase_from(Table& table, const Id& id) {
    const bool existed = table.erase(id) > 0;
    cascade();
    return existed;
}

void MemoryStorage::erase(const SiteId& id) {
    erase_from(rows_.directory.sites, id);
}
void MemoryStorage::erase(const ActorId& id) {
    erase_from(rows_.directory.actors, id);
}
void MemoryStorage::erase(const GroupId& id) {
    erase_from(rows_.directory.groups, id);
}
void MemoryStorage::erase(const MembershipId& id) {
    erase_from(rows_.directory.memberships, id);
}
void MemoryStorage::erase(const ResourceId& id) {
    erase_from(rows_.directory.resources, id);
}
void MemoryStorage::erase(const PolicyId& id) {
    erase_from(rows_.directory.policies, id);
}

void MemoryStorage::put(const Token& token) {
    const auto& directory = rows_.directory;
    require((!token.account || *token.account == directory.account.id) &&
            (!token.actor || directory.actors.contains(*token.actor)) &&
            (!token.site || directory.sites.contains(*token.site)));
    rows_.tokens[token.id] = token;
}

std::optional<Token> MemoryStorage::find_token(const TokenId& id) {
    const auto token = rows_.tokens.find(id);
    return token == rows_.tokens.end() ? std::nullopt : std::optional{token->second};
}

bool MemoryStorage::erase(const TokenId& id) {
    return erase_from(rows_.tokens, id);
}

void MemoryStorage::erase_expired_tokens(UnixSeconds now) {
    std::erase_if(rows_.tokens, [&](const auto& row) { return row.second.is_expired(now); });
    cascade();
}

std::expected<Client, RegisterError> MemoryStorage::register_client(const ClientReport& report, Rng& rng) {
    Client* known = nullptr;
    for (auto& [id, client] : rows_.clients) {
        if (client.actor != report.actor) {
            continue;
        }
        if (client.external_id == report.external_id) {
            known = &client;
        } else if (client.public_key == report.public_key) {
            return std::unexpected{RegisterError::kPublicKeyTaken};
        }
    }
    if (known == nullptr) {
        require(rows_.directory.actors.contains(report.actor));
        const auto id = ClientId::random(rng);
        const auto ipv4 = free_address(net::Family::kIpv4, rng);
        const auto ipv6 = free_address(net::Family::kIpv6, rng);
        if (!ipv4 || !ipv6) {
            return std::unexpected{RegisterError::kNoTunnelAddressLeft};
        }
        known = &rows_.clients[id];
        known->id = id;
        known->actor = report.actor;
        known->external_id = report.external_id;
        known->name = report.name;
        known->psk_base = crypto::Secret<32>::random(rng);
        known->ipv4 = *ipv4;
        known->ipv6 = *ipv6;
    }
    known->public_key = report.public_key;
    known->device_serial = report.device_serial;
    known->device_uuid = report.device_uuid;
    known->identifier_for_vendor = report.identifier_for_vendor;
    known->firebase_installation_id = report.firebase_installation_id;
    known->last_seen = report.last_seen;
    return *known;
}

std::expected<Gateway, RegisterError> MemoryStorage::register_gateway(const GatewayReport& report, Rng& rng) {
    Gateway* known = nullptr;
    for (auto& [id, gateway] : rows_.gateways) {
        if (gateway.site == report.site && gateway.external_id == report.external_id) {
            known = &gateway;
        } else if (gateway.public_key == report.public_key) {
            return std::unexpected{RegisterError::kPublicKeyTaken};
        }
    }
    if (known == nullptr) {
        require(rows_.directory.sites.contains(report.site));
        const auto id = GatewayId::random(rng);
        const auto ipv4 = free_address(net::Family::kIpv4, rng);
        const auto ipv6 = free_address(net::Family::kIpv6, rng);
        if (!ipv4 || !ipv6) {
            return std::unexpected{RegisterError::kNoTunnelAddressLeft};
        }
        known = &rows_.gateways[id];
        known->id = id;
        known->site = report.site;
        known->external_id = report.external_id;
        known->psk_base = crypto::Secret<32>::random(rng);
        known->ipv4 = *ipv4;
        known->ipv6 = *ipv6;
    }
    known->name = report.name;
    known->public_key = report.public_key;
    known->last_seen = report.last_seen;
    return *known;
}

RelayServer MemoryStorage::register_relay(const RelayReport& report, Rng& rng) {
    const auto key = [](const auto& relay) { return std::pair{relay.ipv4 ? relay.ipv4 : relay.ipv6, relay.port}; };
    RelayId id = RelayId::random(rng);
    for (const auto& [known, relay] : rows_.relays) {
        if (key(relay) == key(report)) {
            id = known;
        }
    }
    return rows_.relays[id] = {id, report.name, report.ipv4, report.ipv6, report.port, report.last_seen};
}

std::optional<Client> MemoryStorage::find_client(const ClientId& id) {
    const auto client = rows_.clients.find(id);
    return client == rows_.clients.end() ? std::nullopt : std::optional{client->second};
}

bool MemoryStorage::insert(const Flow& flow) {
    if (rows_.flows.contains(flow.id) || !cites_existing_rows(flow) || !is_granted(flow)) {
        return false;
    }
    std::erase_if(rows_.flows, [&](const auto& row) { return supersedes(flow, row.second); });
    rows_.flows.emplace(flow.id, flow);
    return true;
}

std::vector<Flow> MemoryStorage::find_flows(const GatewayId& gateway) {
    std::vector<Flow> flows;
    for (const auto& [id, flow] : rows_.flows) {
        if (flow.gateway == gateway) {
            flows.push_back(flow);
        }
    }
    return flows;
}

bool MemoryStorage::erase_flows_except(const ClientId& client, const std::set<ResourceId>& reachable) {
    return std::erase_if(rows_.flows, [&](const auto& row) {
               return row.second.client == client && !reachable.contains(row.second.resource);
           }) > 0;
}

void MemoryStorage::erase_expired_flows(UnixSeconds now) {
    std::erase_if(rows_.flows, [&](const auto& row) { return row.second.expires_at <= now; });
}

void MemoryStorage::cascade() {
    auto& directory = rows_.directory;
    for (auto& [id, resource] : directory.resources) {
        std::erase_if(resource.sites, [&](const SiteId& site) { return !directory.sites.contains(site); });
    }
    std::erase_if(directory.memberships, [&](const auto& row) {
        return !directory.actors.contains(row.second.actor) || !directory.groups.contains(row.second.group);
    });
    std::erase_if(directory.policies, [&](const auto& row) {
        return !directory.groups.contains(row.second.group) || !directory.resources.contains(row.second.resource);
    });
    std::erase_if(rows_.tokens, [&](const auto& row) {
        return (row.second.actor && !directory.actors.contains(*row.second.actor)) ||
               (row.second.site && !directory.sites.contains(*row.second.site));
    });
    std::erase_if(rows_.clients, [&](const auto& row) { return !directory.actors.contains(row.second.actor); });
    std::erase_if(rows_.gateways, [&](const auto& row) { return !directory.sites.contains(row.second.site); });
    std::erase_if(rows_.flows, [&](const auto& row) { return !cites_existing_rows(row.second); });
}

bool MemoryStorage::cites_existing_rows(const Flow& flow) const {
    return rows_.clients.contains(flow.client) && rows_.gateways.contains(flow.gateway) &&
           rows_.directory.resources.contains(flow.resource) && rows_.directory.policies.contains(flow.policy) &&
           rows_.directory.memberships.contains(flow.membership) && rows_.tokens.contains(flow.token);
}

bool MemoryStorage::is_granted(const Flow& flow) const {
    const auto& policy = rows_.directory.policies.at(flow.policy);
    const auto& membership = rows_.directory.memberships.at(flow.membership);
    const auto& sites = rows_.directory.resources.at(flow.resource).sites;
    return !policy.is_disabled && !policy.has_conditions() && policy.resource == flow.resource &&
           policy.group == membership.group && membership.actor == rows_.clients.at(flow.client).actor &&
           std::ranges::count(sites, rows_.gateways.at(flow.gateway).site) > 0;
}

std::optional<net::IpAddress> MemoryStorage::free_address(net::Family family, Rng& rng) const {
    std::set<net::IpAddress> taken;
    for (const auto& [id, client] : rows_.clients) {
        taken.insert({client.ipv4, client.ipv6});
    }
    for (const auto& [id, gateway] : rows_.gateways) {
        taken.insert({gateway.ipv4, gateway.ipv6});
    }
    return allocate_tunnel_address(family, rng, [&](const net::IpAddress& address) { return taken.contains(address); });
}

}  // namespace culvert::portal
