#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "culvert/observability/log.h"

namespace culvert::log {

/// Where the log lines of a process go. Used by all threads at the same time.
class Sink {
public:
    virtual ~Sink() = default;

    /// The most verbose level that any target may use: what is below never reaches the sink.
    [[nodiscard]] virtual Level most_verbose() const = 0;
    [[nodiscard]] virtual Level level_for(std::string_view target) const = 0;
    virtual void write(Level level, std::string_view target, std::string_view message,
                       const std::vector<TextField>& fields) const = 0;
};

/// Replaces the sink of the process; null, as at the start, drops everything. See log_setup.h for the one that programs
/// use.
void install_sink(std::shared_ptr<const Sink> sink);
[[nodiscard]] std::shared_ptr<const Sink> installed_sink();

}  // namespace culvert::log
