#include "culvert/observability/repeat_limiter.h"

#include <algorithm>
#include <utility>

namespace culvert::log {
namespace {

constexpr std::string_view kOthers = "(lines of other kinds)";

std::string name_of(Level level, std::string_view target, std::string_view message) {
    std::string name;
    name.reserve(target.size() + message.size() + 3);
    name.append(target).append(1, '\n').append(message).append(1, '\n').append(
        1, static_cast<char>('0' + static_cast<int>(level)));
    return name;
}

}  // namespace

bool RepeatLimiter::admit(Level level, std::string_view target, std::string_view message, Clock::time_point now) {
    if (level < Level::kInfo) {
        return true;
    }
    auto& kind = find(level, target, message, now);
    if (now - kind.since >= kRepeatWindow && kind.left_out == 0) {
        kind.since = now;
        kind.written = 0;
    }
    if (kind.written < (level == Level::kInfo ? kInfos : kWarnings)) {
        ++kind.written;
        return true;
    }
    ++kind.left_out;
    next_report_ = std::min(next_report_, kind.since + kRepeatWindow);
    return false;
}

RepeatLimiter::Kind& RepeatLimiter::find(Level level, std::string_view target, std::string_view message,
                                         Clock::time_point now) {
    auto name = name_of(level, target, message);
    if (const auto known = kinds_.find(name); known != kinds_.end()) {
        return known->second;
    }
    if (kinds_.size() >= kMaxKinds) {
        forget_old(now);
    }
    if (kinds_.size() >= kMaxKinds) {
        // One more entry per level at the most.
        name = name_of(level, kOthers, kOthers);
        target = message = kOthers;
    }
    return kinds_.try_emplace(std::move(name), Kind{level, std::string{target}, std::string{message}, now})
        .first->second;
}

void RepeatLimiter::forget_old(Clock::time_point now) {
    std::erase_if(kinds_, [&](const auto& entry) {
        return entry.second.left_out == 0 && now - entry.second.since >= kRepeatWindow;
    });
}

std::vector<RepeatLimiter::Repeated> RepeatLimiter::take(Clock::time_point now, bool all) {
    std::vector<Repeated> repeated;
    if (!all && now < next_report_) {
        return repeated;
    }
    next_report_ = Clock::time_point::max();
    for (auto& [name, kind] : kinds_) {
        if (kind.left_out == 0) {
            continue;
        }
        if (!all && now - kind.since < kRepeatWindow) {
            next_report_ = std::min(next_report_, kind.since + kRepeatWindow);
            continue;
        }
        repeated.push_back({kind.level, kind.target, kind.message, std::exchange(kind.left_out, 0)});
        kind.since = now;
        kind.written = 0;
    }
    return repeated;
}

}  // namespace culvert::log
