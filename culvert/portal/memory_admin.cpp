// The part of the storage in memory that only administrators see.

#include <algorithm>

#include "culvert/portal/memory_storage.h"
#include "culvert/portal/text.h"

namespace culvert::portal {
namespace {

/// The part of `rows` that `range` names.
template <typename Row>
Listed<Row> part_of(std::vector<Row> rows, const ListRange& range) {
    const auto count = rows.size();
    const auto begin = std::min(range.skip, count);
    const auto end = std::min(count, begin + range.limit);
    return {{rows.begin() + static_cast<std::ptrdiff_t>(begin), rows.begin() + static_cast<std::ptrdiff_t>(end)},
            count};
}

}  // namespace

void MemoryStorage::put_password(const ActorId& actor, const std::string& hash) {
    require(rows_.directory.actors.contains(actor));
    rows_.passwords[actor] = hash;
}

std::optional<std::string> MemoryStorage::find_password(const ActorId& actor) {
    const auto row = rows_.passwords.find(actor);
    return row == rows_.passwords.end() ? std::nullopt : std::optional{row->second};
}

bool MemoryStorage::can_administrator_sign_in() {
    return std::ranges::any_of(rows_.passwords, [&](const auto& row) {
        const auto& actor = rows_.directory.actors.at(row.first);
        return actor.type == ActorType::kAdminUser && !actor.is_disabled;
    });
}

void MemoryStorage::put(const BrowserSession& session) {
    require(rows_.directory.actors.contains(session.actor));
    rows_.browser_sessions[session.secret_hash] = session;
}

std::optional<BrowserSession> MemoryStorage::find_browser_session(const std::string& secret_hash) {
    const auto row = rows_.browser_sessions.find(secret_hash);
    return row == rows_.browser_sessions.end() ? std::nullopt : std::optional{row->second};
}

void MemoryStorage::erase_browser_session(const std::string& secret_hash) {
    rows_.browser_sessions.erase(secret_hash);
}

void MemoryStorage::erase_browser_sessions(const ActorId& actor, const std::string& but) {
    std::erase_if(rows_.browser_sessions,
                  [&](const auto& row) { return row.second.actor == actor && row.first != but; });
}

void MemoryStorage::erase_expired_browser_sessions(UnixSeconds now) {
    std::erase_if(rows_.browser_sessions, [&](const auto& row) { return row.second.expires_at <= now; });
}

void MemoryStorage::append(const AuditEntry& entry) {
    auto& row = rows_.audit[++rows_.last_audit];
    row = entry;
    row.number = rows_.last_audit;
}

Listed<AuditEntry> MemoryStorage::list_audit(const std::string& object_id, const ListRange& range) {
    std::vector<AuditEntry> entries;
    for (const auto& [number, entry] : rows_.audit) {
        const bool has_text = contains_text(entry.object_name, range.text) ||
                              contains_text(entry.actor_name, range.text) || contains_text(entry.action, range.text) ||
                              contains_text(entry.object_type, range.text);
        if (has_text && (object_id.empty() || entry.object_id == object_id)) {
            entries.push_back(entry);
        }
    }
    std::ranges::reverse(entries);
    return part_of(std::move(entries), range);
}

void MemoryStorage::erase_audit(UnixSeconds before, std::size_t max_entries) {
    std::erase_if(rows_.audit, [&](const auto& row) { return row.second.at < before; });
    while (rows_.audit.size() > max_entries) {
        rows_.audit.erase(rows_.audit.begin());
    }
}

void MemoryStorage::put_name(const TokenId& token, const std::string& name) {
    require(rows_.tokens.contains(token));
    rows_.token_names[token] = name;
}

std::vector<KnownToken> MemoryStorage::list_tokens_of(const std::optional<ActorId>& actor,
                                                      const std::optional<SiteId>& site, TokenType type) {
    std::vector<KnownToken> tokens;
    for (const auto& [id, token] : rows_.tokens) {
        if (token.type == type && token.actor == actor && token.site == site) {
            const auto name = rows_.token_names.find(id);
            tokens.push_back({.id = id,
                              .type = token.type,
                              .actor = token.actor,
                              .site = token.site,
                              .name = name == rows_.token_names.end() ? std::nullopt : std::optional{name->second},
                              .created_at = {},
                              .expires_at = token.expires_at,
                              .last_used_at = {}});
        }
    }
    return tokens;
}

KnownClient MemoryStorage::known(const Client& client) const {
    return {.id = client.id,
            .actor = client.actor,
            .external_id = client.external_id,
            .name = client.name,
            .ipv4 = client.ipv4,
            .ipv6 = client.ipv6,
            .last_seen = client.last_seen,
            .is_revoked = rows_.revoked.contains(client.id.uuid()),
            .verified_at = client.verified_at};
}

Listed<KnownClient> MemoryStorage::list_clients(const std::optional<ActorId>& actor, const ListRange& range) {
    std::vector<KnownClient> clients;
    for (const auto& [id, client] : rows_.clients) {
        const bool has_text = contains_text(client.name, range.text) ||
                              contains_text(rows_.directory.actors.at(client.actor).name, range.text) ||
                              client.ipv4.to_string() == range.text || client.ipv6.to_string() == range.text;
        if (has_text && (!actor || client.actor == *actor)) {
            clients.push_back(known(client));
        }
    }
    std::ranges::sort(clients, [](const KnownClient& a, const KnownClient& b) {
        return std::pair{b.last_seen.at, b.id} < std::pair{a.last_seen.at, a.id};
    });
    return part_of(std::move(clients), range);
}

std::optional<KnownClient> MemoryStorage::find_known_client(const ClientId& id) {
    const auto client = rows_.clients.find(id);
    return client == rows_.clients.end() ? std::nullopt : std::optional{known(client->second)};
}

std::map<ActorId, std::size_t> MemoryStorage::count_clients() {
    std::map<ActorId, std::size_t> counts;
    for (const auto& [id, client] : rows_.clients) {
        ++counts[client.actor];
    }
    return counts;
}

std::vector<KnownGateway> MemoryStorage::list_gateways() {
    std::vector<KnownGateway> gateways;
    for (const auto& [id, gateway] : rows_.gateways) {
        gateways.push_back({.id = id,
                            .site = gateway.site,
                            .external_id = gateway.external_id,
                            .name = gateway.name,
                            .ipv4 = gateway.ipv4,
                            .ipv6 = gateway.ipv6,
                            .last_seen = gateway.last_seen,
                            .is_revoked = rows_.revoked.contains(id.uuid())});
    }
    return gateways;
}

std::vector<KnownRelay> MemoryStorage::list_relays() {
    std::vector<KnownRelay> relays;
    for (const auto& [id, relay] : rows_.relays) {
        relays.push_back({.id = id,
                          .name = relay.name,
                          .ipv4 = relay.ipv4,
                          .ipv6 = relay.ipv6,
                          .port = relay.port,
                          .last_seen = relay.last_seen,
                          .is_revoked = rows_.revoked.contains(id.uuid())});
    }
    return relays;
}

Listed<KnownFlow> MemoryStorage::list_flows(const FlowFilter& filter, const ListRange& range) {
    std::vector<KnownFlow> flows;
    for (const auto& [id, flow] : rows_.flows) {
        const auto& client = rows_.clients.at(flow.client);
        if ((!filter.client || *filter.client == flow.client) && (!filter.gateway || *filter.gateway == flow.gateway) &&
            (!filter.resource || *filter.resource == flow.resource) &&
            (!filter.policy || *filter.policy == flow.policy) && (!filter.actor || *filter.actor == client.actor)) {
            flows.push_back({.id = id,
                             .client = flow.client,
                             .client_name = client.name,
                             .actor = client.actor,
                             .gateway = flow.gateway,
                             .gateway_name = rows_.gateways.at(flow.gateway).name,
                             .resource = flow.resource,
                             .policy = flow.policy,
                             .client_remote_ip = flow.client_remote_ip,
                             .expires_at = flow.expires_at});
        }
    }
    return part_of(std::move(flows), range);
}

bool MemoryStorage::rename(const ClientId& id, const std::string& name) {
    const auto client = rows_.clients.find(id);
    if (client == rows_.clients.end()) {
        return false;
    }
    client->second.name = name;
    return true;
}

bool MemoryStorage::set_verified(const ClientId& id, const std::optional<UnixSeconds>& since) {
    const auto client = rows_.clients.find(id);
    if (client == rows_.clients.end()) {
        return false;
    }
    client->second.verified_at = since;
    if (!since) {
        erase_flows_except(id, {});
    }
    return true;
}

bool MemoryStorage::restore(const ClientId& id) {
    return rows_.clients.contains(id) && (rows_.revoked.erase(id.uuid()), true);
}

bool MemoryStorage::restore(const GatewayId& id) {
    return rows_.gateways.contains(id) && (rows_.revoked.erase(id.uuid()), true);
}

}  // namespace culvert::portal
