#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/io/entropy.h"
#include "culvert/io/tun_interface.h"
#include "culvert/observability/log.h"
#include "culvert/portal_channel/connection.h"
#include "culvert/session/control_loop.h"
#include "culvert/session/host_watch.h"
#include "culvert/session/shard_thread.h"
#include "culvert/tunnel/device/tun_config.h"

namespace culvert::session {

/// What client and gateway are configured with alike.
struct DeviceOptions {
    portal_channel::ConnectionOptions portal;
    std::string tun_name;
    io::Shard::Options shard;
    bool use_tun_offload = true;
    /// Called once, when all is open that needs more than CAP_NET_ADMIN, and before another thread starts: to give up
    /// other privileges. Its error ends the session.
    std::function<std::expected<void, std::string>()> on_prepared;
    /// Called once, when the TUN interface carries its addresses and routes for the first time.
    std::function<void()> on_ready;
    /// Called once with the data path's counters, which live until the session ends.
    std::function<void(const io::ShardCounters&)> on_counters;
    /// Called once before the counters go away.
    std::function<void()> on_ending;
};

/// The control thread of a client or gateway: portal connection, TUN interface and signals around one shard.
/// `ToDevice` is what the portal sends to this kind of device.
template <typename State, typename ToDevice>
class DeviceSession {
public:
    explicit DeviceSession(DeviceOptions options) : options_{std::move(options)} {}
    virtual ~DeviceSession() = default;
    DeviceSession(const DeviceSession&) = delete;
    DeviceSession& operator=(const DeviceSession&) = delete;

    /// Runs until SIGINT or SIGTERM (success) or until the device cannot go on; the error is for a person.
    std::expected<void, std::string> run() {
        if (auto started = start(); !started) {
            return started;
        }
        loop_.run();
        shard_->join();
        if (options_.on_ending) {
            options_.on_ending();
        }
        if (error_) {
            return std::unexpected{*error_};
        }
        return {};
    }

protected:
    /// Everything the shard reports except ShardEnded.
    virtual void handle_event(typename State::Event& event) = 0;
    /// SIGHUP: the operator says what handle_network_change() finds out.
    virtual void handle_hangup() = 0;
    /// The host has other addresses, or another way out.
    virtual void handle_network_change() = 0;
    /// Whether a default route may lead into the tunnel, beside which the local network must stay reachable.
    [[nodiscard]] virtual bool keeps_local_network() const { return true; }
    /// Called once at the start, as soon as the TUN interface is ours: nobody else on this host may change it then.
    [[nodiscard]] virtual std::expected<void, std::string> prepare_host() { return {}; }
    /// Puts back what somebody else took away of what prepare_host() did; whether anything was missing.
    virtual std::expected<bool, std::string> repair_host() { return false; }

    /// For what people ask for: rare, and never dropped.
    void post(typename State::Command command) { shard_->post_always(std::move(command)); }
    void send(portal_api::FromDevice message) { connection_->send(std::move(message)); }

    void connect() { connection_->connect(public_key_); }
    void reconnect() { connection_->reconnect(); }
    void connect(const crypto::PublicKey& public_key) {
        public_key_ = public_key;
        connect();
    }

    void configure_interface(const tunnel::TunConfig& config) {
        if (const auto set = interface_->set_addresses(config.ipv4, config.ipv6); !set) {
            fail(set.error());
            return;
        }
        auto routes = config.ipv4_routes;
        routes.insert(routes.end(), config.ipv6_routes.begin(), config.ipv6_routes.end());
        interface_->set_routes(routes);
        follow_routes();
        if (!std::exchange(is_ready_, true)) {
            kSessionLog.info("Tunnel ready", log::field("elapsed_ms", milliseconds(io::monotonic_now() - started_at_)));
            if (options_.on_ready) {
                options_.on_ready();
            }
        }
    }

    /// Says goodbye to peers and portal, then ends run() with this error.
    void fail(std::string error) {
        if (!error_) {
            error_ = std::move(error);
        }
        shut_down();
    }

    static constexpr log::Logger kSessionLog{"session"};

    [[nodiscard]] HostWatch& host_watch() { return host_watch_; }
    [[nodiscard]] const std::string& tun_name() const { return options_.tun_name; }

private:
    /// Goodbyes must be said by then.
    static constexpr Duration kShutdownLimit = std::chrono::seconds{3};
    /// Before the portal is asked to repeat what an overloaded data plane did not take.
    static constexpr Duration kOverloadPause = std::chrono::seconds{1};

