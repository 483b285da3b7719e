#pragma once

#include <variant>
#include <vector>

#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/client/resource_view.h"
#include "culvert/tunnel/tun_config.h"

namespace culvert::tunnel {

struct SendFromClient {
    portal_api::FromClient message;
};

/// The complete, sorted list; only the newest one matters.
struct ResourcesChanged {
    std::vector<ResourceView> resources;
};

/// What a client asks its host to do (spec/tunnel.md section 3.16).
using ClientEvent = std::variant<TunInterfaceUpdated, SendFromClient, ResourcesChanged, ReconnectToPortal>;

}  // namespace culvert::tunnel
