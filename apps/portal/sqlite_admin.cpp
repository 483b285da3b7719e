// The part of the storage that only administrators see: how they sign in, what was done, what there is.

#include <string>
#include <utility>

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {
namespace {

/// `text` as LIKE takes it, with % around it; its own wildcards count as they are written (ESCAPE '\').
std::string like(std::string_view text) {
    std::string pattern = "%";
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') {
            pattern += '\\';
        }
        pattern += c;
    }
    return pattern + '%';
}

std::int64_t count_of(Statement row) {
    return row.step() ? row.integer(0) : 0;
}

Statement& bind_range(Statement& statement, const portal::ListRange& range) {
    return statement.bind(static_cast<std::int64_t>(range.limit)).bind(static_cast<std::int64_t>(range.skip));
}

constexpr std::string_view kAuditWhere =
    " FROM audit_log WHERE account_id = ? AND (?2 = '' OR object_id = ?2) AND (object_name LIKE ?3 ESCAPE '\\'"
    " OR actor_name LIKE ?3 ESCAPE '\\' OR action LIKE ?3 ESCAPE '\\' OR object_type LIKE ?3 ESCAPE '\\')";

constexpr std::string_view kClientColumns =
    "SELECT clients.id, actor_id, external_id, clients.name, ipv4, ipv6, last_seen_user_agent, last_seen_version,"
    " last_seen_remote_ip, last_seen_at, revoked_at, verified_at";
constexpr std::string_view kClientWhere =
    " FROM clients JOIN actors ON actors.id = actor_id WHERE clients.account_id = ?1"
    " AND (?2 IS NULL OR actor_id = ?2)"
    " AND (clients.name LIKE ?3 ESCAPE '\\' OR actors.name LIKE ?3 ESCAPE '\\' OR ipv4 = ?4 OR ipv6 = ?4)";

constexpr std::string_view kFlowWhere =
    " FROM flows JOIN clients ON clients.id = client_id JOIN gateways ON gateways.id = gateway_id"
    " WHERE flows.account_id = ?1 AND (?2 IS NULL OR client_id = ?2) AND (?3 IS NULL OR gateway_id = ?3)"
    " AND (?4 IS NULL OR resource_id = ?4) AND (?5 IS NULL OR policy_id = ?5)"
    " AND (?6 IS NULL OR clients.actor_id = ?6)";

portal::KnownClient read_client(const Statement& row) {
    return {.id = read_id<ClientId>(row, 0),
            .actor = read_id<portal::ActorId>(row, 1),
            .external_id = row.text(2),
            .name = row.text(3),
            .ipv4 = read_address(row, 4),
            .ipv6 = read_address(row, 5),
            .last_seen = read_last_seen(row, 6),
            .is_revoked = !row.is_null(10),
            .verified_at = read_optional_time(row, 11)};
}

std::string joined(std::string_view a, std::string_view b, std::string_view c = "") {
    return std::string{a} + std::string{b} + std::string{c};
}

}  // namespace

// --- Signing in ---

void SqliteStorage::put_password(const portal::ActorId& actor, const std::string& hash) {
    auto statement = database_.prepare(
        "INSERT INTO passwords (actor_id, hash) VALUES (?, ?) ON CONFLICT (actor_id) DO UPDATE SET"
        " hash = excluded.hash, changed_at = unixepoch()");
    statement.bind(actor.to_string()).bind(hash);
    database_.must_execute(std::move(statement));
}

std::optional<std::string> SqliteStorage::find_password(const portal::ActorId& actor) {
    auto row = database_.prepare("SELECT hash FROM passwords WHERE actor_id = ?");
    row.bind(actor.to_string());
    return row.step() ? std::optional{row.text(0)} : std::nullopt;
}

bool SqliteStorage::can_administrator_sign_in() {
    auto row = database_.prepare(
        "SELECT 1 FROM passwords JOIN actors ON actors.id = actor_id WHERE type = 'account_admin_user'"
        " AND NOT is_disabled LIMIT 1");
    return row.step();
}

