#include "culvert/session/control_loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
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

TEST(ControlLoop, LeavesADescriptorAloneThatItIsToWatchNoMore) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);

    ControlLoop loop;
    int calls = 0;
    loop.watch(ends[0], [&] {
        ++calls;
        loop.unwatch(ends[0]);  // still readable
    });
    loop.after(std::chrono::milliseconds{50}, [&] { loop.stop(); });
    loop.run();
    EXPECT_EQ(calls, 1);

    char read = 0;
    EXPECT_EQ(::read(ends[0], &read, 1), 1) << "it is the caller's";
    loop.unwatch(ends[0]);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace culvert::session
