#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "culvert/net/socket_address.h"

namespace culvert::http {

struct Request {
    std::string_view method;  ///< "GET", "POST", ...
    std::string_view path;    ///< without query
    std::string_view query;   ///< behind the question mark, still percent-encoded; empty if there is none

    /// Decoded value of a query parameter; empty if it is absent.
    [[nodiscard]] std::string parameter(std::string_view name) const;
};

struct Response {
    unsigned status = 200;
    std::string body;
    std::string content_type = "text/plain; charset=utf-8";
};

/// Answers one path. Called on the endpoint's thread, so it must not touch what other threads change without
/// protection. An exception becomes status 500.
using Handler = std::function<Response(const Request&)>;

/// A small HTTP/1.1 server for health checks and metrics, on a thread of its own that nothing else depends on.
///
/// Answers GET (and HEAD), and POST where `Route::accepts_post` is set; 404 and 405 otherwise. Requests are limited in
/// size, number and time, so that nobody can use it to slow the process down, and connections that say nothing make
/// room for those that do; still, bind it where only operators reach it.
class Endpoint {
public:
    struct Route {
        Handler handler;
        bool accepts_post = false;
    };
    /// By path, such as "/healthz".
    using Routes = std::map<std::string, Route, std::less<>>;

    /// The error is a sentence for a person ("cannot listen on 0.0.0.0:8080: Address already in use").
    [[nodiscard]] static std::expected<std::unique_ptr<Endpoint>, std::string> start(const net::SocketAddress& listen,
                                                                                     Routes routes);

    /// Stops at once; connections are dropped.
    ~Endpoint();
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    /// Where it listens: `listen` with the actual port if that was 0.
    [[nodiscard]] net::SocketAddress address() const;

private:
    class Server;
    explicit Endpoint(std::unique_ptr<Server> server);

    std::unique_ptr<Server> server_;
};

}  // namespace culvert::http
