#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/observability/constants.h"
#include "culvert/observability/log.h"

namespace culvert::log {

/// Leaves out lines of a kind that come again and again, and counts them: what somebody far away can bring about must
/// not fill a disk, nor bury what else there is to read. A kind is level, target and message; fields do not count.
/// Lines below INFO always pass: whoever asks for them wants them all.
class RepeatLimiter {
public:
    using Clock = std::chrono::steady_clock;

    /// Lines of one kind that pass in each kRepeatWindow.
    static constexpr unsigned kWarnings = 10;
    /// More than one device can bring about with what it is allowed to ask: who does what must stay readable.
    static constexpr unsigned kInfos = 2000;
    /// Kinds that are told apart; further ones share one budget. Our programs have some hundred.
    static constexpr std::size_t kMaxKinds = 512;

    /// Whether the line may be written; if not, it is counted.
    [[nodiscard]] bool admit(Level level, std::string_view target, std::string_view message, Clock::time_point now);

    /// Lines of one kind that were left out.
    struct Repeated {
        Level level;
        std::string target;
        std::string message;
        std::uint64_t count;
    };
    /// What was left out in windows that are over, once; at the end of the program in all of them. In the order of the
    /// kinds' names. Cheap when there is nothing.
    [[nodiscard]] std::vector<Repeated> take_finished(Clock::time_point now) { return take(now, false); }
    [[nodiscard]] std::vector<Repeated> take_all(Clock::time_point now) { return take(now, true); }

private:
    struct Kind {
        Level level;
        std::string target;
        std::string message;
        Clock::time_point since;
        unsigned written = 0;
        std::uint64_t left_out = 0;
    };

    [[nodiscard]] Kind& find(Level level, std::string_view target, std::string_view message, Clock::time_point now);
    [[nodiscard]] std::vector<Repeated> take(Clock::time_point now, bool all);
    void forget_old(Clock::time_point now);

    std::map<std::string, Kind, std::less<>> kinds_;
    /// When the first window with something left out is over.
    Clock::time_point next_report_ = Clock::time_point::max();
};

}  // namespace culvert::log
