#pragma once

#include <variant>
#include <vector>

#include "culvert/crypto/keys.h"
#include "culvert/tunnel/client/resource_view.h"
#include "culvert/tunnel/device/device_event.h"

namespace culvert::tunnel {

/// The complete, sorted list; only the newest one matters.
struct ResourcesChanged {
    std::vector<ResourceView> resources;
};

/// After a reset: connect to the portal anew, with this key.
struct KeyChanged {
    crypto::PublicKey public_key;
};

/// What a client asks its host to do (spec/tunnel.md section 3.16).
using ClientEvent = std::variant<TunInterfaceUpdated, SendToPortal, ReconnectToPortal, ResourcesChanged, KeyChanged>;

}  // namespace culvert::tunnel
