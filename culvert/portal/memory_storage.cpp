#include "culvert/portal/memory_storage.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

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
        pool_.reset();
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

template <typename Table, typename Report, typename IsOwners>
auto MemoryStorage::examine(const Table& table, const Report& report, const IsOwners& is_owners) const
    -> std::expected<Eligible<typename Table::key_type>, RegisterError> {
    Eligible<typename Table::key_type> eligible;
    const auto known = std::ranges::find_if(
        table, [&](const auto& row) { return is_owners(row.second) && row.second.external_id == report.external_id; });
    if (known != table.end()) {
        eligible.known = known->first;
        if (rows_.revoked.contains(known->first.uuid())) {
            return std::unexpected{RegisterError::kRevoked};
        }
    }
    const auto device = eligible.known ? eligible.known->uuid() : Uuid{};
    eligible.holder = holder_of(report.public_key, device, report.limits.keys_kept_since);
    if (eligible.holder == KeyHolder::kDevice) {
        return std::unexpected{RegisterError::kPublicKeyTaken};
    }
    if (!eligible.known) {
        const auto count = std::ranges::count_if(table, [&](const auto& row) {
            return is_owners(row.second) && row.second.public_key != report.public_key;
        });
        if (static_cast<std::size_t>(count) >= report.limits.max_devices) {
            return std::unexpected{RegisterError::kTooManyDevices};
        }
    }
    return eligible;
}

auto MemoryStorage::examine(const ClientReport& report) const -> std::expected<Eligible<ClientId>, RegisterError> {
    return examine(rows_.clients, report, [&](const auto& client) { return client.actor == report.actor; });
}
auto MemoryStorage::examine(const GatewayReport& report) const -> std::expected<Eligible<GatewayId>, RegisterError> {
    return examine(rows_.gateways, report, [&](const auto& gateway) { return gateway.site == report.site; });
}

std::optional<RegisterError> MemoryStorage::find_obstacle(const ClientReport& report) {
    const auto eligible = examine(report);
    return eligible ? std::nullopt : std::optional{eligible.error()};
}
std::optional<RegisterError> MemoryStorage::find_obstacle(const GatewayReport& report) {
    const auto eligible = examine(report);
    return eligible ? std::nullopt : std::optional{eligible.error()};
}
std::optional<RegisterError> MemoryStorage::find_obstacle(const RelayReport& report) {
    const auto known = find_relay(report);
    return known && rows_.revoked.contains(known->uuid()) ? std::optional{RegisterError::kRevoked} : std::nullopt;
}

std::expected<Client, RegisterError> MemoryStorage::register_client(const ClientReport& report, Rng& rng) {
    const auto eligible = examine(report);
    if (!eligible) {
        return std::unexpected{eligible.error()};
    }
    const bool is_new = !eligible->known;
    const auto id = is_new ? ClientId::random(rng) : *eligible->known;
    std::optional<std::pair<net::IpAddress, net::IpAddress>> addresses;
    if (is_new) {
        require(rows_.directory.actors.contains(report.actor));
        addresses = free_addresses(rng);
        if (!addresses) {
            return std::unexpected{RegisterError::kNoTunnelAddressLeft};
        }
    }
    // Nobody is refused from here on, so that whoever is has changed nothing.
    if (eligible->holder == KeyHolder::kForgotten) {
        take_key(report.public_key, id.uuid());
    }
    if (is_new) {
        auto& client = rows_.clients[id];
        client.id = id;
        client.actor = report.actor;
        client.external_id = report.external_id;
        client.name = report.name;
        client.psk_base = crypto::Secret<32>::random(rng);
        client.ipv4 = addresses->first;
        client.ipv6 = addresses->second;
    }
    auto& client = rows_.clients.at(id);
    client.public_key = report.public_key;
    client.device_serial = report.device_serial;
    client.device_uuid = report.device_uuid;
    client.identifier_for_vendor = report.identifier_for_vendor;
    client.firebase_installation_id = report.firebase_installation_id;
    client.last_seen = report.last_seen;
    return client;
}

