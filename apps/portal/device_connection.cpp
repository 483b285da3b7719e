#include "apps/portal/device_connection.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>

#include "apps/portal/constants.h"
#include "culvert/observability/log.h"

namespace culvert::portal_server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

constexpr log::Logger kLog{"portal_server"};

/// The memory that a frame takes up until it is sent.
std::size_t weight(const std::string& frame) {
    return frame.capacity() + sizeof(frame);
}

}  // namespace

DeviceConnection::DeviceConnection(Stream stream, portal::SessionId session, std::chrono::seconds idle_timeout,
                                   Handlers handlers)
    : stream_{std::move(stream)},
      session_{session},
      idle_timeout_{idle_timeout},
      handlers_{std::move(handlers)},
      idle_timer_{stream_.get_executor()},
      pause_timer_{stream_.get_executor()},
      write_timer_{stream_.get_executor()} {}

void DeviceConnection::accept(UpgradeRequest request) {
    upgrade_ = std::move(request);
    stream_.async_accept(upgrade_, [self = shared_from_this()](beast::error_code error) {
        self->upgrade_ = {};
        if (error || self->has_ended_) {
            return self->end();
        }
        self->opened();
    });
}

void DeviceConnection::opened() {
    is_open_ = true;
    stream_.control_callback([this](websocket::frame_type kind, beast::string_view) {
        if (kind == websocket::frame_type::ping && ++pings_ > kMaxPings) {
            kLog.debug("Cut off a device that sends nothing but Pings");
            beast::get_lowest_layer(stream_).close();
        }
    });
    restart_idle_timer();
    read();
    write();
    if (is_closing_ && !is_writing_) {
        send_close();
    }
}

void DeviceConnection::send(std::string text) {
    if (is_closing_ || has_ended_) {
        return;
    }
    if (queue_.size() >= kMaxQueuedFrames || queued_bytes_ + weight(text) > kMaxQueuedBytes) {
        kLog.debug("Cut off a device that does not read");
        return cut_off();
    }
    queue_.push_back(std::move(text));
    queued_bytes_ += weight(queue_.back());
    watch_queue();
    write();
}

void DeviceConnection::close(websocket::close_code code) {
    if (is_closing_ || has_ended_) {
        return;
    }
    is_closing_ = true;
    close_code_ = code;
    hang_up_after(kCloseTimeout);
    if (std::exchange(is_reading_paused_, false)) {
        read();  // for the other side's Close frame
    }
    if (is_open_ && !is_writing_) {
        send_close();
    }
}

void DeviceConnection::cut_off() {
    // No Close frame: it would wait behind what the device does not read, here and in the kernel.
    is_closing_ = true;
    beast::error_code ignored;
    beast::get_lowest_layer(stream_).socket().set_option(asio::socket_base::linger{true, 0}, ignored);
    beast::get_lowest_layer(stream_).close();
    queue_.resize(std::min<std::size_t>(queue_.size(), is_writing_ ? 1 : 0));  // what is being written is in use
    queued_bytes_ = queue_.empty() ? 0 : weight(queue_.front());
}

void DeviceConnection::read() {
    stream_.async_read_some(buffer_, kReadAtOnce, [self = shared_from_this()](beast::error_code error, std::size_t) {
        if (error) {
            kLog.debug("A connection ended", log::field("reason", error.message()));
            return self->end();
        }
        self->received();
    });
}

void DeviceConnection::received() {
    if (!stream_.is_message_done()) {
        report_memory();
        return read();
    }
    restart_idle_timer();
    pings_ = 0;
    const auto bytes = buffer_.cdata();
    const auto pause = handlers_.on_frame(session_, {static_cast<const char*>(bytes.data()), bytes.size()});
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > kKeptInput) {
        buffer_.shrink_to_fit();
    }
    report_memory();
    read_after(pause);
}

/// Unread output, and long input that is not complete: whoever lets either lie takes it from all others of its owner.
void DeviceConnection::report_memory() {
    const auto input = buffer_.capacity() > kKeptInput ? buffer_.capacity() : 0;
    if (const auto bytes = queued_bytes_ + input; !has_ended_ && bytes != std::exchange(reported_bytes_, bytes)) {
        handlers_.on_unread(session_, bytes);
    }
}

/// What the device sends meanwhile fills its own connection.
void DeviceConnection::read_after(Duration pause) {
    if (has_ended_) {
        return;
    }
    if (is_congested_ && !is_closing_) {
        is_reading_paused_ = true;
        return;
    }
    if (pause <= Duration{}) {
        return read();
    }
    pause_timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(pause));
    pause_timer_.async_wait([self = shared_from_this()](beast::error_code error) {
        if (!error && !self->has_ended_) {
            self->restart_idle_timer();
            self->read();
        }
    });
}

void DeviceConnection::watch_queue() {
    report_memory();
    const bool is_full = queued_bytes_ > kCongestedBytes || queue_.size() > kCongestedFrames;
    const bool is_drained = queued_bytes_ < kDrainedBytes && queue_.size() < kDrainedFrames;
    if (is_congested_ ? !is_drained : !is_full) {
        return;
    }
    is_congested_ = !is_congested_;
    handlers_.on_congestion(session_, is_congested_);
    if (!is_congested_ && std::exchange(is_reading_paused_, false) && !has_ended_) {
        restart_idle_timer();
        read();
    }
}

void DeviceConnection::write() {
    if (!is_open_ || is_writing_ || queue_.empty()) {
        return;
    }
    is_writing_ = true;
    write_timer_.expires_after(kWriteTimeout);
    write_timer_.async_wait([self = shared_from_this()](beast::error_code error) {
        if (!error) {
            kLog.debug("Cut off a device that does not read");
            self->cut_off();
        }
    });
    stream_.text(true);
    stream_.async_write(asio::buffer(queue_.front()),
                        [self = shared_from_this()](beast::error_code error, std::size_t) {
                            self->is_writing_ = false;
                            self->write_timer_.cancel();
                            if (error) {
                                return self->end();
                            }
                            self->queued_bytes_ -= weight(self->queue_.front());
                            self->queue_.pop_front();
                            self->watch_queue();
                            self->write();
                            if (self->is_closing_ && !self->is_writing_) {
                                self->send_close();
                            }
                        });
}

void DeviceConnection::send_close() {
    stream_.async_close(close_code_, [self = shared_from_this()](beast::error_code) { self->end(); });
}

void DeviceConnection::restart_idle_timer() {
    if (!is_closing_) {
        hang_up_after(idle_timeout_);
    }
}

void DeviceConnection::hang_up_after(std::chrono::seconds delay) {
    idle_timer_.expires_after(delay);
    idle_timer_.async_wait([self = shared_from_this()](beast::error_code error) {
        if (!error) {
            kLog.debug("Cut off a device that did not react in time");
            beast::get_lowest_layer(self->stream_).close();
        }
    });
}

void DeviceConnection::end() {
    if (std::exchange(has_ended_, true)) {
        return;
    }
    idle_timer_.cancel();
    pause_timer_.cancel();
    write_timer_.cancel();
    beast::get_lowest_layer(stream_).close();
    handlers_.on_end(session_);
}

}  // namespace culvert::portal_server
