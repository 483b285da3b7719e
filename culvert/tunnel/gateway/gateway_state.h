#pragma once

#include <map>
#include <optional>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/connectivity/connection_state.h"

namespace culvert::tunnel {

/// What a client may reach, and until when; unset means for ever.
using GrantStates = std::map<ResourceId, std::optional<UnixSeconds>>;

/// What a gateway shows of itself to who compares it with clients and portal; the snapshot has it as text, and more.
struct GatewayState {
    std::map<ClientId, GrantStates> grants;
    connectivity::ConnectionStates connections;
};

}  // namespace culvert::tunnel
