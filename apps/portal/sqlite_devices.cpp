// The part of the storage that holds clients, gateways and relays once they are registered.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {
namespace {

constexpr std::string_view kSelectClient =
    "SELECT id, actor_id, external_id, name, public_key, psk_base, ipv4, ipv6, device_serial, device_uuid,"
    " identifier_for_vendor, firebase_installation_id, last_seen_user_agent, last_seen_version, last_seen_remote_ip,"
    " last_seen_at, verified_at FROM clients WHERE id = ? AND revoked_at IS NULL";

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
            .last_seen = read_last_seen(row, 12),
            .verified_at = read_optional_time(row, 16)};
}

}  // namespace

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

void SqliteStorage::record_presence(const std::vector<ClientId>& clients, const std::vector<GatewayId>& gateways,
                                    UnixSeconds now) {
    const auto record = [&](std::string_view sql, const auto& ids) {
        for (const auto& id : ids) {
            auto statement = database_.prepare(sql);
            statement.bind(to_integer(now)).bind(id.to_string());
            database_.must_execute(std::move(statement));
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
        database_.must_execute(std::move(statement));
        erased += static_cast<std::size_t>(database_.changed_rows());
    }
    return erased;
}

}  // namespace culvert::portal_server
