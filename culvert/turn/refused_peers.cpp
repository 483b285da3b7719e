#include "culvert/turn/refused_peers.h"

#include <algorithm>

#include "culvert/turn/constants.h"

namespace culvert::turn {

void RefusedPeers::add(const net::SocketAddress& peer, Instant until) {
    if (peers_.size() >= kMaxRefusedPeers) {
        peers_.erase(std::ranges::min_element(peers_, {}, &decltype(peers_)::value_type::second));
    }
    peers_.insert_or_assign(peer, until);
}

bool RefusedPeers::contains(const net::SocketAddress& peer, Instant now) const {
    const auto refused = peers_.find(peer);
    return refused != peers_.end() && now < refused->second;
}

}  // namespace culvert::turn
