#pragma once

#include <functional>
#include <memory>

#include "culvert/base/time.h"

namespace boost::asio {
class io_context;
}

namespace culvert::resolver {

/// Calls its handler when it is due, and not once it is destroyed, also from within the handler. Everything happens on
/// the thread that runs the context, which must outlive the timer.
class Timer {
public:
    Timer(boost::asio::io_context& context, std::function<void()> handler);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Due once, then; not at any time that was set before.
    void set(Duration delay);
    void cancel();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace culvert::resolver
