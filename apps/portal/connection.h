#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "culvert/portal/session.h"

namespace culvert::portal_server {

/// One device's WebSocket after the upgrade was decided: frames in, frames out.
///
/// Sends no Ping ever, because devices of this generation take one for the end of the connection
/// (spec/portal-protocol.md section 3.2). Used from one thread.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    using Stream = boost::beast::websocket::stream<boost::beast::tcp_stream>;

    struct Handlers {
        std::function<void(portal::SessionId, std::string_view frame)> on_frame;
        /// Called once, when the connection is gone for whatever reason.
        std::function<void(portal::SessionId)> on_end;
    };

    /// `idle_timeout`: how long a device may send nothing.
    Connection(Stream stream, portal::SessionId session, std::chrono::seconds idle_timeout, Handlers handlers);

    /// Starts to read; the upgrade has been answered.
    void start();
    /// Queues a frame. A device that does not read what it is sent is cut off.
    void send(std::string text);
    /// Sends what is queued, then Close; hangs up if the device does not let that happen soon.
    void close(boost::beast::websocket::close_code code);

private:
    void read();
    void write();
    void send_close();
    void restart_idle_timer();
    void hang_up_after(std::chrono::seconds delay);
    void end();

    Stream stream_;
    portal::SessionId session_;
    std::chrono::seconds idle_timeout_;
    Handlers handlers_;
    boost::asio::steady_timer idle_timer_;
    boost::beast::flat_buffer buffer_;
    std::deque<std::string> queue_;
    std::size_t queued_bytes_ = 0;
    bool is_writing_ = false;
    bool is_closing_ = false;
    bool has_ended_ = false;
    boost::beast::websocket::close_code close_code_{};
};

}  // namespace culvert::portal_server
