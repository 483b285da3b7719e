#include "culvert/dns/sentinels.h"

#include <algorithm>
#include <optional>

#include "culvert/base/overloaded.h"
#include "culvert/base/snapshot.h"
#include "culvert/dns/address_ranges.h"
#include "culvert/dns/constants.h"

namespace culvert::dns {

namespace {

void add_once(std::vector<Upstream>& servers, Upstream server) {
    if (std::ranges::find(servers, server) == servers.end()) {
        servers.push_back(std::move(server));
    }
}

void add_unless_sentinel(std::vector<Upstream>& servers, const net::SocketAddress& server) {
    if (!is_sentinel_address(server.ip)) {
        add_once(servers, server);
    }
}

net::Family family_of(const Upstream& server) {
    return std::visit(overloaded{[](const net::SocketAddress& address) { return address.family(); },
                                 [](const DohServer&) { return net::Family::kIpv4; }},
                      server);
}

/// .1 to .254 of IPv4, and all of IPv6 from the first on.
net::IpAddress sentinel_at(net::Family family, unsigned host) {
    const auto network = sentinel_range(family).address();
    auto bytes = to_bytes(network.bytes());
    bytes.back() = static_cast<std::byte>(host);
    return net::IpAddress::from_bytes(bytes);
}

/// Hands out what was not used before.
class FreeSentinels {
public:
    FreeSentinels(net::Family family, std::set<net::IpAddress> used)
        : family_{family},
          used_{std::move(used)},
          next_{family == net::Family::kIpv4 ? 1U : 0U},
          last_{family == net::Family::kIpv4 ? 254U : 255U} {}

    std::optional<net::IpAddress> take() {
        while (next_ <= last_) {
            const auto sentinel = sentinel_at(family_, next_++);
            if (!used_.contains(sentinel)) {
                return sentinel;
            }
        }
        return std::nullopt;
    }

private:
    net::Family family_;
    std::set<net::IpAddress> used_;
    unsigned next_;
    unsigned last_;
};

}  // namespace

EffectiveServers effective_servers(const PortalResolvers& portal, std::span<const net::IpAddress> system) {
    EffectiveServers effective{.are_from_portal = true};
    for (const auto& server : portal.do53) {
        add_unless_sentinel(effective.servers, server);
    }
    if (!effective.servers.empty()) {
        return effective;
    }
    for (const auto& server : portal.doh) {
        add_once(effective.servers, server);
    }
    if (!effective.servers.empty()) {
        return effective;
    }
    effective.are_from_portal = false;
    for (const auto& address : system) {
        add_unless_sentinel(effective.servers, {address, kDnsPort});
    }
    return effective;
}

bool Sentinels::update(std::span<const Upstream> servers) {
    std::set<Upstream> wanted{servers.begin(), servers.end()};
    if (wanted == servers_) {
        return false;
    }
    servers_ = std::move(wanted);
    std::set<net::IpAddress> used;
    for (const auto& mapping : mappings_) {
        used.insert(mapping.sentinel);
    }
    FreeSentinels ipv4{net::Family::kIpv4, used};
    FreeSentinels ipv6{net::Family::kIpv6, used};
    std::vector<Mapping> mappings;
    for (const auto& server : servers) {
        if (const auto sentinel = (family_of(server) == net::Family::kIpv4 ? ipv4 : ipv6).take()) {
            mappings.push_back({*sentinel, server});
        }
    }
    mappings_ = std::move(mappings);
    return true;
}

const Upstream* Sentinels::find(const net::IpAddress& sentinel) const {
    const auto found = std::ranges::find(mappings_, sentinel, &Mapping::sentinel);
    return found == mappings_.end() ? nullptr : &found->server;
}

void Sentinels::describe(Snapshot& out) const {
    for (const auto& [sentinel, server] : mappings_) {
        out.line("sentinel").field("address", sentinel);
        std::visit(overloaded{[&](const net::SocketAddress& address) { out.field("server", address); },
                              [&](const DohServer& doh) { out.field("server", doh.url); }},
                   server);
    }
}

}  // namespace culvert::dns
