#pragma once

#include <csignal>
#include <functional>
#include <memory>

#include "culvert/base/time.h"

namespace boost::asio {
class io_context;
}

namespace culvert::session {

/// The control thread: signals, timers and mailboxes, around one Asio context. Not thread-safe; everything happens on
/// the thread that calls run().
class ControlLoop {
public:
    /// Ignores SIGPIPE; takes over SIGINT, SIGTERM and SIGHUP, and those that were blocked and came before.
    ControlLoop();
    ~ControlLoop();
    ControlLoop(const ControlLoop&) = delete;
    ControlLoop& operator=(const ControlLoop&) = delete;

    /// Calls `handler` with the number of each SIGINT, SIGTERM or SIGHUP.
    void on_signal(std::function<void(int)> handler);

    /// Calls `handler` whenever `fd` is readable. The descriptor stays the caller's and must outlive the loop, or
    /// unwatch().
    void watch(int fd, std::function<void()> handler);

    /// No more calls for `fd`, which may be closed then.
    void unwatch(int fd);

    /// Calls `handler` once, after `delay`.
    void after(Duration delay, std::function<void()> handler);

    [[nodiscard]] boost::asio::io_context& context();

    /// Runs until stop().
    void run();
    void stop();

private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace culvert::session
