#include "culvert/observability/log.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "culvert/observability/log_capture.h"
#include "culvert/observability/log_sink.h"

namespace culvert::log {
namespace detail {

constinit std::atomic<Level> most_verbose = Level::kOff;

}  // namespace detail

namespace {

std::mutex g_mutex;
std::shared_ptr<const Sink> g_sink;          // guarded by g_mutex
std::multiset<Level> g_capture_levels;       // guarded by g_mutex; of all threads
thread_local const CaptureScope* t_capture;  // null outside of every scope

/// Requires g_mutex.
void update_most_verbose() {
    auto level = g_sink ? g_sink->most_verbose() : Level::kOff;
    if (!g_capture_levels.empty()) {
        level = std::min(level, *g_capture_levels.begin());
    }
    detail::most_verbose = level;
}

}  // namespace

void install_sink(std::shared_ptr<const Sink> sink) {
    const std::lock_guard lock{g_mutex};
    g_sink = std::move(sink);
    update_most_verbose();
}

std::shared_ptr<const Sink> installed_sink() {
    const std::lock_guard lock{g_mutex};
    return g_sink;
}

CaptureScope::CaptureScope(Level level, Receiver receiver)
    : level_{level}, receiver_{std::move(receiver)}, outer_{std::exchange(t_capture, this)} {
    const std::lock_guard lock{g_mutex};
    g_capture_levels.insert(level_);
    update_most_verbose();
}

CaptureScope::~CaptureScope() {
    t_capture = outer_;
    const std::lock_guard lock{g_mutex};
    g_capture_levels.erase(g_capture_levels.find(level_));
    update_most_verbose();
}

const CaptureScope* CaptureScope::current() {
    return t_capture;
}

void CaptureScope::write(Level level, std::string_view target, std::string_view message,
                         const std::vector<TextField>& fields) const {
    t_capture = outer_;
    receiver_(level, target, message, fields);
    t_capture = this;
}

namespace detail {

bool is_enabled(Level level, std::string_view target) {
    if (const auto* capture = CaptureScope::current()) {
        return level >= capture->level();
    }
    const auto sink = installed_sink();
    return sink && level >= sink->level_for(target);
}

void write(Level level, std::string_view target, std::string_view message, const std::vector<TextField>& fields) {
    if (const auto* capture = CaptureScope::current()) {
        capture->write(level, target, message, fields);
    } else if (const auto sink = installed_sink()) {
        sink->write(level, target, message, fields);
    }
}

}  // namespace detail
}  // namespace culvert::log
