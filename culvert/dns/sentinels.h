#pragma once

#include <set>
#include <span>
#include <vector>

#include "culvert/dns/upstream.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/socket_address.h"

namespace culvert {
class Snapshot;
}

namespace culvert::dns {

/// What the portal says about resolvers.
struct PortalResolvers {
    std::vector<net::SocketAddress> do53;
    std::vector<DohServer> doh;

    friend bool operator==(const PortalResolvers&, const PortalResolvers&) = default;
};

/// Which resolvers are asked (spec/dns.md sections 2.3 and 14.1).
struct EffectiveServers {
    std::vector<Upstream> servers;
    /// Those of the machine's own network are never asked through the tunnel.
    bool are_from_portal = false;

    friend bool operator==(const EffectiveServers&, const EffectiveServers&) = default;
};

/// The portal's plain resolvers, else its HTTPS ones, else those of the system; each once, and never a sentinel, which
/// would be ourselves.
[[nodiscard]] EffectiveServers effective_servers(const PortalResolvers& portal, std::span<const net::IpAddress> system);

/// The addresses that the operating system is told to ask, one for each resolver behind them (section 2.4).
class Sentinels {
public:
    struct Mapping {
        net::IpAddress sentinel;
        Upstream server;

        friend bool operator==(const Mapping&, const Mapping&) = default;
    };

    /// Whether anything changed: not if only the order did. All sentinels are new ones then, so that the system and its
    /// applications drop what they remember of the old. Servers for which none is free are left out.
    bool update(std::span<const Upstream> servers);

    /// In the order in which the operating system should ask.
    [[nodiscard]] const std::vector<Mapping>& mappings() const { return mappings_; }
    /// Null if the address is not mapped now.
    [[nodiscard]] const Upstream* find(const net::IpAddress& sentinel) const;

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::set<Upstream> servers_;  // also those for which no sentinel was free
    std::vector<Mapping> mappings_;
};

}  // namespace culvert::dns
