#include "culvert/portal_link/connection.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/net/ip_network.h"
#include "culvert/observability/log.h"
#include "culvert/portal_channel/channel.h"
#include "culvert/portal_link/portal_host.h"
#include "culvert/portal_link/websocket_link.h"

namespace culvert::portal_link {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using io::monotonic_now;
using portal_channel::PhoenixChannel;

constexpr log::Logger kLog{"portal_channel"};

/// Within this machine or a network that is somebody's own: loopback, RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291.
bool is_private(const net::IpAddress& address) {
    static constexpr std::array kNetworks{"127.0.0.0/8",    "10.0.0.0/8",    "172.16.0.0/12",
                                          "192.168.0.0/16", "100.64.0.0/10", "::1/128",
                                          "169.254.0.0/16", "fc00::/7",      "fe80::/10"};
    return std::ranges::any_of(kNetworks,
                               [&](const char* network) { return net::IpNetwork::parse(network)->contains(address); });
}

std::expected<void, std::string> configure(asio::ssl::context& tls, const std::optional<std::string>& ca_file) {
    error_code error;
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                        asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1,
                    error);
    if (!error) {
        tls.set_verify_mode(asio::ssl::verify_peer, error);
    }
    if (!error && ca_file) {
        tls.load_verify_file(*ca_file, error);
    } else if (!error) {
        tls.set_default_verify_paths(error);
    }
    if (error) {
        return std::unexpected{"Cannot load certificate authorities: " + error.message()};
    }
    return {};
}

}  // namespace

/// Everything behind the pointer; lives on the thread of its io_context, apart from post().
class PortalConnection::Runner : public std::enable_shared_from_this<Runner> {
public:
    Runner(ConnectionOptions options, EventHandler on_event, asio::io_context& context)
        : options_{std::move(options)},
          on_event_{std::move(on_event)},
          context_{context},
          tls_{asio::ssl::context::tls_client},
          timer_{context},
          host_{context,
                {.host = options_.url.host(),
                 .port = options_.url.port(),
                 .mark = options_.socket_mark,
                 .rng = options_.rng,
                 .dns_port = options_.dns_port,
                 .resolv_conf = options_.resolv_conf}},
          channel_{{.role = options_.role,
                    .stamp_secret = options_.stamp_secret,
                    .max_partition_time = options_.max_partition_time},
                   options_.rng} {}

    [[nodiscard]] std::expected<void, std::string> prepare() {
        return options_.url.is_tls() ? configure(tls_, options_.ca_file) : std::expected<void, std::string>{};
    }

    /// From any thread.
    void set_name_servers(std::vector<net::IpAddress> servers) {
        asio::post(context_, [self = shared_from_this(), servers = std::move(servers)]() mutable {
            self->host_.set_name_servers(std::move(servers));
        });
    }

    /// From any thread: runs `work` on the channel, then does what it asks for.
    template <typename Work>
    void post(Work work) {
        asio::post(context_, [self = shared_from_this(), work = std::move(work)]() mutable {
            if (!self->is_stopped_) {
                work(self->channel_);
                self->drive();
            }
        });
    }

    /// From any thread.
    void handle_network_change() {
        asio::post(context_, [self = shared_from_this()] {
            const bool is_unmoved = self->link_ && self->link_->still_has_its_source();
            if (!self->is_stopped_ && !is_unmoved) {
                self->channel_.reconnect(monotonic_now());
                self->drive();
            }
        });
    }

    void stop() {
        is_stopped_ = true;
        timer_.cancel();
        host_.cancel();
        drop_link();
    }

private:
    /// Whoever forwards packets to the portal can read the token, and so be this device.
    void warn_if_readable() {
        const auto is_public = [](const net::IpAddress& address) { return !is_private(address); };
        if (!options_.url.is_tls() && std::ranges::any_of(host_.addresses(), is_public) &&
            !std::exchange(has_warned_, true)) {
            kLog.warn("The connection to the portal is not encrypted: others on the way can read the token. Use wss://",
                      log::field("host", options_.url.host()));
        }
    }

