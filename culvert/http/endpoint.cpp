#include "culvert/http/endpoint.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstring>
#include <exception>
#include <list>
#include <thread>
#include <utility>

#include "culvert/observability/log.h"

namespace culvert::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using Tcp = asio::ip::tcp;

constexpr log::Logger kLog{"http"};

constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxHeaderBytes = 8 * 1024;
constexpr std::size_t kMaxBodyBytes = 8 * 1024;
/// For reading one request, an idle keep-alive connection included, and for writing the answer.
constexpr auto kStepTimeout = std::chrono::seconds{10};
/// After accept() failed, most likely for want of file descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds{100};

Tcp::endpoint to_endpoint(const net::SocketAddress& address) {
    const auto bytes = address.ip.bytes();
    if (address.is_v4()) {
        asio::ip::address_v4::bytes_type raw;
        std::memcpy(raw.data(), bytes.data(), raw.size());
        return {asio::ip::address_v4{raw}, address.port};
    }
    asio::ip::address_v6::bytes_type raw;
    std::memcpy(raw.data(), bytes.data(), raw.size());
    return {asio::ip::address_v6{raw}, address.port};
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decode_form(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            decoded += text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

Response answer(const Endpoint::Routes& routes, const Request& request) {
    const auto route = routes.find(request.path);
    if (route == routes.end()) {
        return {404, "Not Found\n"};
    }
    const bool is_read = request.method == "GET" || request.method == "HEAD";
    if (!is_read && !(request.method == "POST" && route->second.accepts_post)) {
        return {405, "Method Not Allowed\n"};
    }
    try {
        return route->second.handler(request);
    } catch (const std::exception& e) {
        kLog.warn("Handler failed", log::field("path", request.path), log::field("error", std::string_view{e.what()}));
        return {500, "Internal Server Error\n"};
    }
}

}  // namespace

std::string Request::parameter(std::string_view name) const {
    for (auto rest = query; !rest.empty();) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const auto equals = std::min(pair.find('='), pair.size());
        if (decode_form(pair.substr(0, equals)) == name) {
            return decode_form(pair.substr(std::min(equals + 1, pair.size())));
        }
    }
    return {};
}

class Endpoint::Server {
public:
    explicit Server(Routes routes) : routes_{std::move(routes)} {}

    ~Server() {
        context_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    [[nodiscard]] std::expected<void, std::string> start(const net::SocketAddress& listen) {
        const auto endpoint = to_endpoint(listen);
        beast::error_code error;
        acceptor_.open(endpoint.protocol(), error);
        if (!error) {
            acceptor_.set_option(asio::socket_base::reuse_address{true}, error);
        }
        if (!error) {
            acceptor_.bind(endpoint, error);
        }
        if (!error) {
            acceptor_.listen(asio::socket_base::max_listen_connections, error);
        }
        if (error) {
            return std::unexpected{"cannot listen on " + listen.to_string() + ": " + error.message()};
        }
        address_ = {listen.ip, acceptor_.local_endpoint().port()};
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::thread{[this] { context_.run(); }};
        return {};
    }

    [[nodiscard]] const net::SocketAddress& address() const { return address_; }

private:
    asio::awaitable<void> accept() {
        for (;;) {
            beast::error_code error;
            auto socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
            if (error == asio::error::operation_aborted) {
                co_return;
            }
            if (error) {
                asio::steady_timer pause{context_, kAcceptPause};
                co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
                continue;
            }
            make_room();
            asio::co_spawn(context_, serve(Connection{beast::tcp_stream{std::move(socket)}}), asio::detached);
        }
    }

    /// Connections that do the same, the one that has done it for longest first.
    struct Connection;
    using Queue = std::list<Connection*>;
    struct Connection {
        beast::tcp_stream stream;
        Queue* queue = nullptr;
        Queue::iterator place;
    };

    static void leave(Connection& connection) {
        if (connection.queue != nullptr) {
            connection.queue->erase(connection.place);
            connection.queue = nullptr;
        }
    }
    static void join(Connection& connection, Queue& queue) {
        leave(connection);
        connection.queue = &queue;
        connection.place = queue.insert(queue.end(), &connection);
    }

    /// Many who say nothing must not keep those out who do. An honest request takes a round trip, so whoever has waited
    /// longest goes first; and if all are being answered, who takes longest to read it.
    void make_room() {
        if (reading_.size() + writing_.size() < kMaxConnections) {
            return;
        }
        auto& oldest = reading_.empty() ? *writing_.front() : *reading_.front();
        kLog.debug("Closed the connection that has waited longest, too many do");
        leave(oldest);
        oldest.stream.close();
    }

    asio::awaitable<void> serve(Connection connection) {
        if (reading_.size() + writing_.size() >= kMaxConnections) {
            co_return;
        }
        try {
            beast::flat_buffer buffer;
            while (co_await serve_one(connection, buffer)) {
            }
        } catch (const std::exception& e) {
            kLog.debug("Connection ended", log::field("error", std::string_view{e.what()}));
        }
        leave(connection);
    }

    /// False once the connection is to be closed.
    asio::awaitable<bool> serve_one(Connection& connection, beast::flat_buffer& buffer) {
        auto& stream = connection.stream;
        beast_http::request_parser<beast_http::string_body> parser;
        parser.header_limit(kMaxHeaderBytes);
        parser.body_limit(kMaxBodyBytes);
        join(connection, reading_);
        stream.expires_after(kStepTimeout);
        co_await beast_http::async_read(stream, buffer, parser, asio::use_awaitable);

        const auto& request = parser.get();
        const std::string_view target{request.target().data(), request.target().size()};
        const auto question = std::min(target.find('?'), target.size());
        const std::string_view method{request.method_string().data(), request.method_string().size()};
        auto [status, body, content_type] =
            answer(routes_, {method, target.substr(0, question), target.substr(std::min(question + 1, target.size()))});

        beast_http::response<beast_http::string_body> response{static_cast<beast_http::status>(status),
                                                               request.version()};
        response.set(beast_http::field::content_type, content_type);
        response.keep_alive(request.keep_alive());
        response.body() = std::move(body);
        response.prepare_payload();
        if (request.method() == beast_http::verb::head) {
            response.body().clear();  // but keep Content-Length
        }
        join(connection, writing_);
        stream.expires_after(kStepTimeout);
        co_await beast_http::async_write(stream, response, asio::use_awaitable);
        co_return response.keep_alive();
    }

    Routes routes_;
    Queue reading_;
    Queue writing_;
    asio::io_context context_{1};
    Tcp::acceptor acceptor_{context_};
    net::SocketAddress address_;
    std::thread thread_;
};

Endpoint::Endpoint(std::unique_ptr<Server> server) : server_{std::move(server)} {}
Endpoint::~Endpoint() = default;

std::expected<std::unique_ptr<Endpoint>, std::string> Endpoint::start(const net::SocketAddress& listen, Routes routes) {
    auto server = std::make_unique<Server>(std::move(routes));
    if (auto started = server->start(listen); !started) {
        return std::unexpected{std::move(started.error())};
    }
    return std::unique_ptr<Endpoint>{new Endpoint{std::move(server)}};
}

net::SocketAddress Endpoint::address() const {
    return server_->address();
}

}  // namespace culvert::http