    static std::int64_t milliseconds(Duration duration) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    }

    std::expected<void, std::string> start() {
        started_at_ = io::monotonic_now();
        auto tun = io::TunDevice::open({.name = options_.tun_name, .use_offload = options_.use_tun_offload});
        if (!tun) {
            return std::unexpected{tun.error()};
        }
        auto interface = io::TunInterface::attach(tun->name(), tun->has_tcp_offload());
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

        auto connection = portal_channel::PortalConnection::create(
            std::move(options_.portal), [this](portal_channel::Event event) { handle_portal(std::move(event)); },
            loop_.context());
        if (!connection) {
            return std::unexpected{connection.error()};
        }
        connection_ = std::move(*connection);

        shard_.emplace([] { return State{Rng{io::os_seed()}, io::monotonic_now(), io::wall_now()}; }, std::move(*tun),
                       options_.shard);
        public_key_ = shard_->state().public_key();
        if (auto started = shard_->start(); !started) {
            return started;
        }
        if (options_.on_counters) {
            options_.on_counters(shard_->counters());
        }
        loop_.on_signal([this](int number) { handle_signal(number); });
        loop_.watch(shard_->events_fd(), [this] { handle_shard_events(); });
        connect();
        return {};
    }

    void handle_signal(int number) {
        if (number == SIGHUP) {
            handle_hangup();
            return;
        }
        kSessionLog.info("Shutting down");
        shut_down();
    }

    void shut_down() {
        if (std::exchange(is_shutting_down_, true)) {
            return;
        }
        host_watch_.stop();
        post(tunnel::ShutDown{});
        connection_->close();
        loop_.after(kShutdownLimit, [this] { loop_.stop(); });
    }

    void follow_routes() {
        if (keeps_local_network()) {
            interface_->sync_link_scope_routes();
        }
    }

    std::expected<bool, std::string> repair() {
        const auto interface = interface_->repair();
        follow_routes();
        const auto host = repair_host();
        if (!interface || !host) {
            return interface ? host : interface;
        }
        return *interface || *host;
    }

    void stop_if_done() {
        if (has_shard_ended_ && is_portal_closed_) {
            loop_.stop();
        }
    }

    void handle_portal(portal_channel::Event event) {
        std::visit(overloaded{[&](const portal_channel::Joined&) { kSessionLog.debug("Joined the portal's channel"); },
                              [&](portal_channel::MessageReceived& received) {
                                  if (auto* message = std::get_if<ToDevice>(&received.message)) {
                                      post_message(std::move(*message));
                                  }
                              },
                              [&](const portal_channel::MessageRefused& refused) {
                                  kSessionLog.debug("The portal refused a message", log::field("reason", refused.text));
                              },
                              [&](const portal_channel::HeartbeatSent&) {},
                              [&](const portal_channel::Hiccup& hiccup) {
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
                              }},
                   event);
    }

    /// What gets lost may have taken access away. A new connection brings the state that holds now.
    void post_message(ToDevice message) {
        if (shard_->post(std::move(message)) || std::exchange(must_start_over_, true)) {
            return;
        }
        loop_.after(kOverloadPause, [this] {
            must_start_over_ = false;
            if (!is_shutting_down_) {
                connect();
            }
        });
    }

    void handle_shard_events() {
        for (auto& event : shard_->take_events()) {
            if (auto* ended = std::get_if<ShardEnded>(&event)) {
                has_shard_ended_ = true;
                if (ended->error) {
                    fail(std::move(*ended->error));
                }
                stop_if_done();
            } else {
                handle_event(std::get<typename State::Event>(event));
            }
        }
    }

    DeviceOptions options_;
    ControlLoop loop_;
    HostWatch host_watch_{loop_,
                          {.repair = [this] { return repair(); },
                           .follow_routes = [this] { follow_routes(); },
                           .network_changed = [this] { handle_network_change(); }}};
    std::optional<io::TunInterface> interface_;
    std::optional<ShardThread<State>> shard_;
    std::unique_ptr<portal_channel::PortalConnection> connection_;
    crypto::PublicKey public_key_;
    Instant started_at_{};
    bool is_ready_ = false;
    bool is_shutting_down_ = false;
    bool must_start_over_ = false;
    bool is_portal_closed_ = false;
    bool has_shard_ended_ = false;
    std::optional<std::string> error_;
};

}  // namespace culvert::session
