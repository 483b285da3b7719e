#include "culvert/http/server.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/http/write.hpp>

#include "culvert/http/constants.h"
#include "culvert/observability/log.h"

namespace culvert::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr log::Logger kLog{"http"};

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

net::IpAddress to_ip(const asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return net::IpAddress{asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_bytes()};
    }
    return address.is_v4() ? net::IpAddress{address.to_v4().to_bytes()} : net::IpAddress{address.to_v6().to_bytes()};
}

}  // namespace

/// Shared with all connections, which end when their handlers do.
class Server::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context& context, Options wanted, Handler handler)
        : options{std::move(wanted)}, handle{std::move(handler)}, acceptor_{context}, pause_{context} {}

    [[nodiscard]] std::expected<void, std::string> listen() {
        const auto endpoint = to_endpoint(options.listen);
        error_code error;
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
            return std::unexpected{"cannot listen on " + options.listen.to_string() + ": " + error.message()};
        }
        options.listen.port = acceptor_.local_endpoint().port();
        accept();
        return {};
    }

    void stop() {
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
    }

    /// The exchange begins another step: all others have waited longer.
    void join(Exchange& exchange) {
        if (exchange.place_) {
            waiting_.splice(waiting_.end(), waiting_, *exchange.place_);
        }
    }

    void leave(Exchange& exchange) {
        if (const auto place = std::exchange(exchange.place_, std::nullopt)) {
            waiting_.erase(*place);
            if (options.leave) {
                options.leave(exchange.peer_);
            }
        }
    }

    Options options;
    Handler handle;

private:
    void accept() {
        acceptor_.async_accept([self = shared_from_this()](const error_code& error, Tcp::socket socket) {
            if (error == asio::error::operation_aborted) {
                return;
            }
            if (error) {
                return self->accept_later(error);
            }
            self->has_failed_ = false;
            error_code gone;
            const auto remote = socket.remote_endpoint(gone);
            if (!gone) {
                self->receive(std::move(socket), to_ip(remote.address()));
            }
            self->accept();
        });
    }

    void accept_later(const error_code& error) {
        if (!std::exchange(has_failed_, true)) {
            kLog.warn("Cannot accept connections; trying again until it works", log::field("error", error.message()));
        }
        pause_.expires_after(kAcceptPause);
        pause_.async_wait([self = shared_from_this()](const error_code& cancelled) {
            if (!cancelled) {
                self->accept();
            }
        });
    }

    void receive(Tcp::socket socket, const net::IpAddress& peer) {
        if (options.enter && !options.enter(peer)) {
            kLog.debug("Closed a connection, too many of its place wait");
            return;
        }
        make_room();
        const auto exchange = std::make_shared<Exchange>(shared_from_this(), std::move(socket), peer);
        exchange->place_ = waiting_.insert(waiting_.end(), exchange.get());
        exchange->read();
    }

    /// Many who say nothing must not keep those out who do. An honest request takes a round trip, so whoever has waited
    /// longest goes first, be it to say something or to read an answer.
    void make_room() {
        if (waiting_.size() < options.max_connections) {
            return;
        }
        auto& oldest = *waiting_.front();
        kLog.debug("Closed the connection that has waited longest, too many do");
        leave(oldest);
        oldest.stream_.close();
    }

    Tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    bool has_failed_ = false;
    /// The one that has waited longest first.
    Exchange::Queue waiting_;
};

Server::Server(std::shared_ptr<State> state) : state_{std::move(state)} {}

Server::~Server() {
    stop();
}

void Server::stop() {
    state_->stop();
}

net::SocketAddress Server::address() const {
    return state_->options.listen;
}

std::expected<std::unique_ptr<Server>, std::string> Server::listen(asio::io_context& context, Options options,
                                                                   Handler handler) {
    auto state = std::make_shared<State>(context, std::move(options), std::move(handler));
    if (auto listening = state->listen(); !listening) {
        return std::unexpected{std::move(listening.error())};
    }
    return std::unique_ptr<Server>{new Server{std::move(state)}};
}

Exchange::Exchange(std::shared_ptr<Server::State> server, Tcp::socket socket, const net::IpAddress& peer)
    : server_{std::move(server)}, stream_{std::move(socket)}, peer_{peer} {}

