#include "culvert/session/control_loop.h"

#include <initializer_list>
#include <list>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace culvert::session {

namespace asio = boost::asio;

struct ControlLoop::Implementation {
    struct Watch {
        asio::posix::stream_descriptor descriptor;
        std::function<void()> handler;
    };

    asio::io_context context{1};
    asio::signal_set signals{context, SIGINT, SIGTERM, SIGHUP};
    std::function<void(int)> on_signal;
    std::list<Watch> watches;

    void wait_for_signal() {
        signals.async_wait([this](const boost::system::error_code& error, int number) {
            if (error) {
                return;
            }
            if (on_signal) {
                on_signal(number);
            }
            wait_for_signal();
        });
    }

    void wait_for(Watch& watch) {
        watch.descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                    [this, &watch](const boost::system::error_code& error) {
                                        if (error) {
                                            return;
                                        }
                                        watch.handler();
                                        if (watch.descriptor.is_open()) {
                                            wait_for(watch);
                                        }
                                    });
    }

    ~Implementation() {
        for (auto& watch : watches) {
            let_go(watch);
        }
    }

    /// The descriptor is not ours to close.
    static void let_go(Watch& watch) {
        if (watch.descriptor.is_open()) {
            watch.descriptor.release();
        }
    }
};

ControlLoop::ControlLoop() : implementation_{std::make_unique<Implementation>()} {
    std::signal(SIGPIPE, SIG_IGN);
    // main() may have held them back until now.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        sigaddset(&signals, number);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    implementation_->wait_for_signal();
}

ControlLoop::~ControlLoop() = default;

void ControlLoop::on_signal(std::function<void(int)> handler) {
    implementation_->on_signal = std::move(handler);
}

void ControlLoop::watch(int fd, std::function<void()> handler) {
    auto& watch = implementation_->watches.emplace_back(
        Implementation::Watch{asio::posix::stream_descriptor{implementation_->context, fd}, std::move(handler)});
    implementation_->wait_for(watch);
}

void ControlLoop::unwatch(int fd) {
    for (auto& watch : implementation_->watches) {
        if (watch.descriptor.is_open() && watch.descriptor.native_handle() == fd) {
            Implementation::let_go(watch);
        }
    }
}

void ControlLoop::after(Duration delay, std::function<void()> handler) {
    auto timer = std::make_shared<asio::steady_timer>(implementation_->context, delay);
    timer->async_wait([timer, handler = std::move(handler)](const boost::system::error_code& error) {
        if (!error) {
            handler();
        }
    });
}

boost::asio::io_context& ControlLoop::context() {
    return implementation_->context;
}

void ControlLoop::run() {
    implementation_->context.run();
}

void ControlLoop::stop() {
    implementation_->context.stop();
}

}  // namespace culvert::session
