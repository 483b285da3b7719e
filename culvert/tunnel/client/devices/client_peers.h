#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/ip_address.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The other clients that this one has a connection to, and the pools through which it was let through to each.
class ClientPeers {
public:
    struct Peer {
        crypto::PublicKey key;
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        /// When the client was last let through to us or we to it, if that was over a connection that was there
        /// already.
        std::optional<Instant> reused_at = {};
        /// Those that the portal granted to us.
        std::set<ResourceId> pools = {};

        [[nodiscard]] bool has_address(const net::IpAddress& address) const {
            return address == ipv4 || address == ipv6;
        }
    };

    /// Adds the client, or takes what has changed of it, but for its pools: they stay. But a client that comes with
    /// another key has started anew, and has forgotten that it was to let us in.
    void put(const ClientId& id, Peer peer);
    bool erase(const ClientId& id);
    [[nodiscard]] bool contains(const ClientId& id) const { return peers_.contains(id); }
    /// Null if unknown.
    [[nodiscard]] const Peer* find(const ClientId& id) const;
    [[nodiscard]] std::optional<ClientId> find_by_address(const net::IpAddress& address) const;
    [[nodiscard]] std::vector<ClientId> ids() const;

    /// We may use the pool to reach the client. Requires contains(id).
    void grant(const ClientId& id, const ResourceId& pool) { peers_.at(id).pools.insert(pool); }
    /// Ends grants for which `is_over(id, pool)`; returns who has lost the last one.
    template <typename Predicate>
    std::vector<ClientId> end_grants(Predicate is_over) {
        std::vector<ClientId> finished;
        for (auto& [id, peer] : peers_) {
            const bool had_some = !peer.pools.empty();
            std::erase_if(peer.pools, [&, device = id](const ResourceId& pool) { return is_over(device, pool); });
            if (had_some && peer.pools.empty()) {
                finished.push_back(id);
            }
        }
        return finished;
    }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    void forget_addresses(const ClientId& id, const Peer& peer);

    std::map<ClientId, Peer> peers_;
    std::unordered_map<net::IpAddress, ClientId> by_address_;
};

}  // namespace culvert::tunnel