void SqliteStorage::put(const portal::BrowserSession& session) {
    auto statement = database_.prepare(
        "INSERT INTO browser_sessions (secret_hash, actor_id, created_at, expires_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (secret_hash) DO UPDATE SET actor_id = excluded.actor_id, created_at = excluded.created_at,"
        " expires_at = excluded.expires_at");
    statement.bind(session.secret_hash)
        .bind(session.actor.to_string())
        .bind(to_integer(session.created_at))
        .bind(to_integer(session.expires_at));
    database_.must_execute(std::move(statement));
}

std::optional<portal::BrowserSession> SqliteStorage::find_browser_session(const std::string& secret_hash) {
    auto row = database_.prepare("SELECT actor_id, created_at, expires_at FROM browser_sessions WHERE secret_hash = ?");
    row.bind(secret_hash);
    if (!row.step()) {
        return std::nullopt;
    }
    return portal::BrowserSession{secret_hash, read_id<portal::ActorId>(row, 0), read_time(row, 1), read_time(row, 2)};
}

void SqliteStorage::erase_browser_session(const std::string& secret_hash) {
    auto statement = database_.prepare("DELETE FROM browser_sessions WHERE secret_hash = ?");
    statement.bind(secret_hash);
    database_.must_execute(std::move(statement));
}

void SqliteStorage::erase_browser_sessions(const portal::ActorId& actor, const std::string& but) {
    auto statement = database_.prepare("DELETE FROM browser_sessions WHERE actor_id = ? AND secret_hash <> ?");
    statement.bind(actor.to_string()).bind(but);
    database_.must_execute(std::move(statement));
}

void SqliteStorage::erase_expired_browser_sessions(UnixSeconds now) {
    auto statement = database_.prepare("DELETE FROM browser_sessions WHERE expires_at <= ?");
    statement.bind(to_integer(now));
    database_.must_execute(std::move(statement));
}

// --- What was done ---