std::expected<Gateway, RegisterError> MemoryStorage::register_gateway(const GatewayReport& report, Rng& rng) {
    const auto eligible = examine(report);
    if (!eligible) {
        return std::unexpected{eligible.error()};
    }
    const bool is_new = !eligible->known;
    const auto id = is_new ? GatewayId::random(rng) : *eligible->known;
    std::optional<std::pair<net::IpAddress, net::IpAddress>> addresses;
    if (is_new) {
        require(rows_.directory.sites.contains(report.site));
        addresses = free_addresses(rng);
        if (!addresses) {
            return std::unexpected{RegisterError::kNoTunnelAddressLeft};
        }
    }
    // Nobody is refused from here on, so that whoever is has changed nothing.
    if (eligible->holder == KeyHolder::kForgotten) {
        take_key(report.public_key, id.uuid());
    }
    if (is_new) {
        auto& gateway = rows_.gateways[id];
        gateway.id = id;
        gateway.site = report.site;
        gateway.external_id = report.external_id;
        gateway.psk_base = crypto::Secret<32>::random(rng);
        gateway.ipv4 = addresses->first;
        gateway.ipv6 = addresses->second;
    }
    auto& gateway = rows_.gateways.at(id);
    gateway.name = report.name;
    gateway.public_key = report.public_key;
    gateway.last_seen = report.last_seen;
    return gateway;
}

MemoryStorage::KeyHolder MemoryStorage::holder_of(const crypto::PublicKey& key, const Uuid& device,
                                                  UnixSeconds kept_since) const {
    const auto is_holder = [&](const auto& row) { return row.second.public_key == key && row.first.uuid() != device; };
    const auto may_keep = [&](const auto& row) {
        return is_holder(row) && (row.second.last_seen.at >= kept_since || rows_.revoked.contains(row.first.uuid()));
    };
    if (std::ranges::any_of(rows_.clients, may_keep) || std::ranges::any_of(rows_.gateways, may_keep)) {
        return KeyHolder::kDevice;
    }
    const bool is_held =
        std::ranges::any_of(rows_.clients, is_holder) || std::ranges::any_of(rows_.gateways, is_holder);
    return is_held ? KeyHolder::kForgotten : KeyHolder::kNobody;
}

