#include "apps/portal/sqlite_storage.h"

#include <sqlite3.h>

#include "apps/portal/schema.h"
#include "apps/portal/sqlite_row.h"

namespace culvert::portal_server {
namespace {

using portal::StorageError;

std::int64_t to_integer(UnixSeconds time) {
    return time.time_since_epoch().count();
}

template <typename Id>
std::optional<std::string> to_text(const std::optional<Id>& id) {
    return id ? std::optional{id->to_string()} : std::nullopt;
}

net::IpAddress read_address(const Statement& row, int column) {
    const auto address = net::IpAddress::parse(row.text(column));
    if (!address) {
        throw damaged("an address");
    }
    return *address;
}

crypto::PublicKey read_key(const Statement& row, int column) {
    const auto key = crypto::PublicKey::parse(row.text(column));
    if (!key) {
        throw damaged("a public key");
    }
    return *key;
}

crypto::Secret<32> read_secret(const Statement& row, int column) {
    const auto bytes = row.blob(column);
    if (bytes.size() != 32) {
        throw damaged("a secret");
    }
    return crypto::Secret<32>::from_bytes(bytes);
}

portal::LastSeen read_last_seen(const Statement& row, int column) {
    return {row.text(column), row.text(column + 1), read_address(row, column + 2), read_time(row, column + 3)};
}

Statement& bind_last_seen(Statement& statement, const portal::LastSeen& last_seen) {
    return statement.bind(last_seen.user_agent)
        .bind(last_seen.version)
        .bind(last_seen.remote_ip.to_string())
        .bind(to_integer(last_seen.at));
}

constexpr std::string_view kSelectClient =
    "SELECT id, actor_id, external_id, name, public_key, psk_base, ipv4, ipv6, device_serial, device_uuid,"
    " identifier_for_vendor, firebase_installation_id, last_seen_user_agent, last_seen_version, last_seen_remote_ip,"
    " last_seen_at FROM clients WHERE id = ? AND revoked_at IS NULL";

portal::Client read_client(const Statement& row) {
    return {.id = read_id<ClientId>(row, 0),
            .actor = read_id<portal::ActorId>(row, 1),
            .external_id = row.text(2),
            .name = row.text(3),
            .public_key = read_key(row, 4),
            .psk_base = read_secret(row, 5),
            .ipv4 = read_address(row, 6),
            .ipv6 = read_address(row, 7),
            .device_serial = row.optional_text(8),
            .device_uuid = row.optional_text(9),
            .identifier_for_vendor = row.optional_text(10),
            .firebase_installation_id = row.optional_text(11),
            .last_seen = read_last_seen(row, 12)};
}

constexpr std::string_view kSelectGateway =
    "SELECT id, site_id, external_id, name, public_key, psk_base, ipv4, ipv6, last_seen_user_agent, last_seen_version,"
    " last_seen_remote_ip, last_seen_at FROM gateways WHERE id = ?";

portal::Gateway read_gateway(const Statement& row) {
    return {.id = read_id<GatewayId>(row, 0),
            .site = read_id<SiteId>(row, 1),
            .external_id = row.text(2),
            .name = row.text(3),
            .public_key = read_key(row, 4),
            .psk_base = read_secret(row, 5),
            .ipv4 = read_address(row, 6),
            .ipv6 = read_address(row, 7),
            .last_seen = read_last_seen(row, 8)};
}

}  // namespace

SqliteStorage::SqliteStorage(const std::filesystem::path& path, Rng& rng) : path_{path.string()}, database_{path} {
    migrate(database_, path_, rng);
    auto row = database_.prepare("SELECT id FROM accounts ORDER BY inserted_at, id LIMIT 1");
    if (!row.step()) {
        throw StorageError{"database \"" + path_ + "\" has no account; restore a backup"};
    }
    account_id_ = row.text(0);
}

void SqliteStorage::in_transaction(const std::function<void()>& work) {
    database_.check_file();
    database_.run("BEGIN IMMEDIATE");
    try {
        work();
        database_.run("COMMIT");
    } catch (...) {
        pool_.reset();
        try {
            database_.run("ROLLBACK");
        } catch (const StorageError&) {
            // SQLite has rolled back by itself after some failures; the first failure is the one to report.
        }
        throw;
    }
}

portal::TokenKeys SqliteStorage::token_keys() {
    const auto read = [&](std::string_view name) {
        auto row = database_.prepare("SELECT value FROM secrets WHERE name = ?");
        row.bind(name);
        if (!row.step()) {
            throw StorageError{"database \"" + path_ + "\" lacks its token keys; restore a backup"};
        }
        return row.text(0);
    };
    return {read("tokens_key_base"), read("tokens_salt")};
}

void SqliteStorage::put(const portal::Token& token) {
    auto statement = database_.prepare(
        "INSERT INTO tokens (id, type, account_id, actor_id, site_id, secret_salt, secret_hash, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET type = excluded.type,"
        " account_id = excluded.account_id, actor_id = excluded.actor_id, site_id = excluded.site_id,"
        " secret_salt = excluded.secret_salt, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at");
    statement.bind(token.id.to_string())
        .bind(portal::to_string(token.type))
        .bind(to_text(token.account))
        .bind(to_text(token.actor))
        .bind(to_text(token.site))
        .bind(token.secret_salt)
        .bind(token.secret_hash);
    token.expires_at ? statement.bind(to_integer(*token.expires_at)) : statement.bind_null();
    must_execute(std::move(statement));
}

std::optional<portal::Token> SqliteStorage::find_token(const portal::TokenId& id) {
    auto row = database_.prepare(
        "SELECT id, type, account_id, actor_id, site_id, secret_salt, secret_hash, expires_at FROM tokens WHERE id = "
        "?");
    row.bind(id.to_string());
    if (!row.step()) {
        return std::nullopt;
    }
    return portal::Token{.id = id,
                         .type = read_token_type(row, 1),
                         .account = read_optional_id<AccountId>(row, 2),
                         .actor = read_optional_id<portal::ActorId>(row, 3),
                         .site = read_optional_id<SiteId>(row, 4),
                         .secret_salt = row.text(5),
                         .secret_hash = row.text(6),
                         .expires_at = read_optional_time(row, 7)};
}

void SqliteStorage::record_use(const portal::TokenId& id, const portal::LastSeen& last_seen) {
    auto statement = database_.prepare(
        "UPDATE tokens SET last_seen_user_agent = ?, last_seen_remote_ip = ?, last_seen_at = ? WHERE id = ?");
    statement.bind(last_seen.user_agent)
        .bind(last_seen.remote_ip.to_string())
        .bind(to_integer(last_seen.at))
        .bind(id.to_string());
    must_execute(std::move(statement));
}

bool SqliteStorage::erase(const portal::TokenId& id) {
    erase_row("DELETE FROM tokens WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}

void SqliteStorage::erase_expired_tokens(UnixSeconds now) {
    auto statement = database_.prepare("DELETE FROM tokens WHERE expires_at <= ?");
    statement.bind(to_integer(now));
    must_execute(std::move(statement));
}

std::expected<SqliteStorage::Eligible, portal::RegisterError> SqliteStorage::examine(
    std::string_view select_known, std::string_view count_others, const Uuid& owner, const std::string& external_id,
    const crypto::PublicKey& key, const portal::RegistrationLimits& limits) {
    Eligible eligible;
    auto known = database_.prepare(select_known);
    known.bind(owner.to_string()).bind(external_id);
    if (known.step()) {
        if (!known.is_null(1)) {
            return std::unexpected{portal::RegisterError::kRevoked};
        }
        eligible.known = read_id<ClientId>(known, 0).uuid();
    }
    const auto device = eligible.known.value_or(Uuid{});  // no device has that
    eligible.holder = holder_of(key, device, limits.keys_kept_since);
    if (eligible.holder == KeyHolder::kDevice) {
        return std::unexpected{portal::RegisterError::kPublicKeyTaken};
    }
    if (!eligible.known) {
        // Without the one that is forgotten for this one's sake.
        auto count = database_.prepare(count_others);
        count.bind(owner.to_string()).bind(key.to_string());
        if (count.step() && static_cast<std::size_t>(count.integer(0)) >= limits.max_devices) {
            return std::unexpected{portal::RegisterError::kTooManyDevices};
        }
    }
    return eligible;
}

std::expected<SqliteStorage::Eligible, portal::RegisterError> SqliteStorage::examine(
    const portal::ClientReport& report) {
    return examine("SELECT id, revoked_at FROM clients WHERE actor_id = ? AND external_id = ?",
                   "SELECT count(*) FROM clients WHERE actor_id = ? AND public_key <> ?", report.actor.uuid(),
                   report.external_id, report.public_key, report.limits);
}
std::expected<SqliteStorage::Eligible, portal::RegisterError> SqliteStorage::examine(
    const portal::GatewayReport& report) {
    return examine("SELECT id, revoked_at FROM gateways WHERE site_id = ? AND external_id = ?",
                   "SELECT count(*) FROM gateways WHERE site_id = ? AND public_key <> ?", report.site.uuid(),
                   report.external_id, report.public_key, report.limits);
}

std::optional<portal::RegisterError> SqliteStorage::find_obstacle(const portal::ClientReport& report) {
    const auto eligible = examine(report);
    return eligible ? std::nullopt : std::optional{eligible.error()};
}
std::optional<portal::RegisterError> SqliteStorage::find_obstacle(const portal::GatewayReport& report) {
    const auto eligible = examine(report);
    return eligible ? std::nullopt : std::optional{eligible.error()};
}
std::optional<portal::RegisterError> SqliteStorage::find_obstacle(const portal::RelayReport& report) {
    auto revoked = database_.prepare(
        "SELECT 1 FROM relays WHERE coalesce(ipv4, ipv6) = ? AND port = ? AND revoked_at IS NOT NULL");
    revoked.bind(to_text(report.ipv4 ? report.ipv4 : report.ipv6)).bind(std::int64_t{report.port});
    return revoked.step() ? std::optional{portal::RegisterError::kRevoked} : std::nullopt;
}

template <typename Report>
std::expected<SqliteStorage::Place, portal::RegisterError> SqliteStorage::make_place(const Report& report, Rng& rng) {
    const auto eligible = examine(report);
    if (!eligible) {
        return std::unexpected{eligible.error()};
    }
    Place place{.device = eligible->known ? *eligible->known : Uuid::random(rng), .addresses = std::nullopt};
    if (!eligible->known) {
        place.addresses = free_addresses(rng);
        if (!place.addresses) {
            return std::unexpected{portal::RegisterError::kNoTunnelAddressLeft};
        }
    }
    // Nobody is refused from here on, so that whoever is has changed nothing.
    if (eligible->holder == KeyHolder::kForgotten) {
        take_key(report.public_key, place.device);
    }
    return place;
}

std::expected<portal::Client, portal::RegisterError> SqliteStorage::register_client(const portal::ClientReport& report,
                                                                                    Rng& rng) {
    const auto place = make_place(report, rng);
    if (!place) {
        return std::unexpected{place.error()};
    }
    const ClientId id{place->device};
    if (!place->addresses) {
        auto update = database_.prepare(
            "UPDATE clients SET token_id = ?, public_key = ?, device_serial = ?, device_uuid = ?, "
            "identifier_for_vendor = ?,"
            " firebase_installation_id = ?, last_seen_user_agent = ?, last_seen_version = ?, last_seen_remote_ip = ?,"
            " last_seen_at = ? WHERE id = ?");
        update.bind(to_text(report.token))
            .bind(report.public_key.to_string())
            .bind(report.device_serial)
            .bind(report.device_uuid)
            .bind(report.identifier_for_vendor)
            .bind(report.firebase_installation_id);
        bind_last_seen(update, report.last_seen).bind(id.to_string());
        must_execute(std::move(update));
    } else {
        auto insert = database_.prepare(
            "INSERT INTO clients (id, account_id, actor_id, token_id, external_id, name, public_key, psk_base, ipv4,"
            " ipv6, device_serial, device_uuid, identifier_for_vendor, firebase_installation_id, last_seen_user_agent,"
            " last_seen_version, last_seen_remote_ip, last_seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        insert.bind(id.to_string())
            .bind(account_id_)
            .bind(report.actor.to_string())
            .bind(to_text(report.token))
            .bind(report.external_id)
            .bind(report.name)
            .bind(report.public_key.to_string())
            .bind(ByteSpan{rng.array<32>()})
            .bind(place->addresses->first.to_string())
            .bind(place->addresses->second.to_string())
            .bind(report.device_serial)
            .bind(report.device_uuid)
            .bind(report.identifier_for_vendor)
            .bind(report.firebase_installation_id);
        bind_last_seen(insert, report.last_seen);
        must_execute(std::move(insert));
    }
    return find_client(id).value();
}

std::expected<portal::Gateway, portal::RegisterError> SqliteStorage::register_gateway(
    const portal::GatewayReport& report, Rng& rng) {
    const auto place = make_place(report, rng);
    if (!place) {
        return std::unexpected{place.error()};
    }
    const GatewayId id{place->device};
    if (!place->addresses) {
        auto update = database_.prepare(
            "UPDATE gateways SET token_id = ?, name = ?, public_key = ?, last_seen_user_agent = ?, last_seen_version = "
            "?,"
            " last_seen_remote_ip = ?, last_seen_at = ? WHERE id = ?");
        update.bind(to_text(report.token)).bind(report.name).bind(report.public_key.to_string());
        bind_last_seen(update, report.last_seen).bind(id.to_string());
        must_execute(std::move(update));
    } else {
        auto insert = database_.prepare(
            "INSERT INTO gateways (id, account_id, site_id, token_id, external_id, name, public_key, psk_base, ipv4,"
            " ipv6, last_seen_user_agent, last_seen_version, last_seen_remote_ip, last_seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        insert.bind(id.to_string())
            .bind(account_id_)
            .bind(report.site.to_string())
            .bind(to_text(report.token))
            .bind(report.external_id)
            .bind(report.name)
            .bind(report.public_key.to_string())
            .bind(ByteSpan{rng.array<32>()})
            .bind(place->addresses->first.to_string())
            .bind(place->addresses->second.to_string());
        bind_last_seen(insert, report.last_seen);
        must_execute(std::move(insert));
    }
    auto row = database_.prepare(kSelectGateway);
    row.bind(id.to_string());
    row.step();
    return read_gateway(row);
}

std::expected<portal::RelayServer, portal::RegisterError> SqliteStorage::register_relay(
    const portal::RelayReport& report, Rng& rng) {
    const auto ipv4 = to_text(report.ipv4);
    const auto ipv6 = to_text(report.ipv6);
    auto statement = database_.prepare(
        "INSERT INTO relays (id, token_id, name, ipv4, ipv6, port, last_seen_user_agent, last_seen_version,"
        " last_seen_remote_ip, last_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (coalesce(ipv4, ipv6), port) DO UPDATE SET token_id = excluded.token_id,"
        " name = excluded.name, ipv4 = excluded.ipv4,"
        " ipv6 = excluded.ipv6, last_seen_user_agent = excluded.last_seen_user_agent,"
        " last_seen_version = excluded.last_seen_version, last_seen_remote_ip = excluded.last_seen_remote_ip,"
        " last_seen_at = excluded.last_seen_at WHERE revoked_at IS NULL RETURNING id");
    statement.bind(RelayId::random(rng).to_string())
        .bind(to_text(report.token))
        .bind(report.name)
        .bind(ipv4)
        .bind(ipv6)
        .bind(std::int64_t{report.port});
    bind_last_seen(statement, report.last_seen);
    if (!statement.step()) {
        return std::unexpected{portal::RegisterError::kRevoked};
    }
    return portal::RelayServer{
        read_id<RelayId>(statement, 0), report.name, report.ipv4, report.ipv6, report.port, report.last_seen};
}

std::optional<portal::Client> SqliteStorage::find_client(const ClientId& id) {
    auto row = database_.prepare(kSelectClient);
    row.bind(id.to_string());
    return row.step() ? std::optional{read_client(row)} : std::nullopt;
}

bool SqliteStorage::has_gateway(const GatewayId& id) {
    return has_row("SELECT 1 FROM gateways WHERE id = ? AND revoked_at IS NULL", id.uuid());
}
bool SqliteStorage::has_relay(const RelayId& id) {
    return has_row("SELECT 1 FROM relays WHERE id = ? AND revoked_at IS NULL", id.uuid());
}

bool SqliteStorage::revoke(const ClientId& id, UnixSeconds now) {
    return revoke_row("UPDATE clients SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", id.uuid(), now);
}
bool SqliteStorage::revoke(const GatewayId& id, UnixSeconds now) {
    return revoke_row("UPDATE gateways SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", id.uuid(), now);
}
bool SqliteStorage::revoke(const RelayId& id, UnixSeconds now) {
    return revoke_row("UPDATE relays SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", id.uuid(), now);
}

bool SqliteStorage::erase(const ClientId& id) {
    erase_row("DELETE FROM clients WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}
bool SqliteStorage::erase(const GatewayId& id) {
    erase_row("DELETE FROM gateways WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}
bool SqliteStorage::erase(const RelayId& id) {
    erase_row("DELETE FROM relays WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}

bool SqliteStorage::insert(const portal::Flow& flow) {
    // Whoever decided on the flow may have done so by a configuration that another process has just changed.
    auto statement = database_.prepare(
        "INSERT INTO flows (id, account_id, client_id, gateway_id, resource_id, policy_id, membership_id, token_id,"
        " client_remote_ip, client_user_agent, gateway_remote_ip, expires_at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE EXISTS (SELECT 1 FROM policies"
        " JOIN memberships ON memberships.group_id = policies.group_id"
        " JOIN clients ON clients.actor_id = memberships.actor_id"
        " JOIN resource_sites ON resource_sites.resource_id = policies.resource_id"
        " JOIN gateways ON gateways.site_id = resource_sites.site_id"
        " WHERE policies.id = ?6 AND NOT policies.is_disabled AND policies.conditions = '[]'"
        " AND policies.resource_id = ?5 AND memberships.id = ?7 AND clients.id = ?3 AND gateways.id = ?4"
        " AND clients.revoked_at IS NULL AND gateways.revoked_at IS NULL)");
    statement.bind(flow.id.to_string())
        .bind(account_id_)
        .bind(flow.client.to_string())
        .bind(flow.gateway.to_string())
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(flow.client_remote_ip.to_string())
        .bind(flow.client_user_agent)
        .bind(flow.gateway_remote_ip.to_string())
        .bind(to_integer(flow.expires_at));
    if (!statement.execute() || database_.changed_rows() == 0) {
        return false;
    }
    auto superseded = database_.prepare(
        "DELETE FROM flows WHERE client_id = ? AND gateway_id = ? AND resource_id = ? AND policy_id = ?"
        " AND membership_id = ? AND token_id = ? AND expires_at <= ? AND id <> ?");
    superseded.bind(flow.client.to_string())
        .bind(flow.gateway.to_string())
        .bind(flow.resource.to_string())
        .bind(flow.policy.to_string())
        .bind(flow.membership.to_string())
        .bind(flow.token.to_string())
        .bind(to_integer(flow.expires_at))
        .bind(flow.id.to_string());
    must_execute(std::move(superseded));
    return true;
}

std::vector<portal::Flow> SqliteStorage::find_flows(const GatewayId& gateway) {
    auto row = database_.prepare(
        "SELECT id, client_id, gateway_id, resource_id, policy_id, membership_id, token_id, client_remote_ip,"
        " client_user_agent, gateway_remote_ip, expires_at FROM flows WHERE gateway_id = ? ORDER BY id");
    row.bind(gateway.to_string());
    std::vector<portal::Flow> flows;
    while (row.step()) {
        flows.push_back({.id = read_id<portal::FlowId>(row, 0),
                         .client = read_id<ClientId>(row, 1),
                         .gateway = gateway,
                         .resource = read_id<ResourceId>(row, 3),
                         .policy = read_id<portal::PolicyId>(row, 4),
                         .membership = read_id<portal::MembershipId>(row, 5),
                         .token = read_id<portal::TokenId>(row, 6),
                         .client_remote_ip = read_address(row, 7),
                         .client_user_agent = row.text(8),
                         .gateway_remote_ip = read_address(row, 9),
                         .expires_at = read_time(row, 10)});
    }
    return flows;
}

bool SqliteStorage::erase_flows_except(const ClientId& client, const std::set<ResourceId>& reachable) {
    auto row = database_.prepare("SELECT DISTINCT resource_id FROM flows WHERE client_id = ?");
    row.bind(client.to_string());
    std::vector<std::string> lost;
    while (row.step()) {
        if (!reachable.contains(read_id<ResourceId>(row, 0))) {
            lost.push_back(row.text(0));
        }
    }
    for (const auto& resource : lost) {
        auto statement = database_.prepare("DELETE FROM flows WHERE client_id = ? AND resource_id = ?");
        statement.bind(client.to_string()).bind(resource);
        must_execute(std::move(statement));
    }
    return !lost.empty();
}

void SqliteStorage::erase_expired_flows(UnixSeconds now) {
    auto statement = database_.prepare("DELETE FROM flows WHERE expires_at <= ?");
    statement.bind(to_integer(now));
    must_execute(std::move(statement));
}

void SqliteStorage::must_execute(Statement statement) {
    if (!statement.execute()) {
        database_.fail(SQLITE_CONSTRAINT);
    }
}

void SqliteStorage::erase_row(std::string_view sql, const Uuid& id) {
    auto statement = database_.prepare(sql);
    statement.bind(id.to_string());
    must_execute(std::move(statement));
}

bool SqliteStorage::revoke_row(std::string_view sql, const Uuid& id, UnixSeconds now) {
    auto statement = database_.prepare(sql);
    statement.bind(to_integer(now)).bind(id.to_string());
    must_execute(std::move(statement));
    return database_.changed_rows() > 0;
}

bool SqliteStorage::has_row(std::string_view sql, const Uuid& id) {
    auto row = database_.prepare(sql);
    row.bind(id.to_string());
    return row.step();
}

SqliteStorage::KeyHolder SqliteStorage::holder_of(const crypto::PublicKey& key, const Uuid& device,
                                                  UnixSeconds kept_since) {
    auto row = database_.prepare(
        "SELECT last_seen_at, revoked_at FROM clients WHERE account_id = ?1 AND public_key = ?2 AND id <> ?3"
        " UNION ALL SELECT last_seen_at, revoked_at FROM gateways WHERE account_id = ?1 AND public_key = ?2 AND id <> "
        "?3");
    row.bind(account_id_).bind(key.to_string()).bind(device.to_string());
    auto holder = KeyHolder::kNobody;
    while (row.step()) {
        holder = KeyHolder::kForgotten;
        if (read_time(row, 0) >= kept_since || !row.is_null(1)) {
            return KeyHolder::kDevice;
        }
    }
    return holder;
}

void SqliteStorage::take_key(const crypto::PublicKey& key, const Uuid& device) {
    for (const auto* sql : {"DELETE FROM clients WHERE account_id = ? AND public_key = ? AND id <> ?",
                            "DELETE FROM gateways WHERE account_id = ? AND public_key = ? AND id <> ?"}) {
        auto statement = database_.prepare(sql);
        statement.bind(account_id_).bind(key.to_string()).bind(device.to_string());
        must_execute(std::move(statement));
    }
}

void SqliteStorage::record_presence(const std::vector<ClientId>& clients, const std::vector<GatewayId>& gateways,
                                    UnixSeconds now) {
    const auto record = [&](std::string_view sql, const auto& ids) {
        for (const auto& id : ids) {
            auto statement = database_.prepare(sql);
            statement.bind(to_integer(now)).bind(id.to_string());
            must_execute(std::move(statement));
        }
    };
    record("UPDATE clients SET last_seen_at = ? WHERE id = ?", clients);
    record("UPDATE gateways SET last_seen_at = ? WHERE id = ?", gateways);
}

std::size_t SqliteStorage::erase_unseen_devices(UnixSeconds seen_before, std::size_t limit) {
    std::size_t erased = 0;
    for (const auto* sql : {"DELETE FROM clients WHERE id IN (SELECT id FROM clients WHERE last_seen_at < ? AND "
                            "revoked_at IS NULL LIMIT ?)",
                            "DELETE FROM gateways WHERE id IN (SELECT id FROM gateways WHERE last_seen_at < ? AND "
                            "revoked_at IS NULL LIMIT ?)"}) {
        auto statement = database_.prepare(sql);
        statement.bind(to_integer(seen_before)).bind(static_cast<std::int64_t>(limit));
        must_execute(std::move(statement));
        erased += static_cast<std::size_t>(database_.changed_rows());
    }
    return erased;
}

void SqliteStorage::release_addresses(UnixSeconds now, std::chrono::seconds quarantine) {
    std::vector<net::IpAddress> released;
    {
        auto row = database_.prepare("DELETE FROM quarantined_addresses WHERE since <= ? RETURNING address");
        row.bind(to_integer(now - quarantine));
        while (row.step()) {
            released.push_back(read_address(row, 0));
        }
    }
    for (const auto& address : released) {
        if (pool_) {
            pool_->release(address);
        }
    }
    auto statement = database_.prepare("UPDATE quarantined_addresses SET since = ? WHERE since IS NULL");
    statement.bind(to_integer(now));
    must_execute(std::move(statement));
}

void SqliteStorage::put(const portal::TurnUser& user) {
    // A new row each time: the newest number is the user the device is now.
    auto old = database_.prepare("DELETE FROM turn_users WHERE salt = ?");
    old.bind(user.salt);
    must_execute(std::move(old));
    auto row = database_.prepare("INSERT INTO turn_users (salt, token_id, device_id, expires_at) VALUES (?, ?, ?, ?)");
    row.bind(user.salt).bind(user.token.to_string()).bind(user.device.to_string()).bind(to_integer(user.until));
    must_execute(std::move(row));
    auto surplus = database_.prepare(
        "UPDATE turn_users SET is_revoked = 1 WHERE device_id = ?1 AND NOT is_revoked AND number NOT IN"
        " (SELECT number FROM turn_users WHERE device_id = ?1 AND NOT is_revoked ORDER BY number DESC LIMIT ?2)");
    surplus.bind(user.device.to_string()).bind(static_cast<std::int64_t>(portal::kTurnUsersPerDevice));
    must_execute(std::move(surplus));
    // Only of a device that is there: what was revoked with a device or a token has the right to stay.
    auto forgotten = database_.prepare(
        "DELETE FROM turn_users WHERE device_id = ?1 AND is_revoked AND EXISTS (SELECT 1 FROM tokens WHERE id ="
        " turn_users.token_id) AND number NOT IN (SELECT number FROM turn_users WHERE device_id = ?1 AND is_revoked"
        " ORDER BY number DESC LIMIT ?2)");
    forgotten.bind(user.device.to_string()).bind(static_cast<std::int64_t>(portal::kFormerTurnUsersPerDevice));
    must_execute(std::move(forgotten));
}

std::vector<portal::RevokedTurnUser> SqliteStorage::revoked_turn_users(UnixSeconds now) {
    auto row =
        database_.prepare("SELECT salt, expires_at FROM turn_users WHERE is_revoked AND expires_at > ? ORDER BY salt");
    row.bind(to_integer(now));
    std::vector<portal::RevokedTurnUser> revoked;
    while (row.step()) {
        revoked.push_back({row.text(0), read_time(row, 1)});
    }
    return revoked;
}

void SqliteStorage::erase_expired_turn_users(UnixSeconds now) {
    auto statement = database_.prepare("DELETE FROM turn_users WHERE expires_at <= ?");
    statement.bind(to_integer(now));
    must_execute(std::move(statement));
}

std::optional<std::pair<net::IpAddress, net::IpAddress>> SqliteStorage::free_addresses(Rng& rng) {
    if (!pool_) {
        load_pool();
    }
    const auto ipv4 = free_address(net::Family::kIpv4, rng);
    const auto ipv6 = free_address(net::Family::kIpv6, rng);
    if (!ipv4 || !ipv6) {
        // Looked at anew next time, in case another process freed some.
        pool_.reset();
        return std::nullopt;
    }
    return std::pair{*ipv4, *ipv6};
}

std::optional<net::IpAddress> SqliteStorage::free_address(net::Family family, Rng& rng) {
    // The pool knows; the tables are asked nevertheless, in case another process gave the address out.
    while (const auto address = pool_->take(family, rng)) {
        auto row = database_.prepare(
            "SELECT 1 FROM clients WHERE account_id = ?1 AND (ipv4 = ?2 OR ipv6 = ?2)"
            " UNION ALL SELECT 1 FROM gateways WHERE account_id = ?1 AND (ipv4 = ?2 OR ipv6 = ?2)"
            " UNION ALL SELECT 1 FROM quarantined_addresses WHERE address = ?2");
        row.bind(account_id_).bind(address->to_string());
        if (!row.step()) {
            return address;
        }
    }
    return std::nullopt;
}

void SqliteStorage::load_pool() {
    auto& pool = pool_.emplace();
    auto row = database_.prepare(
        "SELECT ipv4 FROM clients UNION ALL SELECT ipv6 FROM clients UNION ALL SELECT ipv4 FROM gateways"
        " UNION ALL SELECT ipv6 FROM gateways UNION ALL SELECT address FROM quarantined_addresses");
    while (row.step()) {
        pool.mark_taken(read_address(row, 0));
    }
}

}  // namespace culvert::portal_server