void SqliteStorage::append(const portal::AuditEntry& entry) {
    auto statement = database_.prepare(
        "INSERT INTO audit_log (account_id, at, actor_id, actor_name, actor_email, remote_ip, action, object_type,"
        " object_id, object_name, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    statement.bind(account_id_)
        .bind(to_integer(entry.at))
        .bind(to_text(entry.actor))
        .bind(entry.actor_name)
        .bind(entry.actor_email)
        .bind(entry.remote_ip)
        .bind(entry.action)
        .bind(entry.object_type)
        .bind(entry.object_id)
        .bind(entry.object_name)
        .bind(entry.before)
        .bind(entry.after);
    database_.must_execute(std::move(statement));
}

portal::Listed<portal::AuditEntry> SqliteStorage::list_audit(const std::string& object_id,
                                                             const portal::ListRange& range) {
    const auto bind = [&](Statement& statement) -> Statement& {
        return statement.bind(account_id_).bind(object_id).bind(like(range.text));
    };
    portal::Listed<portal::AuditEntry> listed;
    auto row = database_.prepare(
        joined("SELECT number, at, actor_id, actor_name, actor_email, remote_ip, action, object_type, object_id,"
               " object_name, before, after",
               kAuditWhere, " ORDER BY number DESC LIMIT ? OFFSET ?"));
    bind_range(bind(row), range);
    while (row.step()) {
        listed.rows.push_back({.number = static_cast<std::uint64_t>(row.integer(0)),
                               .at = read_time(row, 1),
                               .actor = read_optional_id<portal::ActorId>(row, 2),
                               .actor_name = row.text(3),
                               .actor_email = row.optional_text(4),
                               .remote_ip = row.text(5),
                               .action = row.text(6),
                               .object_type = row.text(7),
                               .object_id = row.text(8),
                               .object_name = row.text(9),
                               .before = row.text(10),
                               .after = row.text(11)});
    }
    auto count = database_.prepare(joined("SELECT count(*)", kAuditWhere));
    bind(count);
    listed.count = static_cast<std::size_t>(count_of(std::move(count)));
    return listed;
}

void SqliteStorage::erase_audit(UnixSeconds before, std::size_t max_entries) {
    auto old = database_.prepare("DELETE FROM audit_log WHERE account_id = ? AND at < ?");
    old.bind(account_id_).bind(to_integer(before));
    database_.must_execute(std::move(old));
    auto surplus = database_.prepare(
        "DELETE FROM audit_log WHERE account_id = ?1 AND number <= (SELECT number FROM audit_log WHERE account_id = ?1"
        " ORDER BY number DESC LIMIT 1 OFFSET ?2)");
    surplus.bind(account_id_).bind(static_cast<std::int64_t>(max_entries));
    database_.must_execute(std::move(surplus));
}

// --- What there is ---

void SqliteStorage::put_name(const portal::TokenId& token, const std::string& name) {
    auto statement = database_.prepare("UPDATE tokens SET name = ? WHERE id = ?");
    statement.bind(name).bind(token.to_string());
    database_.must_execute(std::move(statement));
    if (database_.changed_rows() == 0) {
        throw portal::StorageError{"there is no token " + token.to_string()};
    }
}

std::vector<portal::KnownToken> SqliteStorage::list_tokens_of(const std::optional<portal::ActorId>& actor,
                                                              const std::optional<SiteId>& site,
                                                              portal::TokenType type) {
    auto row = database_.prepare(
        "SELECT id, actor_id, site_id, name, inserted_at, expires_at, last_seen_at FROM tokens"
        " WHERE type = ? AND actor_id IS ? AND site_id IS ? ORDER BY inserted_at, id");
    row.bind(portal::to_string(type)).bind(to_text(actor)).bind(to_text(site));
    std::vector<portal::KnownToken> tokens;
    while (row.step()) {
        tokens.push_back({.id = read_id<portal::TokenId>(row, 0),
                          .type = type,
                          .actor = read_optional_id<portal::ActorId>(row, 1),
                          .site = read_optional_id<SiteId>(row, 2),
                          .name = row.optional_text(3),
                          .created_at = read_time(row, 4),
                          .expires_at = read_optional_time(row, 5),
                          .last_used_at = read_optional_time(row, 6)});
    }
    return tokens;
}

portal::Listed<portal::KnownClient> SqliteStorage::list_clients(const std::optional<portal::ActorId>& actor,
                                                                const portal::ListRange& range) {
    const auto bind = [&](Statement& statement) -> Statement& {
        return statement.bind(account_id_).bind(to_text(actor)).bind(like(range.text)).bind(range.text);
    };
    portal::Listed<portal::KnownClient> listed;
    auto row = database_.prepare(
        joined(kClientColumns, kClientWhere, " ORDER BY last_seen_at DESC, clients.id DESC LIMIT ? OFFSET ?"));
    bind_range(bind(row), range);
    while (row.step()) {
        listed.rows.push_back(read_client(row));
    }
    auto count = database_.prepare(joined("SELECT count(*)", kClientWhere));
    bind(count);
    listed.count = static_cast<std::size_t>(count_of(std::move(count)));
    return listed;
}

std::optional<portal::KnownClient> SqliteStorage::find_known_client(const ClientId& id) {
    auto row = database_.prepare(joined(kClientColumns, " FROM clients WHERE clients.id = ?"));
    row.bind(id.to_string());
    return row.step() ? std::optional{read_client(row)} : std::nullopt;
}

std::map<portal::ActorId, std::size_t> SqliteStorage::count_clients() {
    std::map<portal::ActorId, std::size_t> counts;
    for (auto row = database_.prepare("SELECT actor_id, count(*) FROM clients GROUP BY actor_id"); row.step();) {
        counts.emplace(read_id<portal::ActorId>(row, 0), static_cast<std::size_t>(row.integer(1)));
    }
    return counts;
}

std::vector<portal::KnownGateway> SqliteStorage::list_gateways() {
    auto row = database_.prepare(
        "SELECT id, site_id, external_id, name, ipv4, ipv6, last_seen_user_agent, last_seen_version,"
        " last_seen_remote_ip, last_seen_at, revoked_at FROM gateways ORDER BY id");
    std::vector<portal::KnownGateway> gateways;
    while (row.step()) {
        gateways.push_back({.id = read_id<GatewayId>(row, 0),
                            .site = read_id<SiteId>(row, 1),
                            .external_id = row.text(2),
                            .name = row.text(3),
                            .ipv4 = read_address(row, 4),
                            .ipv6 = read_address(row, 5),
                            .last_seen = read_last_seen(row, 6),
                            .is_revoked = !row.is_null(10)});
    }
    return gateways;
}

std::vector<portal::KnownRelay> SqliteStorage::list_relays() {
    auto row = database_.prepare(
        "SELECT id, name, ipv4, ipv6, port, last_seen_user_agent, last_seen_version, last_seen_remote_ip,"
        " last_seen_at, revoked_at FROM relays ORDER BY id");
    std::vector<portal::KnownRelay> relays;
    const auto address = [](const Statement& from, int column) {
        return from.is_null(column) ? std::nullopt : std::optional{read_address(from, column)};
    };
    while (row.step()) {
        relays.push_back({.id = read_id<RelayId>(row, 0),
                          .name = row.optional_text(1),
                          .ipv4 = address(row, 2),
                          .ipv6 = address(row, 3),
                          .port = static_cast<std::uint16_t>(row.integer(4)),
                          .last_seen = read_last_seen(row, 5),
                          .is_revoked = !row.is_null(9)});
    }
    return relays;
}

portal::Listed<portal::KnownFlow> SqliteStorage::list_flows(const portal::FlowFilter& filter,
                                                            const portal::ListRange& range) {
    const auto bind = [&](Statement& statement) -> Statement& {
        return statement.bind(account_id_)
            .bind(to_text(filter.client))
            .bind(to_text(filter.gateway))
            .bind(to_text(filter.resource))
            .bind(to_text(filter.policy))
            .bind(to_text(filter.actor));
    };
    portal::Listed<portal::KnownFlow> listed;
    auto row = database_.prepare(joined(
        "SELECT flows.id, client_id, clients.name, clients.actor_id, gateway_id, gateways.name, resource_id, policy_id,"
        " client_remote_ip, expires_at",
        kFlowWhere, " ORDER BY flows.inserted_at DESC, flows.id LIMIT ? OFFSET ?"));
    bind_range(bind(row), range);
    while (row.step()) {
        listed.rows.push_back({.id = read_id<portal::FlowId>(row, 0),
                               .client = read_id<ClientId>(row, 1),
                               .client_name = row.text(2),
                               .actor = read_id<portal::ActorId>(row, 3),
                               .gateway = read_id<GatewayId>(row, 4),
                               .gateway_name = row.text(5),
                               .resource = read_id<ResourceId>(row, 6),
                               .policy = read_id<portal::PolicyId>(row, 7),
                               .client_remote_ip = read_address(row, 8),
                               .expires_at = read_time(row, 9)});
    }
    auto count = database_.prepare(joined("SELECT count(*)", kFlowWhere));
    bind(count);
    listed.count = static_cast<std::size_t>(count_of(std::move(count)));
    return listed;
}

bool SqliteStorage::rename(const ClientId& id, const std::string& name) {
    auto statement = database_.prepare("UPDATE clients SET name = ? WHERE id = ?");
    statement.bind(name).bind(id.to_string());
    database_.must_execute(std::move(statement));
    return database_.changed_rows() > 0;
}

bool SqliteStorage::set_verified(const ClientId& id, const std::optional<UnixSeconds>& since) {
    auto statement = database_.prepare("UPDATE clients SET verified_at = ? WHERE id = ?");
    statement.bind(since ? std::optional{to_integer(*since)} : std::nullopt).bind(id.to_string());
    database_.must_execute(std::move(statement));
    const bool is_known = database_.changed_rows() > 0;
    if (!since) {
        erase_flows_except(id, {});
    }
    return is_known;
}

bool SqliteStorage::restore(const ClientId& id) {
    erase_row("UPDATE clients SET revoked_at = NULL WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}

bool SqliteStorage::restore(const GatewayId& id) {
    erase_row("UPDATE gateways SET revoked_at = NULL WHERE id = ?", id.uuid());
    return database_.changed_rows() > 0;
}

}  // namespace culvert::portal_server
