#include "culvert/io/loop.h"

#include <algorithm>
#include <ctime>

#include "culvert/io/clock.h"

namespace culvert::io {

void sleep(Wait wait) {
    using namespace std::chrono_literals;
    timespec timeout{};
    if (wait.deadline) {
        const auto left = std::max(*wait.deadline - monotonic_now(), Duration::zero());
        timeout.tv_sec = static_cast<std::time_t>(left / 1s);
        timeout.tv_nsec = static_cast<long>((left % 1s).count());
    }
    // An interrupted or failed wait only means an early next turn.
    const auto descriptors = wait.descriptors();
    static_cast<void>(::ppoll(descriptors.data(), descriptors.size(), wait.deadline ? &timeout : nullptr, nullptr));
}

}  // namespace culvert::io
