#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>

#include "culvert/base/rate_limiter.h"
#include "culvert/io/host_record.h"
#include "culvert/io/nftables.h"
#include "culvert/io/sysctl_changes.h"

namespace culvert::io {

/// Makes this host forward and masquerade what leaves the tunnel, for as long as the object lives: an nftables table of
/// our own and the forwarding sysctls. Source: spec/tunnel.md section 6.11.
///
/// What it promises stands in forwarding_rules.h. What it changes is put back at the end, or by the next start after a
/// crash (host_record.h).
///
/// After set_up() it still needs, until it is destroyed: CAP_NET_ADMIN over the network namespace, netlink sockets of
/// the families NETFILTER and ROUTE (libnftables opens a new one for each transaction), and pread, pwrite and ftruncate
/// on files that are open already. It opens no file any more and starts no process.
class GatewayHost {
public:
    struct Options {
        std::string tun_name;
        /// How fast an address of a client may open connections.
        Rate openings;
        std::filesystem::path record_folder = kRecordFolder;
        /// Connections that the kernel tracks for one address of a client; by default a share of what it tracks in all.
        std::optional<std::size_t> connections_per_address = std::nullopt;
        /// For tests of kernels that cannot do everything.
        decltype(&run_nft) nft = &run_nft;
    };

    /// Requires CAP_NET_ADMIN. Call it as the owner of the TUN device: there must be one gateway per network namespace.
    /// First puts back what a killed predecessor left. The error is for a person.
    [[nodiscard]] static std::expected<GatewayHost, std::string> set_up(const Options& options);

    /// Whether the kernel's table is the one that we set up.
    [[nodiscard]] bool is_intact() const;

    /// Puts the table and the sysctls back if somebody else took them away; says whether anything was missing.
    std::expected<bool, std::string> repair();

    ~GatewayHost();
    GatewayHost(GatewayHost&& other) noexcept;
    GatewayHost& operator=(GatewayHost&&) = delete;

private:
    GatewayHost(HostRecord record, SysctlChanges sysctls, std::string commands);

    HostRecord record_;
    SysctlChanges sysctls_;
    std::string commands_;
    /// Our table as the kernel shows it: to be compared with.
    std::string listing_;
    bool is_active_ = true;
};

}  // namespace culvert::io
