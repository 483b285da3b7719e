#pragma once

#include <string>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/dns/stub_io.h"
#include "culvert/net/ip_address.h"

namespace culvert::tunnel {

/// The host's network changed: connections move to its addresses, which are these.
struct NetworkChanged {
    std::vector<net::IpAddress> addresses;
};

/// Peers cannot be expected to know us any more, or must not know us again: drop all connections without a goodbye and
/// take a new key.
struct Reset {
    /// For the log.
    std::string reason;
};

/// The resolvers that the host itself uses, or would use without us. Our own sentinels may be among them.
struct SetSystemResolvers {
    std::vector<net::IpAddress> servers;
};

/// Whether everything that belongs to no other resource shall go through the tunnel.
struct SetInternetResource {
    bool is_active = false;
};

/// The answer to a dns::Ask.
struct DnsResponse {
    dns::AskId id;
    Bytes message;
};
/// There will be no answer: it could not be sent, or the connection failed.
struct DnsFailure {
    dns::AskId id;
};

/// Say goodbye to all peers. The last command.
struct ShutDown {};

}  // namespace culvert::tunnel