    /// Carries out what the channel wants until it wants nothing more.
    void drive() {
        for (;;) {
            if (auto action = channel_.poll_action()) {
                std::visit(overloaded{[&](const portal_channel::Dial& dial) { start_look_up(dial); },
                                      [&](const portal_channel::Drop&) { drop_link(); },
                                      [&](const portal_channel::Leave&) { leave_link(); },
                                      [&](const portal_channel::StartClose&) {
                                          if (link_) {
                                              link_->start_close();
                                          }
                                      }},
                           *action);
            } else if (auto frame = is_writing_ ? std::nullopt : channel_.poll_frame(monotonic_now())) {
                is_writing_ = true;
                link_->write(*std::move(frame));
            } else if (auto event = channel_.poll_event()) {
                if (deliver(*std::move(event))) {
                    return;
                }
            } else {
                break;
            }
        }
        arm_timer();
    }

    /// Returns whether that was the last event.
    bool deliver(portal_channel::Event event) {
        const bool is_last = std::holds_alternative<portal_channel::Closed>(event) ||
                             std::holds_alternative<portal_channel::Fatal>(event);
        if (is_last) {
            stop();
        }
        on_event_(std::move(event));
        return is_stopped_;
    }

    void arm_timer() {
        const auto at = channel_.poll_timeout();
        if (!at) {
            timer_.cancel();
            return;
        }
        timer_.expires_at(std::chrono::steady_clock::time_point{at->time_since_epoch()});
        timer_.async_wait([weak = weak_from_this()](const error_code& error) {
            const auto self = weak.lock();
            if (!error && self && !self->is_stopped_) {
                self->channel_.handle_timeout(monotonic_now());
                self->drive();
            }
        });
    }

    void start_look_up(const portal_channel::Dial& dial) {
        drop_link();
        host_.find([this, dial](std::vector<asio::ip::tcp::endpoint> endpoints) {
            if (endpoints.empty()) {
                channel_.handle_dial_error({.kind = portal_channel::DialError::Kind::kUnknownHost,
                                            .text = "Cannot resolve the portal's host \"" + options_.url.host() + "\""},
                                           monotonic_now());
            } else {
                warn_if_readable();
                if (options_.on_addresses) {
                    options_.on_addresses(host_.addresses());
                }
                start_link(dial, std::move(endpoints));
            }
            drive();
        });
    }

    void start_link(const portal_channel::Dial& dial, std::vector<asio::ip::tcp::endpoint> endpoints) {
        // What an earlier link still has to say is silenced by abort(), so these need not tell links apart.
        const auto bind = [this](auto handle) {
            return [weak = weak_from_this(), handle](auto&&... arguments) {
                if (const auto self = weak.lock(); self && !self->is_stopped_) {
                    handle(*self, std::forward<decltype(arguments)>(arguments)...);
                    self->drive();
                }
            };
        };
        LinkObserver observer{
            .on_connected = bind([](Runner& r) { r.channel_.handle_connected(monotonic_now()); }),
            .on_dial_error = bind([](Runner& r, const portal_channel::DialError& e) {
                r.channel_.handle_dial_error(e, monotonic_now());
            }),
            .on_message = bind([](Runner& r, std::string_view text) { r.channel_.handle_text(text, monotonic_now()); }),
            .on_partial_message = bind([](Runner& r) { r.channel_.handle_partial_text(); }),
            .on_written = bind([](Runner& r) { r.is_writing_ = false; }),
            .on_lost = bind(
                [](Runner& r, std::string_view cause) { r.channel_.handle_connection_lost(cause, monotonic_now()); })};
        LinkTarget target{
            .endpoints = std::move(endpoints),
            .host = options_.url.host(),
            .host_header = options_.url.host_header(),
            .path = options_.url.target(dial.dialect, dial.public_key),
            .authorization = options_.url.authorization(),
            .hide_token = [url = options_.url](std::string text) { return url.without_token(std::move(text)); },
            .user_agent = options_.user_agent,
            .timeout = options_.dial_timeout,
            .socket_mark = options_.socket_mark};
        link_ = WebSocketLink::dial(context_.get_executor(), options_.url.is_tls() ? &tls_ : nullptr, std::move(target),
                                    std::move(observer));
    }

