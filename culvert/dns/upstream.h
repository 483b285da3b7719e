#pragma once

#include <compare>
#include <string>
#include <variant>

#include "culvert/net/socket_address.h"

namespace culvert::dns {

/// A resolver that is asked over HTTPS (RFC 8484).
struct DohServer {
    std::string url;

    friend auto operator<=>(const DohServer&, const DohServer&) = default;
};

/// A resolver that is asked what cannot be answered here.
using Upstream = std::variant<net::SocketAddress, DohServer>;

}  // namespace culvert::dns
