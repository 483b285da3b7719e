#pragma once

#include <variant>

#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/tun_config.h"
#include "culvert/tunnel/tunnel_error.h"

namespace culvert::tunnel {

struct SendFromGateway {
    portal_api::FromGateway message;
};

/// What a gateway asks its host to do.
using GatewayEvent = std::variant<TunInterfaceUpdated, SendFromGateway, ReconnectToPortal, TunnelErrors>;

}  // namespace culvert::tunnel
