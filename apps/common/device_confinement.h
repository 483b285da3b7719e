#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/sandbox_flags.h"
#include "culvert/net/socket_address.h"

namespace culvert::command_line {

/// What a client or gateway still needs when its TUN interface is set up, beyond CAP_NET_ADMIN.
struct DeviceNeeds {
    sandbox::ServiceAccount account;
    /// Of the portal.
    std::uint16_t portal_port = 0;
    /// HTTP servers that are started later.
    std::vector<net::SocketAddress> listeners;
    /// Empty: no log files. They are root's, so with them the process stays root if it is.
    std::string log_directory;
    /// Records of flows; empty: none. Made for the account, whoever that will be.
    std::filesystem::path flow_log_folder;
    bool forwards = false;               ///< keeps nftables rules
    bool connects_to_resolvers = false;  ///< of any port: the portal names them later
};

/// Gives up everything else. Where root can become nobody else (a container without CAP_SETUID), it stays root, without
/// root's capabilities. Call it before there is a second thread. The error is for a person.
[[nodiscard]] std::expected<void, std::string> confine_device(const SandboxFlags& flags, const DeviceNeeds& needs);

}  // namespace culvert::command_line
