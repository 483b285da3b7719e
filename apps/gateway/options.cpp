#include "apps/gateway/options.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "apps/common/device_options.h"
#include "apps/common/duration.h"
#include "apps/common/token.h"
#include "culvert/portal_api/external_id.h"
#include "culvert/portal_api/user_agent.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::gateway {
namespace {

using command_line::Complaint;
using command_line::EarlyExit;

constexpr const char* kIdFile = "/var/lib/firezone/gateway_id";
constexpr const char* kFlowLogFolder = "/var/lib/firezone/flow-logs";

struct RawOptions {
    command_line::DeviceFlags device;
    command_line::TokenFlags token;
    std::string health_check = "0.0.0.0:8080";
    std::string max_partition_time;
    command_line::SandboxFlags sandbox;
    bool no_check = false;
};

void describe(CLI::App& app, RawOptions& raw) {
    app.add_option("token", raw.token.argument,
                   "Gateway token from the portal (culvert-portal token create gateway). Better use FIREZONE_TOKEN or\n"
                   "--token-path: others can see arguments [FIREZONE_TOKEN]")
        ->option_text("[TOKEN]");
    command_line::describe_token_path(app, raw.token);
    command_line::describe(app, raw.device);
    app.add_option("--health-check-addr", raw.health_check,
                   "Where /healthz answers (default 0.0.0.0:8080) [HEALTH_CHECK_ADDR]")
        ->envname("HEALTH_CHECK_ADDR")
        ->option_text("ADDR:PORT");
    command_line::describe_max_partition_time(app, raw.max_partition_time, "FIREZONE_MAX_PARTITION_TIME", "24h");
    app.add_flag("--no-check", raw.no_check, "Do not check for root or CAP_NET_ADMIN at the start");
    command_line::describe(app, raw.sandbox, sandbox::kGatewayAccount);
    command_line::accept_without_effect(app, {"--no-telemetry", "--no-inc-buf"});
    app.footer(
        "Without TOKEN, FIREZONE_TOKEN and --token-path the systemd credential FIREZONE_TOKEN is used.\n"
        "\n"
        "Environment: RUST_LOG (log filter, default info), FIREZONE_UDP_RECV_BUFFER_SIZE and "
        "FIREZONE_UDP_SEND_BUFFER_SIZE\n"
        "(bytes). Each flag that takes a value can be given by the variable in brackets.\n"
        "\n"
        "Signals: SIGTERM and SIGINT end the gateway, SIGHUP makes it connect to the portal afresh.\n"
        "\n"
        "Example: FIREZONE_TOKEN=... culvert-gateway --api-url wss://portal.example.com");
}

bool has_net_admin() {
    if (::geteuid() == 0) {
        return true;
    }
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    return ::syscall(SYS_capget, &header, data.data()) == 0 && (data[0].effective & (1U << CAP_NET_ADMIN)) != 0;
}

/// What can be said about the flags without looking at the machine.
std::expected<Options, Complaint> check(const RawOptions& raw) {
    auto shared = command_line::check(raw.device, portal_api::Role::kGateway);
    if (!shared) {
        return std::unexpected{shared.error()};
    }
    Options options;
    options.log = std::move(shared->log);
    options.metrics = shared->metrics;
    options.sandbox = raw.sandbox;
    const auto health_check = command_line::parse_endpoint(raw.health_check, "--health-check-addr");
    if (!health_check) {
        return std::unexpected{health_check.error()};
    }
    options.health_check = *health_check;
    const auto max_partition_time = command_line::check_max_partition_time(raw.max_partition_time);
    if (!max_partition_time) {
        return std::unexpected{max_partition_time.error()};
    }
    options.max_partition_time = max_partition_time->value_or(portal_channel::kMaxPartitionTime);
    return options;
}

/// What can only fail for reasons outside the command line.
std::expected<session::DeviceOptions, Complaint> prepare(const RawOptions& raw) {
    if (!raw.no_check && !has_net_admin()) {
        return std::unexpected{
            "needs root or CAP_NET_ADMIN to create the tunnel interface. Run as root, or pass "
            "--no-check if you know better."};
    }
    const auto token = command_line::find_token(raw.token, "gateway");
    if (!token) {
        return std::unexpected{token.error()};
    }
    return command_line::make_device_options(raw.device,
                                             {.role = portal_api::Role::kGateway,
                                              .component = "gateway",
                                              .version = portal_api::kGatewayProtocolVersion,
                                              .app_id = portal_api::kGatewayAppId,
                                              .id_file = kIdFile,
                                              .flow_log_folder = kFlowLogFolder},
                                             *token);
}

}  // namespace

std::expected<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
    CLI::App app{"Lets clients reach the private network it stands in, as far as policies allow.", "culvert-gateway"};
    app.set_version_flag("--version", std::string{"culvert-gateway "} + CULVERT_VERSION);
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
    auto device = prepare(raw);
    if (!device) {
        std::cerr << "error: " << device.error() << '\n';
        return std::unexpected{EarlyExit{EXIT_FAILURE}};
    }
    device->portal.max_partition_time = options->max_partition_time;
    options->device = std::move(*device);
    options->token_argument = raw.token.argument;
    return *std::move(options);
}

}  // namespace culvert::gateway