void MemoryStorage::take_key(const crypto::PublicKey& key, const Uuid& device) {
    const auto is_holder = [&](const auto& row) { return row.second.public_key == key && row.first.uuid() != device; };
    const auto clients = rows_.clients;
    const auto gateways = rows_.gateways;
    std::erase_if(rows_.clients, is_holder);
    std::erase_if(rows_.gateways, is_holder);
    quarantine_gone(clients, rows_.clients);
    quarantine_gone(gateways, rows_.gateways);
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

void MemoryStorage::put(const TurnUser& user) {
    rows_.turn_users[user.salt] = {user, ++rows_.last_turn_user, false};
    std::vector<TurnUserRow*> of_device;
    for (auto& [salt, row] : rows_.turn_users) {
        if (row.user.device == user.device && !row.is_revoked) {
            of_device.push_back(&row);
        }
    }
    std::ranges::sort(of_device, std::greater{}, &TurnUserRow::number);
    for (std::size_t i = kTurnUsersPerDevice; i < of_device.size(); ++i) {
        of_device[i]->is_revoked = true;
    }
    // Only with tokens that are there: what was revoked with a token has the right to stay.
    std::vector<TurnUserRow*> former;
    for (auto& [salt, row] : rows_.turn_users) {
        if (row.user.device == user.device && row.is_revoked) {
            former.push_back(&row);
        }
    }
    std::ranges::sort(former, std::greater{}, &TurnUserRow::number);
    for (std::size_t i = kFormerTurnUsersPerDevice; i < former.size(); ++i) {
        if (rows_.tokens.contains(former[i]->user.token)) {
            rows_.turn_users.erase(std::string{former[i]->user.salt});
        }
    }
}

std::vector<RevokedTurnUser> MemoryStorage::revoked_turn_users(UnixSeconds now) {
    std::vector<RevokedTurnUser> revoked;
    for (const auto& [salt, row] : rows_.turn_users) {
        if (row.is_revoked && row.user.until > now) {
            revoked.push_back({salt, row.user.until});
        }
    }
    return revoked;
}

void MemoryStorage::erase_expired_turn_users(UnixSeconds now) {
    std::erase_if(rows_.turn_users, [&](const auto& row) { return row.second.user.until <= now; });
}

std::optional<RelayId> MemoryStorage::find_relay(const RelayReport& report) const {
    const auto key = [](const auto& relay) { return std::pair{relay.ipv4 ? relay.ipv4 : relay.ipv6, relay.port}; };
    const auto known =
        std::ranges::find_if(rows_.relays, [&](const auto& row) { return key(row.second) == key(report); });
    return known == rows_.relays.end() ? std::nullopt : std::optional{known->first};
}

std::expected<RelayServer, RegisterError> MemoryStorage::register_relay(const RelayReport& report, Rng& rng) {
    if (const auto obstacle = find_obstacle(report)) {
        return std::unexpected{*obstacle};
    }
    const auto known = find_relay(report);
    const auto id = known ? *known : RelayId::random(rng);
    return rows_.relays[id] = {id, report.name, report.ipv4, report.ipv6, report.port, report.last_seen};
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
    const auto clients = rows_.clients;
    const auto gateways = rows_.gateways;
    std::erase_if(rows_.clients, [&](const auto& row) { return !directory.actors.contains(row.second.actor); });
    std::erase_if(rows_.gateways, [&](const auto& row) { return !directory.sites.contains(row.second.site); });
    quarantine_gone(clients, rows_.clients);
    quarantine_gone(gateways, rows_.gateways);
    revoke_turn_users();
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
    return !rows_.revoked.contains(flow.client.uuid()) && !rows_.revoked.contains(flow.gateway.uuid()) &&
           !policy.is_disabled && !policy.has_conditions() && policy.resource == flow.resource &&
           policy.group == membership.group && membership.actor == rows_.clients.at(flow.client).actor &&
           std::ranges::count(sites, rows_.gateways.at(flow.gateway).site) > 0;
}

std::optional<std::pair<net::IpAddress, net::IpAddress>> MemoryStorage::free_addresses(Rng& rng) {
    if (!pool_) {
        pool_.emplace();
        for (const auto& [id, client] : rows_.clients) {
            pool_->mark_taken(client.ipv4);
            pool_->mark_taken(client.ipv6);
        }
        for (const auto& [id, gateway] : rows_.gateways) {
            pool_->mark_taken(gateway.ipv4);
            pool_->mark_taken(gateway.ipv6);
        }
        for (const auto& [address, since] : rows_.quarantine) {
            pool_->mark_taken(address);
        }
    }
    const auto ipv4 = pool_->take(net::Family::kIpv4, rng);
    const auto ipv6 = pool_->take(net::Family::kIpv6, rng);
    if (!ipv4 || !ipv6) {
        pool_.reset();
        return std::nullopt;
    }
    return std::pair{*ipv4, *ipv6};
}

/// What a database does by itself when the rows go that an entitlement rests on.
void MemoryStorage::revoke_turn_users() {
    for (auto& [salt, row] : rows_.turn_users) {
        row.is_revoked = row.is_revoked || rows_.revoked.contains(row.user.device) ||
                         !rows_.tokens.contains(row.user.token) ||
                         (!rows_.clients.contains(ClientId{row.user.device}) &&
                          !rows_.gateways.contains(GatewayId{row.user.device}));
    }
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
