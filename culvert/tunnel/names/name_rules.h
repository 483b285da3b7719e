#pragma once

#include <optional>
#include <span>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/nat/session_table.h"
#include "culvert/nat/translations.h"
#include "culvert/net/ip_address.h"
#include "culvert/tunnel/names/name_requests.h"
#include "culvert/tunnel/p2p/messages.h"

/// What a gateway accepts of clients that have names set up, and of resolvers (spec/tunnel.md section 6.5).
namespace culvert::tunnel {

/// The request, unless its name is none, or what it calls proxy IPs cannot be: a client may name addresses of the proxy
/// range only, of which sentinels are none, and no more than a name has.
[[nodiscard]] std::optional<NameRequests::Request> read_request(const ClientId& client, p2p::AssignedIps message);

/// Of what a name resolved to, the addresses that a resource may have: whoever answers for a name must not lead clients
/// to the gateway itself, into the tunnel, or to where machines keep what is only for themselves.
[[nodiscard]] std::vector<net::IpAddress> usable_addresses(std::span<const net::IpAddress> addresses);

/// Sets up a name that is resolved, and says what to tell the client. Requires that the client may use the resource,
/// and that the name is one of it. Change::kStartedOver has been followed already.
[[nodiscard]] p2p::DomainStatus set_up(const NameRequests::Resolved& resolved, nat::Translations& translations,
                                       nat::SessionTable& sessions, Instant now);
/// What to tell a client whose request goes no further.
[[nodiscard]] p2p::DomainStatus refuse(const p2p::AssignedIps& message);

}  // namespace culvert::tunnel
