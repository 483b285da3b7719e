#include "apps/portal/event_streams.h"

#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "apps/portal/constants.h"

namespace culvert::portal_server {

using boost::system::error_code;

class EventStreams::Stream : public std::enable_shared_from_this<Stream> {
public:
    Stream(EventStreams& owner, http::Exchange::Stream stream, std::function<bool()> is_welcome)
        : owner_{&owner}, stream_{std::move(stream)}, is_welcome_{std::move(is_welcome)} {}

    void start(const std::string& header) {
        send(header);
        read();
    }

    [[nodiscard]] bool is_welcome() const { return is_welcome_(); }

    void send(const std::string& text) {
        if (waiting_.size() + text.size() > kMaxUnreadEvents) {
            return close();
        }
        waiting_ += text;
        write();
    }

    /// Once; its owner forgets it.
    void close() {
        if (auto* owner = std::exchange(owner_, nullptr)) {
            stream_.close();
            owner->streams_.erase(shared_from_this());
        }
    }
    /// The owner is going.
    void abandon() {
        owner_ = nullptr;
        stream_.close();
    }

private:
    /// Browsers send nothing more: whatever comes is the end.
    void read() {
        stream_.socket().async_read_some(
            boost::asio::buffer(unexpected_),
            [self = shared_from_this()](const error_code&, std::size_t) { self->close(); });
    }

    void write() {
        if (waiting_.empty() || !sending_.empty() || owner_ == nullptr) {
            return;
        }
        sending_ = std::exchange(waiting_, {});
        stream_.expires_after(kEventWriteTimeout);
        boost::asio::async_write(stream_, boost::asio::buffer(sending_),
                                 [self = shared_from_this()](const error_code& error, std::size_t) {
                                     if (error) {
                                         return self->close();
                                     }
                                     self->sending_.clear();
                                     self->stream_.expires_never();
                                     self->write();
                                 });
    }

    EventStreams* owner_;
    http::Exchange::Stream stream_;
    std::function<bool()> is_welcome_;
    std::array<char, 16> unexpected_{};
    std::string waiting_;
    std::string sending_;
};

EventStreams::EventStreams(boost::asio::io_context& context) : flush_timer_{context}, heartbeat_timer_{context} {
    beat();
}

EventStreams::~EventStreams() {
    stop();
}

void EventStreams::stop() {
    is_stopped_ = true;
    flush_timer_.cancel();
    heartbeat_timer_.cancel();
    for (const auto& stream : std::exchange(streams_, {})) {
        stream->abandon();
    }
}

bool EventStreams::open(const std::shared_ptr<http::Exchange>& exchange, const std::string& headers,
                        std::function<bool()> is_welcome) {
    if (is_stopped_ || streams_.size() >= kMaxEventStreams) {
        return false;
    }
    auto taken = exchange->take_over();
    const auto stream = std::make_shared<Stream>(*this, std::move(taken.stream), std::move(is_welcome));
    streams_.insert(stream);
    stream->start("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n" + headers +
                  "\r\nretry: 2000\n\n");
    return true;
}

void EventStreams::tell(std::string_view kind, std::string_view id) {
    if (streams_.empty() || is_stopped_) {
        return;
    }
    // Of many, it is enough to know that there are several.
    if (pending_.size() >= kMaxPendingEvents) {
        id = "";
    }
    pending_.emplace(kind, id);
    if (!std::exchange(is_flush_set_, true)) {
        flush_later();
    }
}

void EventStreams::flush_later() {
    flush_timer_.expires_after(kEventDelay);
    flush_timer_.async_wait([this](const error_code& error) {
        if (error) {
            return;
        }
        is_flush_set_ = false;
        std::string text;
        for (const auto& [kind, id] : std::exchange(pending_, {})) {
            text += "event: change\ndata: " + boost::json::serialize(boost::json::object{{"kind", kind}, {"id", id}}) +
                    "\n\n";
        }
        for (const auto& stream : std::set{streams_}) {
            stream->send(text);
        }
    });
}

void EventStreams::beat() {
    heartbeat_timer_.expires_after(kEventHeartbeat);
    heartbeat_timer_.async_wait([this](const error_code& error) {
        if (error) {
            return;
        }
        for (const auto& stream : std::set{streams_}) {
            stream->is_welcome() ? stream->send(": still here\n\n") : stream->close();
        }
        beat();
    });
}

}  // namespace culvert::portal_server
