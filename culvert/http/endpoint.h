#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "culvert/http/message.h"
#include "culvert/net/socket_address.h"

namespace culvert::http {

/// Answers one path. Called on the endpoint's thread, so it must not touch what other threads change without
/// protection. An exception becomes status 500.
using Handler = std::function<Response(const Request&)>;

/// A server for health checks and metrics, on a thread of its own that nothing else depends on.
///
/// Answers GET (and HEAD), and POST where `Route::accepts_post` is set; 404 and 405 otherwise. Its server bounds what
/// anybody can use it for to slow the process down; still, bind it where only operators reach it.
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
    class Thread;
    explicit Endpoint(std::unique_ptr<Thread> thread);

    std::unique_ptr<Thread> thread_;
};

}  // namespace culvert::http
