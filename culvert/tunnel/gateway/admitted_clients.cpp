#include "culvert/tunnel/gateway/admitted_clients.h"

namespace culvert::tunnel {

AdmittedClients::Peer& AdmittedClients::admit(const ClientId& id, const net::IpAddress& ipv4,
                                              const net::IpAddress& ipv6) {
    auto& peer = peers_.try_emplace(id, Peer{.ipv4 = ipv4, .ipv6 = ipv6}).first->second;
    by_address_.insert_or_assign(peer.ipv4, id);
    by_address_.insert_or_assign(peer.ipv6, id);
    return peer;
}

bool AdmittedClients::forget(const ClientId& id) {
    const auto peer = peers_.find(id);
    if (peer == peers_.end()) {
        return false;
    }
    for (const auto& address : {peer->second.ipv4, peer->second.ipv6}) {
        // The portal may have given the address to another client since.
        if (const auto owner = by_address_.find(address); owner != by_address_.end() && owner->second == id) {
            by_address_.erase(owner);
        }
    }
    peers_.erase(peer);
    return true;
}

void AdmittedClients::clear() {
    peers_.clear();
    by_address_.clear();
}

AdmittedClients::Peer* AdmittedClients::find(const ClientId& id) {
    const auto peer = peers_.find(id);
    return peer == peers_.end() ? nullptr : &peer->second;
}

std::optional<ClientId> AdmittedClients::find_by_address(const net::IpAddress& address) const {
    const auto owner = by_address_.find(address);
    return owner == by_address_.end() ? std::nullopt : std::optional{owner->second};
}

std::map<ClientId, GrantStates> AdmittedClients::grants() const {
    std::map<ClientId, GrantStates> grants;
    for (const auto& [id, peer] : peers_) {
        grants.emplace(id, peer.policy.grants());
    }
    return grants;
}

}  // namespace culvert::tunnel
