#include "culvert/http/endpoint.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "culvert/http/constants.h"
#include "culvert/http/server.h"
#include "culvert/observability/log.h"

namespace culvert::http {
namespace {

constexpr log::Logger kLog{"http"};

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

Response answer(const Endpoint::Routes& routes, const Exchange::Message& message) {
    const std::string_view target{message.target().data(), message.target().size()};
    const auto question = std::min(target.find('?'), target.size());
    const std::string_view method{message.method_string().data(), message.method_string().size()};
    const Request request{method, target.substr(0, question), target.substr(std::min(question + 1, target.size()))};
    return answer(routes, request);
}

}  // namespace

class Endpoint::Thread {
public:
    explicit Thread(Routes routes) : routes_{std::move(routes)} {}

    ~Thread() {
        context_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    [[nodiscard]] std::expected<void, std::string> start(const net::SocketAddress& listen) {
        auto server =
            Server::listen(context_,
                           {.listen = listen,
                            .max_connections = kMaxEndpointConnections,
                            .max_body = kMaxEndpointBody,
                            .keeps_alive = true},
                           [this](const auto& exchange) { exchange->respond(answer(routes_, exchange->message())); });
        if (!server) {
            return std::unexpected{std::move(server.error())};
        }
        server_ = *std::move(server);
        thread_ = std::thread{[this] { context_.run(); }};
        return {};
    }

    [[nodiscard]] net::SocketAddress address() const { return server_->address(); }

private:
    Routes routes_;
    boost::asio::io_context context_{1};
    std::unique_ptr<Server> server_;
    std::thread thread_;
};

Endpoint::Endpoint(std::unique_ptr<Thread> thread) : thread_{std::move(thread)} {}
Endpoint::~Endpoint() = default;

std::expected<std::unique_ptr<Endpoint>, std::string> Endpoint::start(const net::SocketAddress& listen, Routes routes) {
    auto thread = std::make_unique<Thread>(std::move(routes));
    if (auto started = thread->start(listen); !started) {
        return std::unexpected{std::move(started.error())};
    }
    return std::unique_ptr<Endpoint>{new Endpoint{std::move(thread)}};
}

net::SocketAddress Endpoint::address() const {
    return thread_->address();
}

}  // namespace culvert::http
