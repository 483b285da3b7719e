// The part of the storage that shows administrators what there is, and whether anything can be written.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {
namespace {

/// Kinds in the order of DeviceKind.
constexpr std::string_view kSelectDevices =
    "SELECT clients.id, 0, clients.name, external_id, actors.name, NULL, ipv4, ipv6, token_id, clients.inserted_at,"
    " last_seen_at, last_seen_remote_ip, last_seen_version, revoked_at"
    " FROM clients LEFT JOIN actors ON actors.id = actor_id"
    " UNION ALL SELECT gateways.id, 1, gateways.name, external_id, NULL, sites.name, ipv4, ipv6, token_id,"
    " gateways.inserted_at, last_seen_at, last_seen_remote_ip, last_seen_version, revoked_at"
    " FROM gateways LEFT JOIN sites ON sites.id = site_id"
    " UNION ALL SELECT id, 2, coalesce(name, ''), NULL, NULL, NULL, ipv4, ipv6, token_id, inserted_at, last_seen_at,"
    " last_seen_remote_ip, last_seen_version, revoked_at FROM relays"
    " ORDER BY 10, 1";

/// About what a device's registration writes: a row of each of two tables and an entry of each of their indices.
constexpr std::string_view kAttempt = "UPDATE attempts SET content = randomblob(16384) WHERE id = 1";

}  // namespace

std::vector<TokenListing> SqliteStorage::list_tokens() {
    auto row = database_.prepare(
        "SELECT tokens.id, tokens.type, actors.name, sites.name, tokens.inserted_at, expires_at, last_seen_at,"
        " last_seen_remote_ip, last_seen_user_agent FROM tokens LEFT JOIN actors ON actors.id = actor_id"
        " LEFT JOIN sites ON sites.id = site_id ORDER BY tokens.inserted_at, tokens.id");
    std::vector<TokenListing> tokens;
    while (row.step()) {
        tokens.push_back({.id = read_id<portal::TokenId>(row, 0),
                          .type = read_token_type(row, 1),
                          .actor = row.optional_text(2),
                          .site = row.optional_text(3),
                          .created_at = read_time(row, 4),
                          .expires_at = read_optional_time(row, 5),
                          .last_seen_at = read_optional_time(row, 6),
                          .last_seen_remote_ip = row.optional_text(7),
                          .last_seen_user_agent = row.optional_text(8)});
    }
    return tokens;
}

std::vector<DeviceListing> SqliteStorage::list_devices() {
    auto row = database_.prepare(kSelectDevices);
    std::vector<DeviceListing> devices;
    while (row.step()) {
        devices.push_back({.id = read_id<Uuid>(row, 0),
                           .kind = static_cast<DeviceKind>(row.integer(1)),
                           .name = row.text(2),
                           .external_id = row.optional_text(3),
                           .actor = row.optional_text(4),
                           .site = row.optional_text(5),
                           .ipv4 = row.optional_text(6),
                           .ipv6 = row.optional_text(7),
                           .token = read_optional_id<portal::TokenId>(row, 8),
                           .created_at = read_time(row, 9),
                           .last_seen_at = read_time(row, 10),
                           .last_seen_remote_ip = row.text(11),
                           .last_seen_version = row.text(12),
                           .revoked_at = read_optional_time(row, 13)});
    }
    return devices;
}

void SqliteStorage::try_to_write() {
    in_transaction([this] { database_.must_execute(database_.prepare(kAttempt)); });
    database_.require_space();
}

}  // namespace culvert::portal_server
