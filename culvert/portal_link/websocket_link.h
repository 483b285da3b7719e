#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "culvert/portal_channel/channel.h"

/// Private to portal_link: include it in .cpp files only.
namespace culvert::portal_link {

/// Where to connect to, and how.
struct LinkTarget {
    std::vector<boost::asio::ip::tcp::endpoint> endpoints;  // in the order in which to try them
    std::string host;                                       // for TLS
    std::string host_header;                                // for HTTP
    std::string path;                                       // with the query; may contain the token
    std::string authorization;                              // contains the token
    std::function<std::string(std::string)> hide_token;     // from what the server says
    std::string user_agent;
    Duration timeout{};  // for everything together
    std::optional<std::uint32_t> socket_mark;
};

/// Whom to tell. After on_dial_error or on_lost nothing more is called.
struct LinkObserver {
    std::function<void()> on_connected;
    std::function<void(const portal_channel::DialError&)> on_dial_error;
    std::function<void(std::string_view)> on_message;
    std::function<void()> on_partial_message;  ///< some more of a message that is not complete
    std::function<void()> on_written;
    std::function<void(std::string)> on_lost;
};

/// One attempt to connect a WebSocket and, if it succeeds, that connection. Everything happens on one thread.
class WebSocketLink {
public:
    /// Starts at once. `tls` may be null: no TLS.
    [[nodiscard]] static std::shared_ptr<WebSocketLink> dial(const boost::asio::any_io_executor& executor,
                                                             boost::asio::ssl::context* tls, LinkTarget target,
                                                             LinkObserver observer);

    WebSocketLink() = default;
    virtual ~WebSocketLink() = default;
    WebSocketLink(const WebSocketLink&) = delete;
    WebSocketLink& operator=(const WebSocketLink&) = delete;

    /// Writes one text message; the next one may follow after on_written.
    virtual void write(std::string text) = 0;
    /// Whether it is connected, and packets to the portal would be sent from the same address now.
    [[nodiscard]] virtual bool still_has_its_source() = 0;
    /// Starts the closing handshake; on_lost tells its end.
    virtual void start_close() = 0;
    /// Starts the closing handshake and lets go of the connection; nobody is told anything any more.
    virtual void leave() = 0;
    /// Drops the connection; nobody is told anything any more.
    virtual void abort() = 0;
};

}  // namespace culvert::portal_link
