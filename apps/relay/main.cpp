#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "apps/common/process.h"
#include "apps/common/token.h"
#include "apps/relay/confinement.h"
#include "apps/relay/constants.h"
#include "apps/relay/metrics.h"
#include "apps/relay/options.h"
#include "apps/relay/portal_link.h"
#include "apps/relay/relay_loop.h"
#include "culvert/base/time.h"
#include "culvert/http/endpoint.h"
#include "culvert/io/clock.h"
#include "culvert/io/entropy.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/io/local_addresses.h"
#include "culvert/io/service_manager.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/observability/log.h"
#include "culvert/observability/metrics_page.h"
#include "culvert/sandbox/core_dumps.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::relay_server {
namespace {

constexpr log::Logger kLog{"relay"};

/// What ends the process: a signal, or a part that cannot go on. The main thread waits for it.
class Ending {
public:
    /// Requires hold_signals() before any thread was started.
    Ending() : failure_event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        std::signal(SIGPIPE, SIG_IGN);  // whoever asks over HTTP may have gone
        signals_ = io::FileDescriptor{::signalfd(-1, &signals, SFD_CLOEXEC)};
    }

    /// From any thread. The first reason counts.
    void fail(const std::string& reason) {
        const std::lock_guard lock{mutex_};
        if (!failure_) {
            failure_ = reason;
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(failure_event_.get(), &one, sizeof one);
    }

    /// Returns the reason of a failure, or nullopt after a signal that ends the process. Calls `on_interval` as often
    /// as `interval` says, if it does.
    template <typename OnInterval>
    [[nodiscard]] std::optional<std::string> wait(std::optional<Duration> interval, const OnInterval& on_interval) {
        std::array<pollfd, 2> sources{{{signals_.get(), POLLIN, 0}, {failure_event_.get(), POLLIN, 0}}};
        const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(interval.value_or(Duration{}));
        for (;;) {
            const auto ready =
                ::poll(sources.data(), sources.size(), interval ? static_cast<int>(timeout.count()) : -1);
            if (ready == 0) {
                on_interval();
            }
            if (ready <= 0) {
                continue;
            }
            if (sources[1].revents != 0) {
                const std::lock_guard lock{mutex_};
                return failure_;
            }
            if (sources[0].revents != 0 && take_signal().value_or(SIGHUP) != SIGHUP) {
                return std::nullopt;
            }
        }
    }

private:
    /// Everything that a relay could read again came with its command line, so a hangup is no reason to do anything;
    /// but left alone it would end the process.
    std::optional<int> take_signal() {
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
            return std::nullopt;
        }
        if (info.ssi_signo == SIGHUP) {
            kLog.info("Nothing to reload; restart the relay to change its options");
        }
        return static_cast<int>(info.ssi_signo);
    }

    io::FileDescriptor signals_;
    io::FileDescriptor failure_event_;
    std::mutex mutex_;
    std::optional<std::string> failure_;
};

http::Response set_log_filter(const http::Request& request) {
    auto filter = log::LevelFilter::parse(request.parameter("directives"));
    if (!filter) {
        return {400, filter.error() + "\n"};
    }
    log::set_filter(*std::move(filter));
    return {200, ""};
}

/// The HTTP servers that operators asked for, or that are there by default.
class Endpoints {
public:
    Endpoints(const Options& options, const RelayLoop& relay, const PortalLink& portal) {
        start(options.health_check, "/healthz", {[&portal](const auto&) {
                  return portal.is_healthy(io::monotonic_now())
                             ? http::Response{200, ""}
                             : http::Response{
                                   400, "no heartbeat for " + std::to_string(kMaxHeartbeatAge.count()) + " minutes\n"};
              }});
        start(options.control, "/log_filter", {set_log_filter, /*accepts_post=*/true});
        if (options.metrics) {
            start(*options.metrics, "/metrics", {[&](const auto&) {
                return http::Response{200, render_metrics(relay.snapshot(), portal),
                                      observability::MetricsPage::kContentType};
            }});
        }
    }

private:
    /// Relaying matters more than being watched, so a taken port is no reason to stop.
    void start(const net::SocketAddress& address, const char* path, http::Endpoint::Route route) {
        auto started = http::Endpoint::start(address, {{path, std::move(route)}});
        if (!started) {
            kLog.warn("Not answering HTTP requests", log::field("path", std::string_view{path}),
                      log::field("error", started.error()));
            return;
        }
        running_.push_back(*std::move(started));
    }

