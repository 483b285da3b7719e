#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "culvert/http/server.h"

namespace culvert::portal_server {

/// Connections of pages that want to hear when a list may have changed (server-sent events). What happens at about the
/// same time is told once for each kind; who does not read is cut off.
class EventStreams {
public:
    explicit EventStreams(boost::asio::io_context& context);
    ~EventStreams();
    EventStreams(const EventStreams&) = delete;
    EventStreams& operator=(const EventStreams&) = delete;

    /// Takes the connection over; `is_welcome` is asked now and then whether it may stay. `headers`: lines for the
    /// answer's header. False: there are too many, and nothing was done.
    [[nodiscard]] bool open(const std::shared_ptr<http::Exchange>& exchange, const std::string& headers,
                            std::function<bool()> is_welcome);

    /// `id` empty: several of that kind.
    void tell(std::string_view kind, std::string_view id);

    [[nodiscard]] std::size_t size() const { return streams_.size(); }
    /// Ends all of them.
    void stop();

private:
    class Stream;

    void flush_later();
    void beat();

    boost::asio::steady_timer flush_timer_;
    boost::asio::steady_timer heartbeat_timer_;
    std::set<std::shared_ptr<Stream>> streams_;
    /// Kinds and ids that are to be told.
    std::set<std::pair<std::string, std::string>> pending_;
    bool is_flush_set_ = false;
    bool is_stopped_ = false;
};

}  // namespace culvert::portal_server
