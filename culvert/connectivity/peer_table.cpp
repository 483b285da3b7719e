#include "culvert/connectivity/peer_table.h"

#include <algorithm>
#include <array>

#include "culvert/connectivity/connection.h"

namespace culvert::connectivity {

std::size_t PeerTable::HashOfAddress::operator()(const net::SocketAddress& address) const {
    std::array<std::byte, 18> bytes{};
    std::ranges::copy(address.ip.bytes(), bytes.begin());
    store_be(MutableByteSpan{bytes}.subspan(16), address.port);
    return (*hash)(bytes);
}

void PeerTable::insert(Connection& connection) {
    auto& same = by_key_[connection.parameters().peer];
    same.insert(std::ranges::lower_bound(same, connection.id(), {}, [](const Connection* c) { return c->id(); }),
                &connection);
}

void PeerTable::erase(Connection& connection) {
    if (const auto found = by_key_.find(connection.parameters().peer); found != by_key_.end()) {
        std::erase(found->second, &connection);
        if (found->second.empty()) {
            by_key_.erase(found);
        }
    }
    if (const auto& remote = connection.known_path) {
        if (const auto found = by_path_.find(*remote); found != by_path_.end() && found->second == &connection) {
            by_path_.erase(found);
        }
        connection.known_path.reset();
    }
}

std::span<Connection* const> PeerTable::find(const crypto::PublicKey& peer) const {
    const auto found = by_key_.find(peer);
    return found == by_key_.end() ? std::span<Connection* const>{} : found->second;
}

Connection* PeerTable::find_by_path(const net::SocketAddress& local, const net::SocketAddress& remote) const {
    const auto found = by_path_.find(remote);
    return found != by_path_.end() && found->second->socket()->source == local ? found->second : nullptr;
}

void PeerTable::update_path(Connection& connection) {
    const auto& socket = connection.socket();
    if (!socket || connection.known_path == socket->destination) {
        return;
    }
    if (const auto& before = connection.known_path) {
        if (const auto found = by_path_.find(*before); found != by_path_.end() && found->second == &connection) {
            by_path_.erase(found);
        }
    }
    connection.known_path = socket->destination;
    by_path_[socket->destination] = &connection;
}

}  // namespace culvert::connectivity
