#include "culvert/portal_link/websocket_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "culvert/io/clock.h"
#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/refusal_body.h"
#include "culvert/portal_channel/constants.h"
#include "culvert/portal_channel/retry_after.h"
#include "culvert/portal_link/tcp_race.h"

namespace culvert::portal_link {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;
using Endpoint = asio::ip::tcp::endpoint;
using portal_channel::DialError;
using portal_channel::kTcpConnectTimeout;
using portal_channel::kTcpUnsentBytes;
using portal_channel::kTcpUserTimeout;

/// Beast ends a WebSocket by reading until the peer hangs up, without any limit of time, for which a dead portal could
/// keep us. These layers hang up at once instead; async_teardown() is Beast's customisation point.
class TcpLayer : public beast::tcp_stream {
public:
    using basic_stream::basic_stream;
};
class TlsLayer : public beast::ssl_stream<TcpLayer> {
public:
    using ssl_stream::ssl_stream;
};

template <typename Handler>
void async_teardown(beast::role_type, TcpLayer& stream, Handler&& handler) {
    stream.close();
    asio::post(stream.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}
template <typename Handler>
void async_teardown(beast::role_type, TlsLayer& stream, Handler&& handler) {
    stream.next_layer().close();
    asio::post(stream.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}

using PlainStream = websocket::stream<TcpLayer>;
using TlsStream = websocket::stream<TlsLayer>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// What of a refusal's body is shown to people.
constexpr std::size_t kMaxShownBody = 300;

// As much of a message is taken from the connection at once.
constexpr std::size_t kReadSize = 64 * 1024;

// Above this the memory of a message is given back at once.
constexpr std::size_t kKeptBuffer = 256 * 1024;

DialError transient(std::string_view step, const error_code& error) {
    return {.text = std::string{step} + ": " + error.message()};
}

/// "HTTP 401 Unauthorized: Token is invalid or expired"
DialError refused(const websocket::response_type& response, const std::function<std::string(std::string)>& hide_token) {
    DialError error{.kind = DialError::Kind::kHttpStatus, .status = response.result_int()};
    error.text = "HTTP " + std::to_string(error.status);
    const auto reason = response.reason();
    if (!reason.empty()) {
        error.text += " " + hide_token({reason.data(), reason.size()});
    }
    const auto problem = portal_api::parse_refusal_body(response.body());
    auto body = hide_token(problem ? problem->detail : response.body()).substr(0, kMaxShownBody);
    std::ranges::replace_if(body, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    if (!body.empty()) {
        error.text += ": " + body;
    }
    if (problem) {
        error.code = problem->code;
    }
    if (const auto wait = response.find(beast::http::field::retry_after); wait != response.end()) {
        error.retry_after =
            portal_channel::parse_retry_after({wait->value().data(), wait->value().size()}, io::wall_now());
    }
    return error;
}

/// Opens a socket that stays out of the tunnel.
error_code open_socket(asio::ip::tcp::socket& socket, const asio::ip::tcp::endpoint& endpoint,
                       std::optional<std::uint32_t> socket_mark) {
    error_code error;
    socket.open(endpoint.protocol(), error);
    if (error) {
        return error;
    }
    if (socket_mark) {
        const auto mark = *socket_mark;
        if (::setsockopt(socket.native_handle(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
            return {errno, boost::system::system_category()};
        }
    }
    // Without these it still works, only less well.
    const auto user_timeout =
        static_cast<unsigned>(std::chrono::duration_cast<std::chrono::milliseconds>(kTcpUserTimeout).count());
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kTcpUnsentBytes, sizeof kTcpUnsentBytes);
    socket.set_option(asio::ip::tcp::no_delay{true}, error);
    return error;
}

/// The address that packets to that one are sent from. None is sent: this only asks for the route.
std::optional<asio::ip::address> source_towards(const Endpoint& remote, std::optional<std::uint32_t> socket_mark,
                                                const asio::any_io_executor& executor) {
    asio::ip::udp::socket probe{executor};
    error_code error;
    const asio::ip::udp::endpoint destination{remote.address(), remote.port()};
    probe.open(destination.protocol(), error);
    const auto mark = socket_mark.value_or(0);
    if (error || (socket_mark && ::setsockopt(probe.native_handle(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) ||
        probe.connect(destination, error)) {
        return std::nullopt;
    }
    const auto local = probe.local_endpoint(error);
    return error ? std::nullopt : std::optional{local.address()};
}

/// Makes the server prove that it is `host`.
bool expect_host(SSL* tls, const std::string& host) {
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    auto* parameters = SSL_get0_param(tls);
    if (!not_an_address) {
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
    }
    // SSL_set_tlsext_host_name() without its C cast.
    auto name = host;
    return X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1 &&
           SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

DialError tls_error(SSL* tls, const error_code& error) {
    const auto verdict = SSL_get_verify_result(tls);
    if (verdict != X509_V_OK) {
        return {.kind = DialError::Kind::kInvalidCertificate,
                .text = std::string{"invalid peer certificate: "} + X509_verify_cert_error_string(verdict)};
    }
    return transient("TLS handshake failed", error);
}

template <typename Stream>
class Link final : public WebSocketLink, public std::enable_shared_from_this<Link<Stream>> {
public:
    template <typename... StreamArguments>
    Link(LinkTarget target, LinkObserver observer, StreamArguments&&... arguments)
        : target_{std::move(target)},
          observer_{std::make_shared<const LinkObserver>(std::move(observer))},
          stream_{std::forward<StreamArguments>(arguments)...} {}

    void start() {
        asio::co_spawn(
            stream_.get_executor(), [self = this->shared_from_this()] { return self->run(); }, asio::detached);
    }

    void write(std::string text) override {
        outgoing_ = std::move(text);
        stream_.text(true);
        stream_.async_write(asio::buffer(outgoing_),
                            [self = this->shared_from_this()](const error_code& error, std::size_t) {
                                if (error) {
                                    self->report_lost("sending failed: " + error.message());
                                } else if (const auto observer = self->observer_) {
                                    observer->on_written();
                                }
                            });
    }

    [[nodiscard]] bool still_has_its_source() override {
        auto& tcp = beast::get_lowest_layer(stream_).socket();
        error_code error;
        const auto local = tcp.local_endpoint(error);
        const auto remote = error ? Endpoint{} : tcp.remote_endpoint(error);
        return !error && source_towards(remote, target_.socket_mark, tcp.get_executor()) == local.address();
    }

    void start_close() override {
        stream_.async_close(websocket::close_code::normal,
                            [self = this->shared_from_this()](const error_code&) { self->report_lost("closed"); });
    }

    void leave() override {
        observer_.reset();
        stream_.async_close(websocket::close_code::normal, [self = this->shared_from_this()](const error_code&) {
            beast::get_lowest_layer(self->stream_).close();
        });
    }

    void abort() override {
        observer_.reset();
        if (race_) {
            race_->cancel();
        }
        beast::get_lowest_layer(stream_).close();
    }

private:
    asio::awaitable<void> run() {
        const auto error = co_await dial();
        if (error) {
            if (const auto observer = std::exchange(observer_, nullptr)) {
                beast::get_lowest_layer(stream_).close();
                observer->on_dial_error(*error);
            }
            co_return;
        }
        if (const auto observer = observer_) {
            observer->on_connected();
        }
        co_await receive();
    }

    asio::awaitable<std::optional<DialError>> dial() {
        const auto deadline = std::chrono::steady_clock::now() + target_.timeout;
        if (auto error = co_await connect_tcp()) {
            co_return error;
        }
        if constexpr (std::is_same_v<Stream, TlsStream>) {
            if (auto error = co_await start_tls(deadline)) {
                co_return error;
            }
        }
        co_return co_await upgrade(deadline);
    }

    asio::awaitable<std::optional<DialError>> connect_tcp() {
        auto& tcp = beast::get_lowest_layer(stream_);
        race_ = std::make_shared<TcpRace>(stream_.get_executor(), target_.endpoints,
                                          [mark = target_.socket_mark](auto& socket, const auto& endpoint) {
                                              return open_socket(socket, endpoint, mark);
                                          });
        auto connected =
            co_await race_->run(std::chrono::steady_clock::now() + std::min(kTcpConnectTimeout, target_.timeout));
        race_.reset();
        if (!connected) {
            co_return DialError{.text = std::move(connected.error())};
        }
        tcp.socket() = *std::move(connected);
        co_return std::nullopt;
    }

    asio::awaitable<std::optional<DialError>> start_tls(std::chrono::steady_clock::time_point deadline) {
        auto& tls = stream_.next_layer();
        if (!expect_host(tls.native_handle(), target_.host)) {
            co_return DialError{.text = "cannot check certificates for this host"};
        }
        beast::get_lowest_layer(stream_).expires_at(deadline);
        const auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::client, kAwait);
        co_return error ? std::optional{tls_error(tls.native_handle(), error)} : std::nullopt;
    }

    asio::awaitable<std::optional<DialError>> upgrade(std::chrono::steady_clock::time_point deadline) {
        // The WebSocket has timers of its own, which do not mix with those of the TCP stream.
        beast::get_lowest_layer(stream_).expires_never();
        stream_.set_option(websocket::stream_base::timeout{
            .handshake_timeout = std::max<std::chrono::steady_clock::duration>(
                deadline - std::chrono::steady_clock::now(), std::chrono::milliseconds{1}),
            .idle_timeout = websocket::stream_base::none(),
            .keep_alive_pings = false});
        stream_.set_option(websocket::stream_base::decorator(
            [agent = target_.user_agent, authorization = target_.authorization](websocket::request_type& r) {
                r.set(beast::http::field::user_agent, agent);
                r.set(beast::http::field::connection, "Upgrade");
                r.set("X-Authorization", authorization);
            }));
        stream_.read_message_max(portal_api::kMaxMessageSize);

        websocket::response_type response;
        const auto [error] = co_await stream_.async_handshake(response, target_.host_header, target_.path, kAwait);
        if (error == websocket::error::upgrade_declined) {
            co_return refused(response, target_.hide_token);
        }
        co_return error ? std::optional{transient("WebSocket handshake failed", error)} : std::nullopt;
    }

    asio::awaitable<void> receive() {
        beast::flat_buffer buffer;
        while (observer_) {
            const auto [error, size] = co_await stream_.async_read_some(buffer, kReadSize, kAwait);
            if (error) {
                report_lost(error == websocket::error::closed ? "the portal closed the connection"
                                                              : "receiving failed: " + error.message());
                co_return;
            }
            const auto observer = observer_;
            if (!observer) {
                co_return;
            }
            if (!stream_.is_message_done()) {
                observer->on_partial_message();
                continue;
            }
            const auto data = buffer.cdata();
            observer->on_message({static_cast<const char*>(data.data()), data.size()});
            buffer.clear();
            if (buffer.capacity() > kKeptBuffer) {
                buffer.shrink_to_fit();
            }
        }
    }

    void report_lost(std::string cause) {
        if (const auto observer = std::exchange(observer_, nullptr)) {
            beast::get_lowest_layer(stream_).close();
            observer->on_lost(std::move(cause));
        }
    }

    LinkTarget target_;
    /// Shared, because what it calls may abort(). Null once there is nothing more to tell.
    std::shared_ptr<const LinkObserver> observer_;
    Stream stream_;
    std::shared_ptr<TcpRace> race_;  // while it is on
    std::string outgoing_;
};

}  // namespace

std::shared_ptr<WebSocketLink> WebSocketLink::dial(const asio::any_io_executor& executor, asio::ssl::context* tls,
                                                   LinkTarget target, LinkObserver observer) {
    if (tls) {
        auto link = std::make_shared<Link<TlsStream>>(std::move(target), std::move(observer), executor, *tls);
        link->start();
        return link;
    }
    auto link = std::make_shared<Link<PlainStream>>(std::move(target), std::move(observer), executor);
    link->start();
    return link;
}

}  // namespace culvert::portal_link
