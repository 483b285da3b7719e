#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "culvert/observability/log.h"

namespace culvert::log {

/// While it lives, hands every line that this thread logs at `level` or above to `receiver` instead of the process's
/// sink: for tests, and for simulators that count severities and know the time.
///
///     log::CaptureScope capture{log::Level::kWarn, [&](log::Level level, std::string_view target,
///                                                      std::string_view message,
///                                                      const std::vector<log::TextField>& fields) { ... }};
///
/// Scopes nest: the innermost decides alone, and gets back to the outer one when it ends. What a receiver logs itself
/// goes to the outer scope; it must not throw. Ends on the thread where it began, innermost first.
class CaptureScope {
public:
    using Receiver = std::function<void(Level level, std::string_view target, std::string_view message,
                                        const std::vector<TextField>& fields)>;

    CaptureScope(Level level, Receiver receiver);
    ~CaptureScope();
    CaptureScope(const CaptureScope&) = delete;
    CaptureScope& operator=(const CaptureScope&) = delete;

    /// The innermost scope of this thread, null if there is none.
    [[nodiscard]] static const CaptureScope* current();

    [[nodiscard]] Level level() const { return level_; }
    void write(Level level, std::string_view target, std::string_view message,
               const std::vector<TextField>& fields) const;

private:
    Level level_;
    Receiver receiver_;
    const CaptureScope* outer_;
};

}  // namespace culvert::log
