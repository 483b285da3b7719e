#pragma once

#include <string_view>
#include <vector>

#include "culvert/observability/log.h"

namespace culvert::log {

/// A line whose fields depend on what there is. Logger (log.h) is for all others.
inline void write_line(Level level, std::string_view target, std::string_view message,
                       const std::vector<TextField>& fields) {
    if (level >= detail::most_verbose.load(std::memory_order_relaxed) && detail::is_enabled(level, target)) {
        detail::write(level, target, message, fields);
    }
}

}  // namespace culvert::log
