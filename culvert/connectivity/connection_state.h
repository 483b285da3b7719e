#pragma once

#include <map>
#include <optional>
#include <string>

#include "culvert/base/time.h"
#include "culvert/connectivity/events.h"
#include "culvert/connectivity/peer_socket.h"
#include "culvert/wireguard/tunnel_state.h"

namespace culvert::connectivity {

/// What a connection shows of itself to who compares its two ends; the snapshot has it as text, and more.
struct ConnectionState {
    Instant created_at;
    std::optional<PeerSocket> socket;  ///< where packets go; unset until the first nomination
    std::string local_ufrag;
    std::string remote_ufrag;
    wireguard::TunnelState tunnel;
};

using ConnectionStates = std::map<ConnectionId, ConnectionState>;

}  // namespace culvert::connectivity
