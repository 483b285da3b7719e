#pragma once

#include <map>

#include "culvert/base/uuid.h"
#include "culvert/connectivity/connection_state.h"

namespace culvert::tunnel {

/// What a client shows of itself to who compares it with gateways and portal; the snapshot has it as text, and more.
struct ClientState {
    std::map<ResourceId, GatewayId> assignments;  ///< through which gateway it reaches what
    connectivity::ConnectionStates connections;
};

}  // namespace culvert::tunnel
