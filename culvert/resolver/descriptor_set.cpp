#include "culvert/resolver/descriptor_set.h"

#include <array>
#include <cstddef>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace culvert::resolver {

using boost::asio::posix::stream_descriptor;

/// Held by the waits that go on, so that it outlives the set if the handler destroys that.
class DescriptorSet::Watched : public std::enable_shared_from_this<Watched> {
public:
    Watched(boost::asio::io_context& context, int fd, std::shared_ptr<const Handler> handler)
        : descriptor_{context, fd}, handler_{std::move(handler)} {}

    void want(bool reading, bool writing) {
        sides_[kReading].is_wanted = reading;
        sides_[kWriting].is_wanted = writing;
        wait(kReading);
        wait(kWriting);
    }

    void forget() {
        is_forgotten_ = true;
        descriptor_.release();  // it is not ours to close
    }

private:
    enum Side : std::size_t { kReading, kWriting };
    struct State {
        bool is_wanted = false;
        bool is_waiting = false;
    };

    void wait(Side side) {
        auto& state = sides_[side];
        if (is_forgotten_ || !state.is_wanted || std::exchange(state.is_waiting, true)) {
            return;
        }
        descriptor_.async_wait(side == kReading ? stream_descriptor::wait_read : stream_descriptor::wait_write,
                               [self = shared_from_this(), side](const boost::system::error_code& error) {
                                   self->sides_[side].is_waiting = false;
                                   if (error || self->is_forgotten_ || !self->sides_[side].is_wanted) {
                                       return;
                                   }
                                   const auto handler = self->handler_;
                                   (*handler)(self->descriptor_.native_handle(), side == kReading, side == kWriting);
                                   self->wait(side);
                               });
    }

    stream_descriptor descriptor_;
    std::shared_ptr<const Handler> handler_;
    std::array<State, 2> sides_{};
    bool is_forgotten_ = false;
};

DescriptorSet::DescriptorSet(boost::asio::io_context& context, Handler handler)
    : context_{context}, handler_{std::make_shared<const Handler>(std::move(handler))} {}

DescriptorSet::~DescriptorSet() {
    for (const auto& [fd, watched] : watched_) {
        watched->forget();
    }
}

void DescriptorSet::watch(int fd, bool for_reading, bool for_writing) {
    auto found = watched_.find(fd);
    if (!for_reading && !for_writing) {
        if (found != watched_.end()) {
            found->second->forget();
            watched_.erase(found);
        }
        return;
    }
    if (found == watched_.end()) {
        found = watched_.emplace(fd, std::make_shared<Watched>(context_, fd, handler_)).first;
    }
    found->second->want(for_reading, for_writing);
}

}  // namespace culvert::resolver
