#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "apps/client/options.h"
#include "apps/common/device_confinement.h"
#include "apps/common/metrics.h"
#include "apps/common/process.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/observability/log.h"
#include "culvert/sandbox/core_dumps.h"
#include "culvert/session/client_session.h"

namespace culvert::client {
namespace {

constexpr log::Logger kLog{"client"};

int run(Options options) {
    log::init(options.log);
    options.device.service = io::ServiceManager::from_environment();
    if (options.check_only) {
        kLog.info("Check passed");
        return EXIT_SUCCESS;
    }
    command_line::DeviceNeeds needs{.account = sandbox::kClientAccount,
                                    .portal_port = options.device.portal.url.port(),
                                    .log_directory = options.log.directory,
                                    .flow_log_folder = options.device.flow_log_folder,
                                    .connects_to_resolvers = true};
    if (options.metrics) {
        needs.listeners.push_back(*options.metrics);
    }
    options.device.on_prepared = [&] { return command_line::confine_device(options.sandbox, needs); };
    std::unique_ptr<http::Endpoint> metrics;
    if (options.metrics) {
        options.device.on_metrics = [&, address = *options.metrics](std::vector<session::ShardMetrics> shards) {
            auto started = command_line::serve_metrics(address, std::move(shards));
            if (!started) {
                kLog.warn("Not serving metrics", log::field("error", started.error()));
                return;
            }
            metrics = std::move(*started);
        };
    }
    if (options.exit_when_ready) {
        options.device.on_ready = [] { std::raise(SIGTERM); };
    }
    options.device.on_ending = [&] { metrics.reset(); };
    if (const auto result = session::run_client({.device = std::move(options.device),
                                                 .activate_internet_resource = options.activate_internet_resource,
                                                 .dns_control = options.dns_control,
                                                 .confines_keeper = !options.sandbox.no_sandbox});
        !result) {
        kLog.error("Giving up", log::field("reason", result.error()));
        return EXIT_FAILURE;
    }
    kLog.info("Goodbye!");
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace culvert::client

int main(int argc, char** argv) {
    culvert::sandbox::forbid_core_dumps();
    culvert::command_line::hold_signals();
    culvert::command_line::raise_descriptor_limit();  // each query about a name needs one
    try {
        auto options = culvert::client::parse_options(argc, argv);
        return options ? culvert::client::run(std::move(*options)) : options.error().code;
    } catch (const std::exception& e) {
        std::cerr << "error: " << e.what() << '\n';
        return EXIT_FAILURE;
    }
}
