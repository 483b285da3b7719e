#include "apps/client/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "apps/common/device_options.h"
#include "apps/common/duration.h"
#include "apps/common/token.h"
#include "culvert/portal_api/external_id.h"
#include "culvert/portal_api/user_agent.h"

namespace culvert::client {
namespace {

using command_line::Complaint;
using command_line::EarlyExit;

constexpr const char* kIdFile = "/var/lib/dev.firezone.client/config/firezone-id.json";
constexpr const char* kFlowLogFolder = "/var/lib/dev.firezone.client/flow-logs";
constexpr const char* kTokenFile = "/etc/dev.firezone.client/token";

struct RawOptions {
    command_line::DeviceFlags device;
    command_line::TokenFlags token;
    std::string log_directory;
    std::string max_partition_time;
    command_line::SandboxFlags sandbox;
    bool activate_internet_resource = false;
    std::string dns_control{os_dns::to_string(os_dns::DnsMethod::kSystemdResolved)};
    bool check = false;
    bool exit = false;
};

void describe(CLI::App& app, RawOptions& raw) {
    command_line::describe(app, raw.device);
    command_line::describe_token_path(app, raw.token);
    app.add_option("-l,--log-dir", raw.log_directory, "Also write log files into this folder [LOG_DIR]")
        ->envname("LOG_DIR")
        ->option_text("FOLDER");
    command_line::describe_max_partition_time(app, raw.max_partition_time, "MAX_PARTITION_TIME", "never");
    app.add_flag("--activate-internet-resource", raw.activate_internet_resource,
                 "Send everything through the tunnel that no other resource serves, if the portal offers that "
                 "[FIREZONE_ACTIVATE_INTERNET_RESOURCE]")
        ->envname("FIREZONE_ACTIVATE_INTERNET_RESOURCE");
    app.add_option(
           "--dns-control", raw.dns_control,
           "How this machine is made to ask the client about names: systemd-resolved (default), etc-resolv-conf "
           "or disabled [FIREZONE_DNS_CONTROL]")
        ->envname("FIREZONE_DNS_CONTROL")
        ->option_text("METHOD");
    app.add_flag("--check", raw.check, "Check the configuration, then exit");
    app.add_flag("--exit", raw.exit, "Exit once the tunnel is ready");
    command_line::describe(app, raw.sandbox, sandbox::kClientAccount);
    command_line::accept_without_effect(app, {"--no-telemetry", "--inc-buf"});
    app.add_subcommand("standalone", "Does nothing; accepted for existing unit files")->group("");
    app.footer(
        "Environment: FIREZONE_TOKEN (the token; there is no flag for it, other users could read it), RUST_LOG (log\n"
        "filter, default info), FIREZONE_UDP_RECV_BUFFER_SIZE and FIREZONE_UDP_SEND_BUFFER_SIZE (bytes). Each flag "
        "that\n"
        "takes a value can be given by the variable in brackets. Without FIREZONE_TOKEN and --token-path the systemd\n"
        "credential FIREZONE_TOKEN is used, then /etc/dev.firezone.client/token.\n"
        "\n"
        "Signals: SIGTERM and SIGINT end the client, SIGHUP makes it connect afresh.\n"
        "\n"
        "Example: FIREZONE_TOKEN=... culvert-client --api-url wss://portal.example.com");
}

/// What can be said about the flags without looking at the machine.
std::expected<Options, Complaint> check(const RawOptions& raw) {
    auto shared = command_line::check(raw.device, portal_api::Role::kClient);
    if (!shared) {
        return std::unexpected{shared.error()};
    }
    Options options;
    options.log = std::move(shared->log);
    options.log.directory = raw.log_directory;
    options.log.file_name = "culvert-client";
    options.metrics = shared->metrics;
    options.activate_internet_resource = raw.activate_internet_resource;
    options.check_only = raw.check;
    options.sandbox = raw.sandbox;
    options.exit_when_ready = raw.exit;
    const auto dns_control = os_dns::parse_method(raw.dns_control);
    if (!dns_control) {
        return std::unexpected{"\"" + raw.dns_control +
                               "\" is no way to control DNS. Give --dns-control systemd-resolved, etc-resolv-conf or "
                               "disabled."};
    }
    options.dns_control = *dns_control;
    const auto max_partition_time = command_line::check_max_partition_time(raw.max_partition_time);
    if (!max_partition_time) {
        return std::unexpected{max_partition_time.error()};
    }
    options.max_partition_time = *max_partition_time;
    return options;
}

/// What can only fail for reasons outside the command line.
std::expected<session::DeviceOptions, Complaint> prepare(const RawOptions& raw) {
    const auto token = command_line::find_token(raw.token, "client", kTokenFile);
    if (!token) {
        return std::unexpected{token.error()};
    }
    return command_line::make_device_options(raw.device,
                                             {.role = portal_api::Role::kClient,
                                              .component = "headless-client",
                                              .version = portal_api::kClientProtocolVersion,
                                              .app_id = portal_api::kClientAppId,
                                              .id_file = kIdFile,
                                              .flow_log_folder = kFlowLogFolder},
                                             *token);
}

}  // namespace

std::expected<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
    CLI::App app{"Reaches private resources through gateways. Runs until it is told to stop.", "culvert-client"};
    app.set_version_flag("--version", std::string{"culvert-client "} + CULVERT_VERSION);
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
    return *std::move(options);
}

}  // namespace culvert::client
