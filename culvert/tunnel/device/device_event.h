#pragma once

#include <variant>

#include "culvert/connectivity/events.h"
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

/// The relays known are of no use: ask the portal for others (`no_relays`).
struct AskForRelays {};

/// The connection to the peer is no more: what the portal was not told yet of its candidates is of no use.
struct ConnectionEnded {
    connectivity::ConnectionId peer;
};

/// What clients and gateways alike ask their host to do (spec/tunnel.md section 3.16).
using DeviceEvent = std::variant<TunInterfaceUpdated, SendToPortal, AskForRelays, ConnectionEnded>;

}  // namespace culvert::tunnel
