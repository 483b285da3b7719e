#pragma once

#include <compare>
#include <cstdint>
#include <variant>

#include "culvert/base/bytes.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/dns/upstream.h"
#include "culvert/net/socket_address.h"

/// What goes into the stub resolver and comes out of it.
namespace culvert::dns {

enum class Transport : std::uint8_t { kUdp, kTcp };

/// Who asked, and where the answer comes from.
struct Requester {
    net::SocketAddress client;
    /// A sentinel, or an LLMNR group.
    net::SocketAddress asked;
    Transport transport = Transport::kUdp;
    /// Over TCP: which connection, by whatever number the caller has given it.
    std::uint64_t connection = 0;

    friend auto operator<=>(const Requester&, const Requester&) = default;
};

/// One query of ours to one resolver.
struct AskId {
    std::uint64_t number = 0;

    friend auto operator<=>(const AskId&, const AskId&) = default;
};

/// Over the network around us, from a socket of its own that bypasses the tunnel: connected to `server`, on a port that
/// nobody can guess.
struct ViaHost {
    net::SocketAddress server;

    friend auto operator<=>(const ViaHost&, const ViaHost&) = default;
};
/// As a packet of our own: from our tunnel address of the server's family. Over UDP from `local_port`, and the answer
/// comes as handle_tunnel_datagram(); over TCP (0) through the one connection to that server.
struct ViaTunnel {
    net::SocketAddress server;
    std::uint16_t local_port = 0;

    friend auto operator<=>(const ViaTunnel&, const ViaTunnel&) = default;
};
using Route = std::variant<ViaHost, ViaTunnel, DohServer>;

/// Outputs.
struct Answer {
    Requester to;
    Bytes message;
};
/// Send `message`; report what comes of it. Without the length in front of it that TCP has.
struct Ask {
    AskId id;
    Route route;
    Transport transport = Transport::kUdp;
    Bytes message;
};
/// Nobody waits for this answer any more: close its socket. Not for UDP through the tunnel, which has none.
struct StopAsking {
    AskId id;
};
/// A query waits for a gateway of this resource's site. Comes with each query.
struct ConnectSite {
    ResourceId resource;
};
/// An application was told an address, or that there is none: time to make sure that the gateway knows it
/// (spec/dns.md section 4.2).
struct NameAnswered {
    Name name;
};

using StubOutput = std::variant<Answer, Ask, StopAsking, ConnectSite, NameAnswered>;

/// The tunnel addresses of a gateway, where it answers for its site.
struct SiteAddresses {
    net::IpAddress ipv4;
    net::IpAddress ipv6;

    [[nodiscard]] const net::IpAddress& of(net::Family family) const {
        return family == net::Family::kIpv4 ? ipv4 : ipv6;
    }
    friend bool operator==(const SiteAddresses&, const SiteAddresses&) = default;
};

}  // namespace culvert::dns
