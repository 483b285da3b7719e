#include "culvert/io/absence_watch.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <utility>

namespace culvert::io {
namespace {

Duration time_since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

timespec to_timespec(Duration duration) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
    return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}

}  // namespace

std::expected<AbsenceWatch, std::error_code> AbsenceWatch::open(Duration interval) {
    FileDescriptor timer{::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)};
    const itimerspec due{.it_interval = to_timespec(interval), .it_value = to_timespec(interval)};
    if (!timer || ::timerfd_settime(timer.get(), 0, &due, nullptr) != 0) {
        return std::unexpected{std::error_code{errno, std::generic_category()}};
    }
    return AbsenceWatch{std::move(timer), interval};
}

AbsenceWatch::AbsenceWatch(FileDescriptor timer, Duration interval)
    : timer_{std::move(timer)}, interval_{interval}, last_{time_since_boot()} {}

Duration AbsenceWatch::take() {
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) != sizeof expirations) {
        return {};
    }
    const auto now = time_since_boot();
    const auto before = std::exchange(last_, now);
    return std::max(now - before - interval_, Duration{});
}

}  // namespace culvert::io
