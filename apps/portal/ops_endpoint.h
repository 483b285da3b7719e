#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "culvert/http/endpoint.h"
#include "culvert/net/socket_address.h"

namespace culvert::portal_server {

/// `/healthz`, `/readyz` and `/metrics`, apart from where devices connect: who may reach one need not reach the other,
/// and connections of devices cannot use up those of the operator.
///
/// Requests arrive on a thread of their own and are answered by the portal's thread, so that a portal that hangs is
/// not healthy.
class OpsEndpoint {
public:
    /// Called on the thread that runs `portal`.
    struct Answers {
        /// What keeps devices from connecting, as a sentence; unset: nothing does.
        std::function<std::optional<std::string>()> problem;
        std::function<std::string()> metrics;
    };

    /// Listens at once; `portal` must outlive the object. Throws ListenError.
    OpsEndpoint(const net::SocketAddress& listen, boost::asio::io_context& portal, Answers answers);
    ~OpsEndpoint();
    OpsEndpoint(const OpsEndpoint&) = delete;
    OpsEndpoint& operator=(const OpsEndpoint&) = delete;

    [[nodiscard]] net::SocketAddress address() const { return endpoint_->address(); }

private:
    /// What the portal's thread says to `question`, if it says anything in time.
    culvert::http::Response ask(std::function<culvert::http::Response()> question);

    boost::asio::io_context& portal_;
    Answers answers_;
    std::atomic<bool> is_stopping_ = false;
    std::unique_ptr<culvert::http::Endpoint> endpoint_;
};

}  // namespace culvert::portal_server
