#include "apps/relay/options.h"

#include <CLI/CLI.hpp>
#include <string_view>

#include "apps/common/token.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/constants.h"

namespace culvert::relay_server {
namespace {

using command_line::Complaint;
using command_line::EarlyExit;

/// A flag's value as text, until all flags are known and can be judged together.
struct RawOptions {
    std::string public_v4;
    std::string public_v6;
    std::uint16_t listen_port = turn::kRelayPort;
    std::uint16_t lowest_port = turn::kDefaultLowestPort;
    std::uint16_t highest_port = turn::kDefaultHighestPort;
    std::vector<std::string> allowed_peers;
    std::vector<std::string> denied_peers;
    std::size_t max_allocations_per_user = turn::kMaxAllocationsPerUser;
    std::size_t max_channels_per_user = turn::kMaxChannelsPerUser;
    command_line::CommonFlags common;
    command_line::TokenFlags token;
    std::string name;
    std::optional<std::uint64_t> rng_seed;
    std::string health_check = "0.0.0.0:8080";
    std::string control = "127.0.0.1:9999";
    command_line::SandboxFlags sandbox;
};

template <typename T>
void add(CLI::App& app, const char* name, T& value, const char* variable, const char* placeholder,
         const std::string& text) {
    app.add_option(name, value, text + " [" + variable + "]")->envname(variable)->option_text(placeholder);
}

/// May be given several times; the environment variable lists them with commas.
void add_list(CLI::App& app, const char* name, std::vector<std::string>& values, const char* variable,
              const char* text) {
    app.add_option(name, values, std::string{text} + " [" + variable + "]")
        ->envname(variable)
        ->option_text("CIDR")
        ->delimiter(',')
        ->allow_extra_args(false);
}

void describe(CLI::App& app, RawOptions& raw) {
    app.add_option("token", raw.token.argument,
                   "Relay token; \"culvert-portal token create relay\" makes one. Better use FIREZONE_TOKEN or\n"
                   "--token-path: others can see arguments [FIREZONE_TOKEN]")
        ->option_text("[TOKEN]");
    command_line::describe_token_path(app, raw.token);
    add(app, "name", raw.name, "FIREZONE_NAME", "[NAME]", "Name of this relay in the portal");
    add(app, "--public-ip4-addr", raw.public_v4, "PUBLIC_IP4_ADDR", "ADDR", "IPv4 address clients reach this relay at");
    add(app, "--public-ip6-addr", raw.public_v6, "PUBLIC_IP6_ADDR", "ADDR", "IPv6 address clients reach this relay at");
    add(app, "--api-url", raw.common.api_url, "FIREZONE_API_URL", "URL",
        "Portal to register with: wss://HOST or ws://HOST:PORT");
    add(app, "--listen-port", raw.listen_port, "LISTEN_PORT", "PORT",
        "UDP port for STUN and TURN; default " + std::to_string(turn::kRelayPort));
    add(app, "--lowest-port", raw.lowest_port, "LOWEST_PORT", "PORT",
        "First UDP port for relayed traffic; default " + std::to_string(turn::kDefaultLowestPort));
    add(app, "--highest-port", raw.highest_port, "HIGHEST_PORT", "PORT",
        "Last UDP port for relayed traffic; default " + std::to_string(turn::kDefaultHighestPort));
    add_list(
        app, "--allow-peer", raw.allowed_peers, "ALLOW_PEER",
        "Relay also to addresses in this network, which may be a private one; repeatable. By default a relay with\n"
        "a public address of the Internet relays to none but such addresses");
    add_list(app, "--deny-peer", raw.denied_peers, "DENY_PEER",
             "Never relay to addresses in this network; repeatable, wins over --allow-peer");
    add(app, "--max-allocations-per-user", raw.max_allocations_per_user, "MAX_ALLOCATIONS_PER_USER", "NUMBER",
        "Most allocations of one device at a time; default " + std::to_string(turn::kMaxAllocationsPerUser));
    add(app, "--max-channels-per-user", raw.max_channels_per_user, "MAX_CHANNELS_PER_USER", "NUMBER",
        "Most channels of one device at a time; default " + std::to_string(turn::kMaxChannelsPerUser));
    add(app, "--health-check-addr", raw.health_check, "HEALTH_CHECK_ADDR", "ADDR:PORT",
        "Where /healthz answers; default 0.0.0.0:8080");
    add(app, "--control-endpoint", raw.control, "CONTROL_ENDPOINT", "ADDR:PORT",
        "Where POST /log_filter?directives=FILTER answers; default 127.0.0.1:9999");
    add(app, "--metrics-addr", raw.common.metrics, "METRICS_ADDR", "ADDR:PORT",
        "Where /metrics answers Prometheus; default off");
    add(app, "--log-format", raw.common.log_format, "LOG_FORMAT", "FORMAT", "human or json; default human");
    add(app, "--rng-seed", raw.rng_seed, "RNG_SEED", "NUMBER", "For tests only: makes all secrets predictable");
    command_line::describe(app, raw.sandbox, sandbox::kRelayAccount);
    command_line::accept_without_effect(app, {"--telemetry"});
    app.footer(
        "Each value can come from the environment variable in brackets instead. Also: RUST_LOG (which log lines, "
        "default\n"
        "info), FIREZONE_UDP_RECV_BUFFER_SIZE, FIREZONE_UDP_SEND_BUFFER_SIZE (bytes).\n"
        "Without TOKEN, FIREZONE_TOKEN and --token-path the systemd credential FIREZONE_TOKEN is used.\n"
        "\n"
        "Signals: SIGTERM and SIGINT end the relay; SIGHUP is ignored, for nothing is read again.\n"
        "\n"
        "Example: FIREZONE_TOKEN=... culvert-relay --api-url wss://portal.example.com --public-ip4-addr 203.0.113.21");
}

std::expected<std::optional<net::IpAddress>, Complaint> parse_public(const std::string& text, net::Family family,
                                                                     std::string_view flag) {
    if (text.empty()) {
        return std::nullopt;
    }
    const auto address = net::IpAddress::parse(text);
    if (!address || address->family() != family) {
        return std::unexpected{"\"" + text + "\" is no " + (family == net::Family::kIpv4 ? "IPv4" : "IPv6") +
                               " address. Give " + std::string{flag} + " an address such as " +
                               (family == net::Family::kIpv4 ? "203.0.113.21." : "2001:db8::21.")};
    }
    return address;
}

/// Networks, or single addresses. Host bits are a mistake: the network meant might be another.
std::expected<std::vector<net::IpNetwork>, Complaint> parse_networks(const std::vector<std::string>& texts,
                                                                     std::string_view flag) {
    std::vector<net::IpNetwork> networks;
    for (const auto& text : texts) {
        if (const auto network = net::IpNetwork::parse(text)) {
            networks.push_back(*network);
        } else if (const auto address = net::IpAddress::parse(text)) {
            networks.push_back(net::IpNetwork::host(*address));
        } else {
            return std::unexpected{"\"" + text + "\" is no network. Give " + std::string{flag} +
                                   " one without host bits such as 10.0.0.0/8 or fd00::/8, or an address."};
        }
    }
    return networks;
}

std::expected<Options, Complaint> check(const RawOptions& raw) {
    if (!command_line::environment("EBPF_OFFLOADING").empty()) {
        return std::unexpected{"EBPF_OFFLOADING is set, but this relay has no XDP fast path. Unset it."};
    }
    Options options;
    const auto v4 = parse_public(raw.public_v4, net::Family::kIpv4, "--public-ip4-addr");
    const auto v6 = parse_public(raw.public_v6, net::Family::kIpv6, "--public-ip6-addr");
    if (!v4 || !v6) {
        return std::unexpected{v4 ? v6.error() : v4.error()};
    }
    options.public_v4 = *v4;
    options.public_v6 = *v6;
    if (!options.public_v4 && !options.public_v6) {
        return std::unexpected{"no public address. Pass --public-ip4-addr, --public-ip6-addr or both."};
    }
    auto allowed = parse_networks(raw.allowed_peers, "--allow-peer");
    auto denied = parse_networks(raw.denied_peers, "--deny-peer");
    if (!allowed || !denied) {
        return std::unexpected{allowed ? denied.error() : allowed.error()};
    }
    options.allowed_peers = *std::move(allowed);
    options.denied_peers = *std::move(denied);
    auto common = command_line::check(raw.common, portal_api::Role::kRelay);
    if (!common) {
        return std::unexpected{common.error()};
    }
    options.log = std::move(common->log);
    options.metrics = common->metrics;
    const auto token = command_line::find_token(raw.token, "relay");
    if (!token) {
        return std::unexpected{token.error()};
    }
    if (raw.lowest_port > raw.highest_port) {
        return std::unexpected{"the port range is empty: --lowest-port " + std::to_string(raw.lowest_port) +
                               " is above --highest-port " + std::to_string(raw.highest_port) + ". Swap them."};
    }
    if (raw.lowest_port == 0) {
        return std::unexpected{"port 0 cannot be relayed. Give --lowest-port at least 1."};
    }
    if (raw.listen_port == 0) {
        return std::unexpected{"clients cannot find port 0. Give --listen-port a port such as " +
                               std::to_string(turn::kRelayPort) + "."};
    }
    if (raw.listen_port >= raw.lowest_port && raw.listen_port <= raw.highest_port) {
        return std::unexpected{"--listen-port " + std::to_string(raw.listen_port) +
                               " is within the range for relayed traffic. Choose one outside it."};
    }
    options.listen_port = raw.listen_port;
    options.lowest_port = raw.lowest_port;
    options.highest_port = raw.highest_port;
    if (raw.max_allocations_per_user == 0 || raw.max_channels_per_user == 0) {
        return std::unexpected{
            "a relay without allocations or channels serves nobody. Give --max-allocations-per-user and "
            "--max-channels-per-user at least 1."};
    }
    options.max_allocations_per_user = raw.max_allocations_per_user;
    options.max_channels_per_user = raw.max_channels_per_user;
    options.api_url = raw.common.api_url;
    options.token = *token;
    options.token_argument = raw.token.argument;
    if (!raw.name.empty()) {
        options.name = raw.name;
    }
    options.rng_seed = raw.rng_seed;
    options.sandbox = raw.sandbox;

    const auto health = command_line::parse_endpoint(raw.health_check, "--health-check-addr");
    const auto control = command_line::parse_endpoint(raw.control, "--control-endpoint");
    if (!health || !control) {
        return std::unexpected{health ? control.error() : health.error()};
    }
    options.health_check = *health;
    options.control = *control;

    options.receive_buffer = command_line::environment_size("FIREZONE_UDP_RECV_BUFFER_SIZE");
    options.send_buffer = command_line::environment_size("FIREZONE_UDP_SEND_BUFFER_SIZE");
    return options;
}

}  // namespace

std::expected<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
    CLI::App app{"STUN and TURN relay for clients and gateways that cannot reach each other directly.",
                 "culvert-relay"};
    app.set_version_flag("--version", std::string{"culvert-relay "} + CULVERT_VERSION);
    RawOptions raw;
    raw.token.from_environment = command_line::take_token_from_environment();
    describe(app, raw);
    if (const auto parsed = command_line::parse(app, argc, argv); !parsed) {
        return std::unexpected{parsed.error()};
    }
    auto options = check(raw);
    if (!options) {
        return std::unexpected{command_line::complain(options.error())};
    }
    return *std::move(options);
}

}  // namespace culvert::relay_server
