// Creating, keeping and ending connections (spec/connectivity.md sections 8.1, 8.6 and 9.4).

#include <algorithm>
#include <utility>

#include "culvert/connectivity/connection.h"
#include "culvert/connectivity/identity.h"
#include "culvert/connectivity/node.h"
#include "culvert/observability/log.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

}  // namespace

Node::Node(Role role, const Seeds& seeds, Instant now, WallTime wall_now)
    : role_{role},
      identity_rng_{seeds.identity},
      relay_rng_{seeds.own.child("relays")},
      connection_rng_{seeds.own.child("connections")},
      created_at_{now},
      wall_at_creation_{wall_now},
      identity_{std::make_unique<NodeIdentity>(identity_rng_.fork(), now)},
      peers_{seeds.own.child("hashes")} {}

Node::~Node() = default;

const crypto::PublicKey& Node::public_key() const {
    return identity_->keys.public_key();
}

Connection* Node::find(const ConnectionId& id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

std::string_view Node::id_key(const ConnectionId& id) const {
    const auto known = connections_.find(id);
    const bool is_client =
        known == connections_.end() ? role_ == Role::kGateway : known->second->parameters().is_with_client;
    return is_client ? "cid" : "gid";
}

std::expected<Upserted, UpsertError> Node::upsert_connection(const ConnectionId& id, const crypto::PublicKey& peer,
                                                             const crypto::PresharedKey& preshared_key,
                                                             const Credentials& local, const Credentials& remote,
                                                             Instant now) {
    const auto role = role_ == Role::kClient ? ice::AgentRole::kControlling : ice::AgentRole::kControlled;
    return upsert(id, {peer, preshared_key, local, remote, role, role_ == Role::kGateway, false}, now);
}

std::expected<Upserted, UpsertError> Node::upsert_client_connection(const ConnectionId& id,
                                                                    const crypto::PublicKey& peer,
                                                                    const crypto::PresharedKey& preshared_key,
                                                                    const Credentials& local, const Credentials& remote,
                                                                    ice::AgentRole role, Instant now) {
    return upsert(id, {peer, preshared_key, local, remote, role, true, true}, now);
}

std::expected<Upserted, UpsertError> Node::upsert(const ConnectionId& id, ConnectionParameters parameters,
                                                  Instant now) {
    const std::string_view key = parameters.is_with_client ? "cid" : "gid";
    const auto existing = connections_.find(id);
    const bool is_replacement = existing != connections_.end();
    if (is_replacement) {
        if (existing->second->parameters() == parameters) {
            reuse(*existing->second, now);
            return Upserted::kReused;
        }
        kLog.info("Replacing connection", log::field(key, id));
        erase(existing, now);
    }
    auto rng = connection_rng_.fork();
    const auto relay = relays_.select(lost_relays_, rng);
    if (relay) {
        kLog.info("Creating connection", log::field(key, id), log::field("relay", *relay));
    } else if (!host_candidates_.empty()) {
        kLog.info("Creating connection without a relay", log::field(key, id));
        has_orphans_ = true;  // until there is one
    } else {
        kLog.warn("Cannot connect without relays", log::field(key, id));
        return std::unexpected{UpsertError::kNoRelays};
    }
    const auto index = indices_.allocate(rng);
    const log::IdField subject{key, id};
    wireguard::Tunnel tunnel{
        identity_->keys,   parameters.peer, parameters.preshared_key, index, rng.child("tunnel"), now,
        wall_time_at(now), subject};
    auto& connection = *connections_
                            .emplace(id, std::make_unique<Connection>(id, std::move(parameters), std::move(tunnel),
                                                                      index, relay, rng.child("agent"), now, subject))
                            .first->second;
    indices_.insert(index, connection);
    peers_.insert(connection);
    ++census_.of(connection.counted_as);
    schedule_.insert(id, connection);
    by_ufrag_.emplace(connection.parameters().local.username, &connection);
    for (const auto& candidate : seed_candidates(relay)) {
        connection.add_local_candidate(candidate, outbox_, now);
    }
    connection.agent().handle_timeout(now);
    return is_replacement ? Upserted::kReplaced : Upserted::kCreated;
}

WallTime Node::wall_time_at(Instant now) const {
    return wall_at_creation_ + std::chrono::duration_cast<WallTime::duration>(now - created_at_);
}

/// Nothing changed: the portal asks again because one side lost its state. If it was the peer, our handshake and
/// candidates bring it back; if it was us, we would not be here.
void Node::reuse(Connection& connection, Instant now) {
    kLog.info("Reusing connection", log::field(id_key(connection.id()), connection.id()));
    connection.note_activity(now);
    connection.signal_local_candidates(seed_candidates(connection.relay()), outbox_, now);
    if (connection.socket()) {
        connection.start_proactive_handshake(now);
        connection.flush_tunnel(outbox_, now);
    }
    schedule_.touch(connection);
}

void Node::forget_connection(const ConnectionId& id, Instant now) {
    if (const auto entry = connections_.find(id); entry != connections_.end()) {
        kLog.info("Removing connection", log::field(id_key(id), id));
        erase(entry, now);
    }
}

void Node::close_connection(const ConnectionId& id, ByteSpan goodbye, Instant now) {
    if (const auto entry = connections_.find(id); entry != connections_.end()) {
        close(entry, goodbye, now);
    }
}

void Node::close_all(ByteSpan goodbye, Instant now) {
    for (auto entry = connections_.begin(); entry != connections_.end();) {
        entry = close(entry, goodbye, now);
    }
}

Node::Connections::iterator Node::close(Connections::iterator entry, ByteSpan goodbye, Instant now) {
    auto& connection = *entry->second;
    kLog.info("Closing connection", log::field(id_key(connection.id()), connection.id()));
    if (connection.phase() != Connection::Phase::kConnecting) {
        connection.send_last_packet(goodbye, outbox_, now);
        outbox_.emit(ConnectionClosed{connection.id()});
    }
    return erase(entry, now);
}

Node::Connections::iterator Node::erase(Connections::iterator entry, Instant now) {
    auto& connection = *entry->second;
    recently_disconnected_.add(connection.id(), connection.parameters().peer, connection.index(), now);
    indices_.erase(connection.index());
    peers_.erase(connection);
    --census_.of(connection.counted_as);
    schedule_.erase(connection);
    std::erase_if(by_ufrag_, [&](const auto& named) { return named.second == &connection; });
    return connections_.erase(entry);
}

void Node::reset(Instant now) {
    outbox_.clear();
    relays_.clear();
    lost_relays_.clear();
    for (auto entry = connections_.begin(); entry != connections_.end();) {
        outbox_.emit(ConnectionClosed{entry->first});
        entry = erase(entry, now);
    }
    identity_ = std::make_unique<NodeIdentity>(identity_rng_.fork(), now);
    kLog.info("Reset network state");
}

void Node::handle_network_change(std::span<const net::IpAddress> addresses, Instant now) {
    host_addresses_.emplace(addresses.begin(), addresses.end());
    lost_relays_.handle_network_change(now);
    for (auto& [id, allocation] : relays_.all()) {
        allocation.handle_network_change(addresses, now);
    }
    for (auto& [id, connection] : connections_) {
        move_host_candidates(*connection, now);
        connection->handle_network_change(now);
        schedule_.touch(*connection);
    }
    kLog.info("Moving to the host's network as it is now", log::field("connections", connections_.size()),
              log::field("relays", relays_.all().size()));
}

}  // namespace culvert::connectivity
