#pragma once

#include <expected>
#include <string>

namespace culvert::io {

/// Makes this host forward and masquerade what leaves the tunnel, for as long as the object lives: an nftables table of
/// our own and the forwarding sysctls. Source: spec/tunnel.md section 6.11.
///
/// Packets of clients (100.64.0.0/11, fd00:2021:1111::/107) that leave by any other interface than the TUN get the
/// host's address, so that resources can answer without a route to the clients.
class GatewayHost {
public:
    /// Requires CAP_NET_ADMIN. Replaces what a crashed predecessor left. The error is for a person.
    [[nodiscard]] static std::expected<GatewayHost, std::string> set_up(const std::string& tun_name);

    /// Removes the table again. Sysctls stay: other software may have come to rely on them.
    ~GatewayHost();
    GatewayHost(GatewayHost&& other) noexcept;
    GatewayHost& operator=(GatewayHost&&) = delete;

private:
    GatewayHost() = default;

    bool is_active_ = false;
};

}  // namespace culvert::io
