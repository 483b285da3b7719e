#pragma once

#include <expected>
#include <optional>
#include <string>

#include "apps/common/command_line.h"
#include "apps/common/sandbox_flags.h"
#include "culvert/base/time.h"
#include "culvert/session/device_session.h"

namespace culvert::gateway {

/// What the operator asked for, by flags and environment (spec/session-and-apps.md sections 5 and 8.4).
struct Options {
    session::DeviceOptions device;
    log::LogOptions log;
    net::SocketAddress health_check;
    Duration max_partition_time{};
    std::optional<net::SocketAddress> metrics;
    std::string token_argument;  ///< where others can see it; empty: it came another way
    command_line::SandboxFlags sandbox;
};

[[nodiscard]] std::expected<Options, command_line::EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace culvert::gateway
