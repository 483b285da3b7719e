#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/rate_policy.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "culvert/http/message.h"
#include "culvert/net/socket_address.h"

namespace culvert::http {

class Exchange;

/// An HTTP/1.1 server on an io_context that one thread runs. Requests are limited in size, number and time, and
/// connections that say nothing make room for those that do.
class Server {
public:
    struct Options {
        net::SocketAddress listen;
        /// Connections at a time, without those that were taken over. The one that has waited longest makes room.
        std::size_t max_connections = 64;
        /// Bytes; 0: requests are answered once their header is there.
        std::size_t max_body = 0;
        /// How much of it is read of a request whose header is there, if not always as much; 0: it is answered at once.
        std::function<std::size_t(Exchange&)> admit = nullptr;
        /// The answer to a request whose body is longer; unset: 413, as text.
        std::function<Response(const Exchange&)> too_long = nullptr;
        bool keeps_alive = false;
        /// Whether one more connection from there may be; unset: any. Called again, with `leave`, when one has gone or
        /// was taken over.
        std::function<bool(const net::IpAddress& peer)> enter = nullptr;
        std::function<void(const net::IpAddress& peer)> leave = nullptr;
    };
    /// Answers, soon or later, or takes the connection over. An exception becomes status 500.
    using Handler = std::function<void(const std::shared_ptr<Exchange>&)>;

    /// Listens at once. The error is a sentence for a person ("cannot listen on 0.0.0.0:8080: Address already in use").
    [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> listen(boost::asio::io_context& context,
                                                                                    Options options, Handler handler);
    /// As stop(); what the options refer to must outlive the io_context's handlers.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Accepts no more connections.
    void stop();

    /// Where it listens: `listen` with the actual port if that was 0.
    [[nodiscard]] net::SocketAddress address() const;

private:
    friend class Exchange;
    class State;
    explicit Server(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;
};

/// A connection and the request that came by it.
class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    /// Counts bytes as well, for who wants to bound their rate.
    using Stream = boost::beast::basic_stream<boost::asio::ip::tcp, boost::asio::any_io_executor,
                                              boost::beast::simple_rate_policy>;
    using Message = boost::beast::http::request<boost::beast::http::string_body>;

    Exchange(std::shared_ptr<Server::State> server, boost::asio::ip::tcp::socket socket, const net::IpAddress& peer);
    ~Exchange();

    [[nodiscard]] const Message& message() const { return parser_->get(); }
    /// Who connected; perhaps a reverse proxy.
    [[nodiscard]] const net::IpAddress& peer() const { return peer_; }

    /// Answers the request. Call once.
    void respond(Response response);

    /// Something that lasts as long as this request does.
    void attach(std::shared_ptr<void> attachment) { attachment_ = std::move(attachment); }
    [[nodiscard]] const std::shared_ptr<void>& attachment() const { return attachment_; }

    /// The connection is the caller's from now on: for WebSockets. Nothing else may be called after that.
    struct Taken {
        Stream stream;
        Message message;
    };
    [[nodiscard]] Taken take_over();

private:
    friend class Server;
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    using Queue = std::list<Exchange*>;

    void read();
    void handle_header(const boost::system::error_code& error);
    void handle_message(const boost::system::error_code& error);
    void call_handler();
    void refuse(const boost::system::error_code& error);
    [[nodiscard]] Response too_long() const;
    void handle_answered();
    void discard_rest();

    std::shared_ptr<Server::State> server_;
    Stream stream_;
    net::IpAddress peer_;
    /// Among those that wait, as long as it does.
    std::optional<Queue::iterator> place_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    bool is_refused_ = false;
    bool is_answered_ = false;
    std::size_t discarded_ = 0;
    std::shared_ptr<void> attachment_;
    boost::beast::http::response<boost::beast::http::string_body> response_;
};

}  // namespace culvert::http