Exchange::~Exchange() {
    server_->leave(*this);
}

void Exchange::read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(boost::none);  // not before it is known who sends it
    is_answered_ = false;
    attachment_.reset();
    server_->join(*this);
    stream_.expires_after(kStepTimeout);
    beast_http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const error_code& error, std::size_t) { self->handle_header(error); });
}

void Exchange::handle_header(const error_code& error) {
    if (error) {
        return refuse(error);
    }
    auto max_body = server_->options.max_body;
    if (max_body > 0 && server_->options.admit) {
        max_body = std::min(max_body, server_->options.admit(*this));
    }
    if (max_body == 0 || parser_->is_done()) {
        return call_handler();
    }
    if (parser_->content_length().value_or(0) > max_body) {
        return refuse(beast_http::error::body_limit);
    }
    parser_->body_limit(max_body);
    server_->join(*this);
    stream_.expires_after(kBodyTimeout);
    beast_http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const error_code& failure, std::size_t) { self->handle_message(failure); });
}

void Exchange::handle_message(const error_code& error) {
    if (error) {
        return refuse(error);
    }
    call_handler();
}

void Exchange::call_handler() {
    try {
        server_->handle(shared_from_this());
    } catch (const std::exception& failure) {
        kLog.warn("Handler failed", log::field("error", std::string_view{failure.what()}));
        if (!is_answered_) {
            respond({500, "Internal Server Error\n"});
        }
    }
}

void Exchange::refuse(const error_code& error) {
    is_refused_ = true;
    if (error == beast_http::error::header_limit) {
        respond({431, "The request's header is too long.\n"});
    } else if (error == beast_http::error::body_limit) {
        respond(too_long());
    } else if (error != beast_http::error::end_of_stream && error != beast_http::error::partial_message &&
               error.category() == beast_http::make_error_code(beast_http::error::bad_method).category()) {
        respond({400, "This is not HTTP.\n"});
    }
}

Response Exchange::too_long() const {
    const auto& answer = server_->options.too_long;
    return answer ? answer(*this) : Response{413, "The request's body is too long.\n"};
}

void Exchange::respond(Response response) {
    is_answered_ = true;
    const bool has_request = !is_refused_ && parser_->is_header_done();
    response_ = {};
    response_.result(response.status);
    response_.version(has_request ? message().version() : 11);
    if (!response.content_type.empty()) {
        response_.set(beast_http::field::content_type, response.content_type);
    }
    response_.set(beast_http::field::cache_control, "no-store");
    if (response.retry_after) {
        response_.set(beast_http::field::retry_after, std::to_string(response.retry_after->count()));
    }
    for (const auto& [name, value] : response.headers) {
        response_.set(name, value);
    }
    response_.keep_alive(has_request && server_->options.keeps_alive && message().keep_alive());
    response_.body() = std::move(response.body);
    response_.prepare_payload();
    if (has_request && message().method() == beast_http::verb::head) {
        response_.body().clear();  // but keep Content-Length
    }
    server_->join(*this);
    stream_.expires_after(kStepTimeout);
    beast_http::async_write(stream_, response_, [self = shared_from_this()](const error_code& error, std::size_t) {
        if (error) {
            kLog.debug("Connection ended", log::field("error", error.message()));
        } else if (self->response_.keep_alive()) {
            self->read();
        } else {
            self->handle_answered();
        }
    });
}

void Exchange::handle_answered() {
    error_code ignored;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    if (parser_->is_header_done() && !parser_->is_done()) {
        server_->join(*this);
        stream_.expires_after(kStepTimeout);
        discard_rest();
    }
}

/// Closing a socket in which something waits to be read resets the connection, and what was written last may never be
/// seen (RFC 9112 section 9.6).
void Exchange::discard_rest() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kDiscardedAtOnce),
                            [self = shared_from_this()](const error_code& error, std::size_t size) {
                                self->discarded_ += size;
                                if (!error && self->discarded_ < kMaxDiscarded) {
                                    self->discard_rest();
                                }
                            });
}

Exchange::Taken Exchange::take_over() {
    server_->leave(*this);
    stream_.expires_never();
    return {std::move(stream_), parser_->release()};
}

}  // namespace culvert::http
