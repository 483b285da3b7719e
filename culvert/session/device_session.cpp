#include "culvert/session/device_session.h"

#include <chrono>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/io/constants.h"
#include "culvert/session/constants.h"

namespace culvert::session {
namespace {

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

DeviceSession::DeviceSession(DeviceOptions options) : options_{std::move(options)} {}
DeviceSession::~DeviceSession() = default;

std::expected<void, std::string> DeviceSession::run() {
    if (auto started = start(); !started) {
        return started;
    }
    loop_.run();
    shards_->join();
    flow_upload_.reset();  // writes down what the shards said last
    if (options_.on_ending) {
        options_.on_ending();
    }
    if (error_) {
        return std::unexpected{*error_};
    }
    return {};
}

// --- Start ---

std::expected<void, std::string> DeviceSession::start() {
    started_at_ = io::monotonic_now();
    auto tuns = open_tun();
    if (!tuns) {
        return std::unexpected{tuns.error()};
    }
    auto interface = io::TunInterface::attach(tuns->front().name(), tuns->front().has_tcp_offload());
    if (!interface) {
        return std::unexpected{interface.error()};
    }
    interface_.emplace(std::move(*interface));
    if (auto prepared = prepare_host(); !prepared) {
        return prepared;
    }
    host_watch_.watch_network(interface_->index(), keeps_local_network());
    if (options_.on_prepared) {
        if (auto confined = options_.on_prepared(); !confined) {
            return confined;
        }
    }

    portal_host_ = options_.portal.url.host();
    is_portal_encrypted_ = options_.portal.url.is_tls();
    options_.portal.on_addresses = [this](const std::vector<net::IpAddress>& addresses) {
        if (flow_upload_) {
            flow_upload_->set_portal_addresses(addresses);
        }
    };
    auto connection = portal_link::PortalConnection::create(
        std::move(options_.portal), [this](portal_channel::Event event) { handle_portal(std::move(event)); },
        loop_.context());
    if (!connection) {
        return std::unexpected{connection.error()};
    }
    connection_ = std::move(*connection);
    start_flow_upload();

    shards_ = make_shards(std::move(*tuns), options_.shard);
    public_key_ = shards_->public_key();
    if (auto started = shards_->start(); !started) {
        return started;
    }
    if (options_.on_metrics) {
        options_.on_metrics(shards_->metrics());
    }
    loop_.on_signal([this](int number) { handle_signal(number); });
    watch_shards();
    watch_absence();
    feed_watchdog();
    options_.service.status("Connecting to the portal");
    connect();
    return {};
}

std::expected<std::vector<io::TunDevice>, std::string> DeviceSession::open_tun() const {
    std::vector<io::TunDevice> queues;
    while (queues.size() < options_.shards) {
        auto queue = io::TunDevice::open({.name = options_.tun_name,
                                          .use_offload = options_.use_tun_offload,
                                          .has_several_queues = options_.shards > 1});
        if (!queue) {
            return std::unexpected{queue.error()};
        }
        queues.push_back(std::move(*queue));
    }
    return queues;
}

void DeviceSession::watch_shards() {
    for (const int fd : shards_->events_fds()) {
        loop_.watch(fd, [this] {
            handle_shard_events();
            if (const auto& error = shards_->error()) {
                fail(*error);
            }
            stop_if_done();
        });
    }
}

void DeviceSession::connect(const crypto::PublicKey& public_key) {
    public_key_ = public_key;
    connect();
}

// --- What the shards ask for ---

void DeviceSession::handle(tunnel::TunInterfaceUpdated& updated) {
    const auto& config = updated.config;
    if (const auto set = interface_->set_addresses(config.ipv4, config.ipv6); !set) {
        fail(set.error());
        return;
    }
    const bool is_dns_set = set_host_dns(config);
    auto routes = config.ipv4_routes;
    routes.insert(routes.end(), config.ipv6_routes.begin(), config.ipv6_routes.end());
    interface_->set_routes(routes);
    follow_routes();
    if (is_dns_set) {
        become_ready();
    }
}

void DeviceSession::become_ready() {
    if (!std::exchange(is_ready_, true)) {
        options_.service.is_ready();
        kSessionLog.info("Tunnel ready", log::field("elapsed_ms", milliseconds(io::monotonic_now() - started_at_)));
        if (options_.on_ready) {
            options_.on_ready();
        }
    }
}

void DeviceSession::handle(tunnel::SendToPortal& sent) {
    send(std::move(sent.message));
}

// --- Records of flows ---

void DeviceSession::start_flow_upload() {
    if (options_.flow_log_folder.empty()) {
        return;
    }
    flow_upload_ = std::make_unique<flow_upload::FlowUpload>(
        flow_upload::FlowUpload::Options{.folder = options_.flow_log_folder,
                                         .mark = io::kSocketMark,
                                         .allows_plain_text = !is_portal_encrypted_,
                                         .portal_host = portal_host_});
}

void DeviceSession::handle(tunnel::FlowsTracked& tracked) {
    if (flow_upload_) {
        flow_upload_->add(std::move(tracked), io::monotonic_now(), io::wall_now());
    }
}

void DeviceSession::set_name_servers(const std::vector<net::IpAddress>& servers) {
    if (connection_) {
        connection_->set_name_servers(servers);
    }
    if (flow_upload_) {
        flow_upload_->set_name_servers(servers);
    }
}

/// Each `init` says it anew; one without says nothing.
void DeviceSession::note_flow_logs(const portal_api::ToDevice& message) {
    if (!flow_upload_) {
        return;
    }
    const auto configure = [this](const std::optional<portal_api::FlowLogSettings>& settings) {
        if (settings) {
            flow_upload_->configure(settings);
        }
    };
    if (const auto* to_client = std::get_if<portal_api::ToClient>(&message)) {
        if (const auto* init = std::get_if<portal_api::ClientInit>(to_client)) {
            configure(init->flow_logs);
        }
    } else if (const auto* to_gateway = std::get_if<portal_api::ToGateway>(&message)) {
        if (const auto* init = std::get_if<portal_api::GatewayInit>(to_gateway)) {
            configure(init->flow_logs);
        }
    }
}

// --- What the portal says ---

void DeviceSession::handle_portal(portal_channel::Event event) {
    std::visit(overloaded{
                   [&](const portal_channel::Joined&) {
                       kSessionLog.debug("Joined the portal's channel");
                       options_.service.status("Connected to the portal");
                   },
                   [&](portal_channel::MessageReceived& received) { post_message(std::move(received.message)); },
                   [&](const portal_channel::MessageRefused& refused) {
                       kSessionLog.debug("The portal refused a message", log::field("reason", refused.text));
                   },
                   [&](const portal_channel::HeartbeatSent&) {},
                   [&](const portal_channel::Hiccup& hiccup) {
                       options_.service.status("Not connected to the portal: " + hiccup.cause);
                       kSessionLog.debug("Not connected to the portal; existing connections keep working",
                                         log::field("retry_in_ms", milliseconds(hiccup.delay)),
                                         log::field("cause", hiccup.cause));
                   },
                   [&](const portal_channel::Closed&) {
                       is_portal_closed_ = true;
                       stop_if_done();
                   },
                   [&](const portal_channel::Fatal& fatal) {
                       is_portal_closed_ = true;
                       fail("disconnected from the portal: " + fatal.text);
                       stop_if_done();
                   },
               },
               event);
}

/// What gets lost may have taken access away. A new connection brings the state that holds now.
void DeviceSession::post_message(portal_api::ToDevice message) {
    note_flow_logs(message);
    if (shards_->post(std::move(message)) || std::exchange(must_start_over_, true)) {
        return;
    }
    loop_.after(kOverloadPause, [this] {
        must_start_over_ = false;
        if (!is_shutting_down_) {
            connect();
        }
    });
}

// --- What the host does ---

void DeviceSession::follow_routes() {
    if (keeps_local_network()) {
        interface_->sync_link_scope_routes();
    }
}

void DeviceSession::watch_absence() {
    auto watch = io::AbsenceWatch::open(kAbsenceInterval);
    if (!watch) {
        kSessionLog.warn("Cannot notice that this machine sleeps: after that, send SIGHUP",
                         log::field("error", watch.error().message()));
        return;
    }
    absence_.emplace(std::move(*watch));
    loop_.watch(absence_->fd(), [this] {
        const auto away = absence_->take();
        if (away < kAbsenceInterval || is_shutting_down_) {
            return;
        }
        kSessionLog.info("This device was away, asleep or stopped", log::field("ms", milliseconds(away)));
        note_network_change(away > kPeersPatience ? std::optional{away} : std::nullopt);
    });
}

/// The service manager ends a process that does not say in time that it is alive. It is if all of its threads are.
void DeviceSession::feed_watchdog() {
    if (const auto limit = options_.service.watchdog()) {
        if (shards_->are_alive()) {
            options_.service.is_alive();
        }
        loop_.after(*limit / 3, [this] { feed_watchdog(); });
    }
}

void DeviceSession::note_network_change(std::optional<Duration> without_network) {
    if (without_network) {
        connection_->reconnect();
    } else {
        connection_->handle_network_change();
    }
    handle_network_change(without_network.value_or(Duration{}));
}

std::expected<bool, std::string> DeviceSession::repair() {
    const auto interface = interface_->repair();
    follow_routes();
    const auto host = repair_host();
    if (!interface || !host) {
        return interface ? host : interface;
    }
    return *interface || *host;
}

// --- End ---

void DeviceSession::handle_signal(int number) {
    if (number == SIGHUP) {
        if (is_ready_) {
            options_.service.is_reloading(io::monotonic_now());
        }
        handle_hangup();
        if (is_ready_) {
            options_.service.is_ready();  // not before it is: that a reload is over would be taken for it
        }
        return;
    }
    kSessionLog.info("Shutting down");
    shut_down();
}

void DeviceSession::fail(std::string error) {
    if (!error_) {
        error_ = std::move(error);
    }
    shut_down();
}

void DeviceSession::shut_down() {
    if (std::exchange(is_shutting_down_, true)) {
        return;
    }
    options_.service.is_stopping();
    options_.service.status(error_ ? "Ending: " + *error_ : "Saying goodbye");
    host_watch_.stop();
    release_host();
    shards_->shut_down();
    connection_->close();
    loop_.after(kShutdownLimit, [this] { loop_.stop(); });
}

void DeviceSession::stop_if_done() {
    if (shards_->have_ended() && is_portal_closed_) {
        loop_.stop();
    }
}

}  // namespace culvert::session
