#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "apps/common/device_confinement.h"
#include "apps/common/metrics.h"
#include "apps/common/process.h"
#include "apps/common/token.h"
#include "apps/gateway/options.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/observability/log.h"
#include "culvert/sandbox/core_dumps.h"
#include "culvert/session/gateway_session.h"

namespace culvert::gateway {
namespace {

constexpr log::Logger kLog{"gateway"};

/// Forwarding matters more than being watched, so a taken port is no reason to stop.
std::unique_ptr<http::Endpoint> or_warn(std::expected<std::unique_ptr<http::Endpoint>, std::string> started) {
    if (!started) {
        kLog.warn("Not answering HTTP requests", log::field("error", started.error()));
        return nullptr;
    }
    return std::move(*started);
}

int run(Options options) {
    log::init(options.log);
    options.device.service = io::ServiceManager::from_environment();
    command_line::warn_about_argument(options.token_argument);
    command_line::DeviceNeeds needs{.account = sandbox::kGatewayAccount,
                                    .portal_port = options.device.portal.url.port(),
                                    .listeners = {options.health_check},
                                    .flow_log_folder = options.device.flow_log_folder,
                                    .forwards = true};
    if (options.metrics) {
        needs.listeners.push_back(*options.metrics);
    }
    std::unique_ptr<http::Endpoint> health;
    options.device.on_prepared = [&] {
        auto confined = command_line::confine_device(options.sandbox, needs);
        if (confined) {
            health = or_warn(command_line::serve_health(options.health_check));
        }
        return confined;
    };
    std::unique_ptr<http::Endpoint> metrics;
    if (options.metrics) {
        options.device.on_metrics = [&, address = *options.metrics](std::vector<session::ShardMetrics> shards) {
            metrics = or_warn(command_line::serve_metrics(address, std::move(shards)));
        };
    }
    options.device.on_ending = [&] { metrics.reset(); };
    if (const auto result = session::run_gateway(std::move(options.device)); !result) {
        kLog.error("Giving up", log::field("reason", result.error()));
        return EXIT_FAILURE;
    }
    kLog.info("Goodbye!");
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace culvert::gateway

int main(int argc, char** argv) {
    culvert::sandbox::forbid_core_dumps();
    culvert::command_line::hold_signals();
    culvert::command_line::raise_descriptor_limit();  // each query about a name needs one
    try {
        auto options = culvert::gateway::parse_options(argc, argv);
        if (!options) {
            return options.error().code;
        }
        culvert::command_line::hide_argument(argc, argv, options->token_argument);
        return culvert::gateway::run(std::move(*options));
    } catch (const std::exception& e) {
        std::cerr << "error: " << e.what() << '\n';
        return EXIT_FAILURE;
    }
}
