#include "culvert/session/control_loop.h"

#include <pthread.h>

#include <vector>

#include <gtest/gtest.h>

namespace culvert::session {
namespace {

TEST(ControlLoop, HandlesSignalsThatCameBeforeIt) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
    std::raise(SIGHUP);
    std::raise(SIGTERM);

    ControlLoop loop;
    std::vector<int> seen;
    loop.after(std::chrono::seconds{5}, [&] { loop.stop(); });
    loop.on_signal([&](int number) {
        seen.push_back(number);
        if (seen.size() == 2) {
            loop.stop();
        }
    });
    loop.run();

    EXPECT_EQ(seen.size(), 2U);
}

}  // namespace
}  // namespace culvert::session
