#include "culvert/resolver/timer.h"

#include <cstdint>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace culvert::resolver {

struct Timer::State {
    boost::asio::steady_timer timer;
    std::function<void()> handler;
    /// What was set before this may have come due already, and only wait to be told.
    std::uint64_t round = 0;
};

Timer::Timer(boost::asio::io_context& context, std::function<void()> handler)
    : state_{
          std::make_shared<State>(State{.timer = boost::asio::steady_timer{context}, .handler = std::move(handler)})} {}

Timer::~Timer() {
    cancel();
}

void Timer::set(Duration delay) {
    state_->timer.expires_after(delay);
    state_->timer.async_wait([state = state_, round = ++state_->round](const boost::system::error_code& error) {
        if (!error && round == state->round) {
            state->handler();
        }
    });
}

void Timer::cancel() {
    ++state_->round;
    state_->timer.cancel();
}

}  // namespace culvert::resolver
