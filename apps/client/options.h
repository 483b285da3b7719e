#pragma once

#include <expected>
#include <optional>
#include <string>

#include "apps/common/command_line.h"
#include "apps/common/sandbox_flags.h"
#include "culvert/os_dns/method.h"
#include "culvert/session/device_session.h"

namespace culvert::client {

/// What the user asked for, by flags and environment (spec/session-and-apps.md sections 3 and 8.1).
struct Options {
    session::DeviceOptions device;
    std::optional<Duration> max_partition_time;
    log::LogOptions log;
    std::optional<net::SocketAddress> metrics;
    command_line::SandboxFlags sandbox;
    bool activate_internet_resource = false;
    os_dns::DnsMethod dns_control = os_dns::DnsMethod::kSystemdResolved;
    bool check_only = false;       ///< --check: everything but running
    bool exit_when_ready = false;  ///< --exit
};

/// Removes FIREZONE_TOKEN from the environment, so that no child or crash report sees it.
[[nodiscard]] std::expected<Options, command_line::EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace culvert::client
