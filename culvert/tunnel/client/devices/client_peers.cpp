#include "culvert/tunnel/client/devices/client_peers.h"

#include <utility>

namespace culvert::tunnel {

void ClientPeers::put(const ClientId& id, Peer peer) {
    auto& known = peers_[id];
    forget_addresses(id, known);
    if (known.key == peer.key) {
        peer.pools = std::move(known.pools);
    }
    known = std::move(peer);
    by_address_.insert_or_assign(known.ipv4, id);
    by_address_.insert_or_assign(known.ipv6, id);
}

bool ClientPeers::erase(const ClientId& id) {
    const auto entry = peers_.find(id);
    if (entry == peers_.end()) {
        return false;
    }
    forget_addresses(id, entry->second);
    peers_.erase(entry);
    return true;
}

const ClientPeers::Peer* ClientPeers::find(const ClientId& id) const {
    const auto entry = peers_.find(id);
    return entry == peers_.end() ? nullptr : &entry->second;
}

std::optional<ClientId> ClientPeers::find_by_address(const net::IpAddress& address) const {
    const auto entry = by_address_.find(address);
    return entry == by_address_.end() ? std::nullopt : std::optional{entry->second};
}

std::vector<ClientId> ClientPeers::ids() const {
    std::vector<ClientId> ids;
    for (const auto& [id, peer] : peers_) {
        ids.push_back(id);
    }
    return ids;
}

void ClientPeers::forget_addresses(const ClientId& id, const Peer& peer) {
    for (const auto& address : {peer.ipv4, peer.ipv6}) {
        // the portal may have given the address to another client since
        if (const auto entry = by_address_.find(address); entry != by_address_.end() && entry->second == id) {
            by_address_.erase(entry);
        }
    }
}

}  // namespace culvert::tunnel