    std::vector<std::unique_ptr<http::Endpoint>> running_;
};

int fail_to_start(const std::string& reason) {
    std::cerr << "error: " << reason << '\n';
    return EXIT_FAILURE;
}

int run(const Options& options) {
    log::init(options.log);
    const auto service = io::ServiceManager::from_environment();
    command_line::warn_about_argument(options.token_argument);
    command_line::raise_descriptor_limit();  // each allocation needs a socket or two
    Ending ending;

    if (options.rng_seed) {
        kLog.warn("All secrets are predictable because of --rng-seed");
    }
    auto rng = options.rng_seed ? Rng::from_number(*options.rng_seed) : Rng{io::os_seed()};
    const auto stamp_secret = turn::make_stamp_secret(rng);

    auto data_plane = relay::DataPlane::open({.server = {.public_v4 = options.public_v4,
                                                         .public_v6 = options.public_v6,
                                                         .lowest_port = options.lowest_port,
                                                         .highest_port = options.highest_port,
                                                         .listen_port = options.listen_port,
                                                         .local_addresses = io::local_addresses(),
                                                         .allowed_peers = options.allowed_peers,
                                                         .denied_peers = options.denied_peers,
                                                         .max_allocations_per_user = options.max_allocations_per_user,
                                                         .max_channels_per_user = options.max_channels_per_user},
                                              .receive_buffer = options.receive_buffer,
                                              .send_buffer = options.send_buffer},
                                             stamp_secret, rng.fork());
    if (!data_plane) {
        return fail_to_start(data_plane.error());
    }
    RelayLoop loop{*std::move(data_plane)};
    if (const auto confined = confine(options); !confined) {
        return fail_to_start(confined.error());
    }
    auto portal = PortalLink::open(
        options, stamp_secret, rng.fork(), [&ending](const std::string& reason) { ending.fail(reason); },
        [&service](const std::string& status) { service.status(status); },
        [&loop](const portal_api::TurnUsers& users) {
            for (const auto& user : users.extended) {
                loop.extend_user(user.salt, user.until);
            }
            for (const auto& user : users.revoked) {
                loop.revoke_user(user.salt, user.until);
            }
        });
    if (!portal) {
        return fail_to_start(portal.error());
    }
    const Endpoints endpoints{options, loop, **portal};

    log::write_in_background();  // the loop waits for nobody
    std::thread relaying{[&] {
        try {
            loop.run();
        } catch (const std::exception& e) {
            ending.fail(e.what());
        }
    }};
    kLog.info("Relaying", log::field("listen_port", options.listen_port),
              log::field("lowest_port", options.lowest_port), log::field("highest_port", options.highest_port));
    service.is_ready();
    service.status("Relaying, connecting to the portal");
    (*portal)->connect();

    // The service manager ends a relay that does not say in time that it is alive.
    const auto interval = service.watchdog().transform([](Duration limit) { return limit / 3; });
    const auto failure = ending.wait(interval, [&] {
        if (loop.has_taken_a_turn()) {
            service.is_alive();
        }
    });
    service.is_stopping();
    loop.stop();
    relaying.join();
    if (failure) {
        kLog.error("Giving up", log::field("reason", *failure));
        return EXIT_FAILURE;
    }
    kLog.info("Goodbye!");
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace culvert::relay_server

int main(int argc, char** argv) {
    culvert::sandbox::forbid_core_dumps();
    culvert::command_line::hold_signals();
    try {
        const auto options = culvert::relay_server::parse_options(argc, argv);
        if (!options) {
            return options.error().code;
        }
        culvert::command_line::hide_argument(argc, argv, options->token_argument);
        return culvert::relay_server::run(*options);
    } catch (const std::exception& e) {
        std::cerr << "error: " << e.what() << '\n';
        return EXIT_FAILURE;
    }
}
