#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/rate_limiter.h"
#include "culvert/io/sysctl_changes.h"

namespace culvert::io {

/// Name of the gateway's own nftables table, in the family `inet`.
inline constexpr const char* kGatewayTable = "culvert_gateway";

/// What the gateway's nftables table depends on.
struct ForwardingRules {
    std::string tun_name;
    /// Interfaces that forwarded IPv4 (IPv6) before we came; nullopt: the whole host did. What comes from any other
    /// interface is forwarded into the tunnel only, as if we had never switched forwarding on.
    std::optional<std::vector<std::string>> ipv4_routers = std::vector<std::string>{};
    std::optional<std::vector<std::string>> ipv6_routers = std::vector<std::string>{};
    /// Connections that the kernel tracks for one address of the tunnel; a client has two addresses. Further ones are
    /// dropped, what is established goes on. nullopt: as many as fit.
    std::optional<std::size_t> connections_per_address;
    /// How fast such an address may open connections of any kind; the kernel also tracks SCTP, GRE and others by what
    /// is in them. What was refused it counts again with each packet.
    Rate openings;
    /// Kept in the table as well: it survives a crash also where no file can be written.
    std::vector<SysctlChange> record;
};

/// Commands that put the gateway's table in place, whatever was there before, in one transaction.
///
/// Promises: from the tunnel the gateway itself is reached by "ping" on its tunnel address and on nothing else, unless
/// a resource covers another address of it (which culvert/tunnel/gateway decides before the kernel sees the packet);
/// into the tunnel go answers only; nothing that entered by another interface is masqueraded, or forwarded on our
/// account; no client uses up the kernel's table of connections, which clients and host share.
[[nodiscard]] std::string install_commands(const ForwardingRules& rules);

[[nodiscard]] std::string remove_commands();

/// How many connections one address of the tunnel may have where the kernel tracks `most` in all.
[[nodiscard]] std::size_t connections_per_address(std::size_t most);

/// A listing of the table without the numbers of elements that newer versions of nftables append to sets as comments.
[[nodiscard]] std::string without_counts(std::string_view listing);

/// The record in the output of `nft list table`.
[[nodiscard]] std::vector<SysctlChange> record_in(const std::string& listing);

}  // namespace culvert::io
