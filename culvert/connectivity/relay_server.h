#pragma once

#include <optional>
#include <string>

#include "culvert/base/uuid.h"
#include "culvert/net/socket_address.h"

namespace culvert::connectivity {

/// A TURN server as the portal describes it: reachable over IPv4, IPv6 or both.
struct RelayServer {
    RelayId id;
    std::optional<net::SocketAddress> v4;
    std::optional<net::SocketAddress> v6;
    std::string username;
    std::string password;
    std::string realm = "firezone";

    friend bool operator==(const RelayServer&, const RelayServer&) = default;
};

}  // namespace culvert::connectivity