    void leave_link() {
        host_.cancel();
        is_writing_ = false;
        if (const auto link = std::exchange(link_, nullptr)) {
            link->leave();
        }
    }

    void drop_link() {
        host_.cancel();
        is_writing_ = false;
        if (const auto link = std::exchange(link_, nullptr)) {
            link->abort();
        }
    }

    ConnectionOptions options_;
    EventHandler on_event_;
    asio::io_context& context_;
    asio::ssl::context tls_;
    asio::steady_timer timer_;
    PortalHost host_;
    PhoenixChannel channel_;
    std::shared_ptr<WebSocketLink> link_;
    bool is_writing_ = false;
    bool is_stopped_ = false;
    bool has_warned_ = false;
};

/// A thread that runs an io_context until it is told to stop.
class PortalConnection::Thread {
public:
    [[nodiscard]] asio::io_context& context() { return context_; }

    void start() {
        // Signals are for the threads of the application.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread{[this] { context_.run(); }};
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void stop() {
        context_.stop();
        thread_.join();
    }

private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(context_);
    std::thread thread_;
};

std::expected<std::unique_ptr<PortalConnection>, std::string> PortalConnection::create(ConnectionOptions options,
                                                                                       EventHandler on_event) {
    auto thread = std::make_unique<Thread>();
    auto connection = create(std::move(options), std::move(on_event), thread->context());
    if (connection) {
        thread->start();
        (*connection)->thread_ = std::move(thread);
    }
    return connection;
}

std::expected<std::unique_ptr<PortalConnection>, std::string> PortalConnection::create(ConnectionOptions options,
                                                                                       EventHandler on_event,
                                                                                       asio::io_context& context) {
    auto runner = std::make_shared<Runner>(std::move(options), std::move(on_event), context);
    if (const auto prepared = runner->prepare(); !prepared) {
        return std::unexpected{prepared.error()};
    }
    return std::unique_ptr<PortalConnection>{new PortalConnection{std::move(runner)}};
}

PortalConnection::PortalConnection(std::shared_ptr<Runner> runner) : runner_{std::move(runner)} {}

PortalConnection::~PortalConnection() {
    if (thread_) {
        thread_->stop();
    }
    runner_->stop();
    // Its sockets belong to the thread's io_context.
    runner_.reset();
}

void PortalConnection::connect(const std::optional<crypto::PublicKey>& public_key) {
    runner_->post([public_key](PhoenixChannel& channel) { channel.connect(public_key, monotonic_now()); });
}

void PortalConnection::reconnect() {
    runner_->post([](PhoenixChannel& channel) { channel.reconnect(monotonic_now()); });
}

void PortalConnection::handle_network_change() {
    runner_->handle_network_change();
}

void PortalConnection::send(portal_api::FromDevice message) {
    runner_->post(
        [message = std::move(message)](PhoenixChannel& channel) mutable { channel.send(std::move(message)); });
}

void PortalConnection::forget_candidates(const Uuid& peer) {
    runner_->post([peer](PhoenixChannel& channel) { channel.forget_candidates(peer); });
}

void PortalConnection::close() {
    runner_->post([](PhoenixChannel& channel) { channel.close(monotonic_now()); });
}

void PortalConnection::set_name_servers(std::vector<net::IpAddress> servers) {
    runner_->set_name_servers(std::move(servers));
}

}  // namespace culvert::portal_link
