// The part of the storage that lets devices in, each with its row, or says why not.

#include "apps/portal/sqlite_row.h"
#include "apps/portal/sqlite_storage.h"

namespace culvert::portal_server {
namespace {

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
        place.addresses = addresses_.take(account_id_, rng);
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
        const auto known = find_client(id);
        const bool stays_verified = known && is_same_machine(*known, report);
        auto update = database_.prepare(
            "UPDATE clients SET token_id = ?, public_key = ?, device_serial = ?, device_uuid = ?, "
            "identifier_for_vendor = ?,"
            " firebase_installation_id = ?, last_seen_user_agent = ?, last_seen_version = ?, last_seen_remote_ip = ?,"
            " last_seen_at = ?, verified_at = CASE WHEN ? THEN verified_at END WHERE id = ?");
        update.bind(to_text(report.token))
            .bind(report.public_key.to_string())
            .bind(report.device_serial)
            .bind(report.device_uuid)
            .bind(report.identifier_for_vendor)
            .bind(report.firebase_installation_id);
        bind_last_seen(update, report.last_seen).bind(std::int64_t{stays_verified}).bind(id.to_string());
        database_.must_execute(std::move(update));
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
        database_.must_execute(std::move(insert));
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
        database_.must_execute(std::move(update));
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
        database_.must_execute(std::move(insert));
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
        database_.must_execute(std::move(statement));
    }
}

}  // namespace culvert::portal_server
