#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/command_line.h"
#include "apps/common/sandbox_flags.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"

namespace culvert::relay_server {

/// What the operator asked for, by flags and environment (spec/session-and-apps.md section 8.5).
struct Options {
    std::optional<net::IpAddress> public_v4;
    std::optional<net::IpAddress> public_v6;
    std::uint16_t listen_port = 0;
    std::uint16_t lowest_port = 0;
    std::uint16_t highest_port = 0;
    std::vector<net::IpNetwork> allowed_peers;
    std::vector<net::IpNetwork> denied_peers;
    std::size_t max_allocations_per_user = 0;
    std::size_t max_channels_per_user = 0;
    std::string api_url;
    std::string token;
    std::string token_argument;  ///< the same, if it came where others can see it; else empty
    std::optional<std::string> name;
    std::optional<std::uint64_t> rng_seed;
    log::LogOptions log;
    net::SocketAddress health_check;
    net::SocketAddress control;
    std::optional<net::SocketAddress> metrics;
    std::optional<std::size_t> receive_buffer;
    std::optional<std::size_t> send_buffer;
    command_line::SandboxFlags sandbox;
};

[[nodiscard]] std::expected<Options, command_line::EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace culvert::relay_server
