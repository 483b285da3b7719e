#include "culvert/portal/memory_storage.h"

#include <algorithm>
#include <utility>

namespace culvert::portal {
namespace {

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

void MemoryStorage::require(bool holds) {
    if (!holds) {
        throw StorageError{"a row cites one that does not exist, or repeats one that must be unique"};
    }
}

void MemoryStorage::in_transaction(const std::function<void()>& work) {
    auto before = rows_;
    try {
        work();
    } catch (...) {
        rows_ = std::move(before);
        pool_.reset();
        throw;
    }
}

void MemoryStorage::put(const Account& account) {
    auto& directory = rows_.directory;
    const bool is_switched = directory.account.flow_logging.is_on != account.flow_logging.is_on;
    directory.account = account;
    if (is_switched) {
        const auto is_logged_otherwise = [&](const auto& row) {
            return directory.policies.at(row.second.policy).logs_flows;
        };
        std::erase_if(rows_.flows, is_logged_otherwise);
        std::erase_if(rows_.device_flows, is_logged_otherwise);
    }
}

void MemoryStorage::put(const Actor& actor) {
    rows_.directory.actors[actor.id] = actor;
    if (!actor.is_disabled) {
        return;
    }
    for (const auto& token : find_dependents(actor.id).tokens) {
        erase(token);
    }
    erase_browser_sessions(actor.id, "");
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
    require(std::ranges::all_of(
        resource.members, [&](const PoolMember& member) { return rows_.directory.actors.contains(member.actor); }));
    auto& stored = rows_.directory.resources[resource.id];
    const auto before = std::exchange(stored, resource);
    const bool moved =
        before.address != resource.address || before.type != resource.type || before.ip_stack != resource.ip_stack;
    std::erase_if(rows_.flows, [&](const auto& row) {
        return row.second.resource == resource.id &&
               (moved || std::ranges::count(resource.sites, rows_.gateways.at(row.second.gateway).site) == 0);
    });
    std::erase_if(rows_.device_flows, [&](const auto& row) {
        return row.second.resource == resource.id &&
               (moved || !is_member(resource, rows_.clients.at(row.second.device)));
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
        before.conditions != policy.conditions || before.logs_flows != policy.logs_flows) {
        std::erase_if(rows_.flows, [&](const auto& row) { return row.second.policy == policy.id; });
        std::erase_if(rows_.device_flows, [&](const auto& row) { return row.second.policy == policy.id; });
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

Dependents MemoryStorage::find_dependents(const SiteId& id) {
    Dependents found;
    for (const auto& [token_id, token] : rows_.tokens) {
        if (token.site == id) {
            found.tokens.push_back(token_id);
        }
    }
    for (const auto& [gateway_id, gateway] : rows_.gateways) {
        if (gateway.site == id) {
            found.devices.push_back(gateway.name);
        }
    }
    std::ranges::sort(found.devices);
    return found;
}

Dependents MemoryStorage::find_dependents(const ActorId& id) {
    Dependents found;
    for (const auto& [token_id, token] : rows_.tokens) {
        if (token.actor == id) {
            found.tokens.push_back(token_id);
        }
    }
    for (const auto& [client_id, client] : rows_.clients) {
        if (client.actor == id) {
            found.devices.push_back(client.name);
        }
    }
    std::ranges::sort(found.devices);
    return found;
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

void MemoryStorage::record_presence(const std::vector<ClientId>& clients, const std::vector<GatewayId>& gateways,
                                    UnixSeconds now) {
    for (const auto& id : clients) {
        if (const auto row = rows_.clients.find(id); row != rows_.clients.end()) {
            row->second.last_seen.at = now;
        }
    }
    for (const auto& id : gateways) {
        if (const auto row = rows_.gateways.find(id); row != rows_.gateways.end()) {
            row->second.last_seen.at = now;
        }
    }
}

std::size_t MemoryStorage::erase_unseen_devices(UnixSeconds seen_before, std::size_t limit) {
    const auto erase_from_table = [&](auto& table) {
        const auto before = table;
        std::size_t left = limit;
        const auto erased = std::erase_if(table, [&](const auto& row) {
            return row.second.last_seen.at < seen_before && !rows_.revoked.contains(row.first.uuid()) && left > 0 &&
                   left-- > 0;
        });
        quarantine_gone(before, table);
        return erased;
    };
    const auto erased = erase_from_table(rows_.clients) + erase_from_table(rows_.gateways);
    cascade();
    return erased;
}

void MemoryStorage::release_addresses(UnixSeconds now, std::chrono::seconds quarantine) {
    std::erase_if(rows_.quarantine, [&](const auto& row) {
        const bool is_over = row.second && *row.second + quarantine <= now;
        if (is_over && pool_) {
            pool_->release(row.first);
        }
        return is_over;
    });
    for (auto& [address, since] : rows_.quarantine) {
        since = since.value_or(now);
    }
}

std::optional<Client> MemoryStorage::find_client(const ClientId& id) {
    const auto client = rows_.clients.find(id);
    return client == rows_.clients.end() || rows_.revoked.contains(id.uuid()) ? std::nullopt
                                                                              : std::optional{client->second};
}

bool MemoryStorage::has_gateway(const GatewayId& id) {
    return rows_.gateways.contains(id) && !rows_.revoked.contains(id.uuid());
}

bool MemoryStorage::has_relay(const RelayId& id) {
    return rows_.relays.contains(id) && !rows_.revoked.contains(id.uuid());
}

bool MemoryStorage::revoke(const ClientId& id, UnixSeconds) {
    if (!rows_.clients.contains(id)) {
        return false;
    }
    rows_.revoked.insert(id.uuid());
    std::erase_if(rows_.flows, [&](const auto& row) { return row.second.client == id; });
    std::erase_if(rows_.device_flows,
                  [&](const auto& row) { return row.second.client == id || row.second.device == id; });
    revoke_turn_users();
    return true;
}

bool MemoryStorage::revoke(const GatewayId& id, UnixSeconds) {
    if (!rows_.gateways.contains(id)) {
        return false;
    }
    rows_.revoked.insert(id.uuid());
    std::erase_if(rows_.flows, [&](const auto& row) { return row.second.gateway == id; });
    revoke_turn_users();
    return true;
}

bool MemoryStorage::revoke(const RelayId& id, UnixSeconds) {
    if (!rows_.relays.contains(id)) {
        return false;
    }
    rows_.revoked.insert(id.uuid());
    return true;
}

template <typename Table, typename Id>
bool MemoryStorage::erase_device(Table& table, const Id& id) {
    const auto before = table;
    const bool existed = table.erase(id) > 0;
    quarantine_gone(before, table);
    cascade();
    return existed;
}

bool MemoryStorage::erase(const ClientId& id) {
    return erase_device(rows_.clients, id);
}
bool MemoryStorage::erase(const GatewayId& id) {
    return erase_device(rows_.gateways, id);
}
bool MemoryStorage::erase(const RelayId& id) {
    return erase_from(rows_.relays, id);
}

void MemoryStorage::cascade() {
    auto& directory = rows_.directory;
    for (auto& [id, resource] : directory.resources) {
        std::erase_if(resource.sites, [&](const SiteId& site) { return !directory.sites.contains(site); });
        std::erase_if(resource.members,
                      [&](const PoolMember& member) { return !directory.actors.contains(member.actor); });
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
    const auto clients = rows_.clients;
    const auto gateways = rows_.gateways;
    std::erase_if(rows_.clients, [&](const auto& row) { return !directory.actors.contains(row.second.actor); });
    std::erase_if(rows_.gateways, [&](const auto& row) { return !directory.sites.contains(row.second.site); });
    quarantine_gone(clients, rows_.clients);
    quarantine_gone(gateways, rows_.gateways);
    revoke_turn_users();
    std::erase_if(rows_.passwords, [&](const auto& row) { return !directory.actors.contains(row.first); });
    std::erase_if(rows_.browser_sessions,
                  [&](const auto& row) { return !directory.actors.contains(row.second.actor); });
    std::erase_if(rows_.token_names, [&](const auto& row) { return !rows_.tokens.contains(row.first); });
    std::erase_if(rows_.flows, [&](const auto& row) { return !cites_existing_rows(row.second); });
    std::erase_if(rows_.device_flows, [&](const auto& row) { return !cites_existing_rows(row.second); });
}

template <typename Devices>
void MemoryStorage::quarantine_gone(const Devices& before, const Devices& after) {
    for (const auto& [id, device] : before) {
        if (!after.contains(id)) {
            rows_.quarantine.emplace(device.ipv4, std::nullopt);
            rows_.quarantine.emplace(device.ipv6, std::nullopt);
        }
    }
}

}  // namespace culvert::portal
