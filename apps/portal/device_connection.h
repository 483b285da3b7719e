#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "culvert/base/time.h"
#include "culvert/http/server.h"
#include "culvert/portal/session.h"

namespace culvert::portal_server {

/// One device's WebSocket after the upgrade was decided: frames in, frames out. It can be written to and closed before
/// the upgrade has been answered; both take effect then.
///
/// Sends no Ping ever, because devices of this generation take one for the end of the connection
/// (spec/portal-protocol.md section 3.2). Used from one thread.
class DeviceConnection : public std::enable_shared_from_this<DeviceConnection> {
public:
    /// Counts bytes as well, so that nobody keeps the portal busy below the frames that it sees.
    using Stream = boost::beast::websocket::stream<culvert::http::Exchange::Stream>;
    using UpgradeRequest = culvert::http::Exchange::Message;

    struct Handlers {
        /// How long not to read on.
        std::function<Duration(portal::SessionId, std::string_view frame)> on_frame;
        /// Much of what was sent waits for the device to read it; or no longer.
        std::function<void(portal::SessionId, bool is_congested)> on_congestion;
        /// So many bytes of memory are taken up now by what the device does not read, or has begun and does not finish.
        std::function<void(portal::SessionId, std::size_t bytes)> on_unread;
        /// Called once, when the connection is gone for whatever reason.
        std::function<void(portal::SessionId)> on_end;
    };

    /// `idle_timeout`: how long a device may send nothing.
    DeviceConnection(Stream stream, portal::SessionId session, std::chrono::seconds idle_timeout, Handlers handlers);

    /// Answers the upgrade, then starts to read.
    void accept(UpgradeRequest request);
    /// Queues a frame. A device that does not read what it is sent is cut off.
    void send(std::string text);
    /// Sends what is queued, then Close; hangs up if the device does not let that happen soon.
    void close(boost::beast::websocket::close_code code);
    /// Hangs up at once, whatever is still to be sent, and gives back the memory that it takes up.
    void cut_off();

private:
    void opened();
    void read();
    void received();
    void report_memory();
    void read_after(Duration pause);
    void watch_queue();
    void write();
    void send_close();
    void restart_idle_timer();
    void hang_up_after(std::chrono::seconds delay);
    void end();

    Stream stream_;
    UpgradeRequest upgrade_;
    portal::SessionId session_;
    std::chrono::seconds idle_timeout_;
    Handlers handlers_;
    boost::asio::steady_timer idle_timer_;
    boost::asio::steady_timer pause_timer_;
    boost::asio::steady_timer write_timer_;
    boost::beast::flat_buffer buffer_;
    std::deque<std::string> queue_;
    std::size_t queued_bytes_ = 0;
    std::size_t reported_bytes_ = 0;
    bool is_open_ = false;
    bool is_writing_ = false;
    bool is_congested_ = false;
    bool is_reading_paused_ = false;
    std::size_t pings_ = 0;
    bool is_closing_ = false;
    bool has_ended_ = false;
    boost::beast::websocket::close_code close_code_{};
};

}  // namespace culvert::portal_server
