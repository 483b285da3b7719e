#pragma once

#include <variant>

#include "culvert/portal_api/frame.h"
#include "culvert/tunnel/device/tun_config.h"

namespace culvert::tunnel {

/// The host must bring the interface to this state. Comes before all other pending events, and only for a change.
struct TunInterfaceUpdated {
    TunConfig config;
};

struct SendToPortal {
    portal_api::FromDevice message;
};

/// The relays known are of no use: connect to the portal anew, its `init` brings fresh ones.
struct ReconnectToPortal {};

/// What clients and gateways alike ask their host to do (spec/tunnel.md section 3.16).
using DeviceEvent = std::variant<TunInterfaceUpdated, SendToPortal, ReconnectToPortal>;

}  // namespace culvert::tunnel
