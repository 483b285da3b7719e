// The part of the storage in memory that lets devices in, each with its row, or says why not.

#include <algorithm>
#include <utility>

#include "culvert/portal/memory_storage.h"

namespace culvert::portal {

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
    if (!is_same_machine(client, report)) {
        client.verified_at.reset();
    }
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

}  // namespace culvert::portal
