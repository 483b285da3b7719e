#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/crypto/hash_key.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/socket_address.h"

namespace culvert::connectivity {

class Connection;

/// Finds the connections that a handshake message may be for: by the public key in an initiation, and by the path in
/// use. Peers choose their keys and addresses, so hashes are keyed. Nothing here has an order that depends on a hash.
class PeerTable {
public:
    explicit PeerTable(Rng rng) : hash_{rng} {}
    PeerTable(const PeerTable&) = delete;
    PeerTable& operator=(const PeerTable&) = delete;

    void insert(Connection& connection);
    void erase(Connection& connection);

    /// Connections whose peer has this key, in the order of their ids. Usually one: the portal keeps keys unique. But
    /// nothing stops somebody from handing in another's key where it does not.
    [[nodiscard]] std::span<Connection* const> find(const crypto::PublicKey& peer) const;

    /// The connection that sends from `local` to `remote`; null if none does.
    [[nodiscard]] Connection* find_by_path(const net::SocketAddress& local, const net::SocketAddress& remote) const;
    /// Call whenever the connection may use another path than before.
    void update_path(Connection& connection);

private:
    struct HashOfKey {
        const crypto::HashKey* hash;
        std::size_t operator()(const crypto::PublicKey& key) const { return (*hash)(key.bytes); }
    };
    struct HashOfAddress {
        const crypto::HashKey* hash;
        std::size_t operator()(const net::SocketAddress& address) const;
    };

    crypto::HashKey hash_;
    std::unordered_map<crypto::PublicKey, std::vector<Connection*>, HashOfKey> by_key_{0, HashOfKey{&hash_}};
    /// By the remote address, which no two peers share at a time unless one has just taken it over from the other.
    std::unordered_map<net::SocketAddress, Connection*, HashOfAddress> by_path_{0, HashOfAddress{&hash_}};
};

}  // namespace culvert::connectivity
