#pragma once

#include <functional>
#include <string>

#include "culvert/observability/filter.h"

/// Where log lines go. Until init() or set_sink() is called nothing is logged at all.
namespace culvert::log {

enum class Format { kHuman, kJson };

struct Options {
    Filter filter;
    Format format = Format::kHuman;
    /// Also write rotating files to this folder; empty: stderr only.
    std::string directory;
    /// Name of the file inside `directory`, without extension.
    std::string file_name = "culvert";
};

/// Sends lines to stderr (and files). Call once, before threads start. Throws std::runtime_error if the folder cannot
/// be written to.
void init(const Options& options);

/// Replaces what decides about lines while the program runs.
void set_filter(Filter filter);

/// Hands every wanted line, formatted as human text without time, to `sink` instead: for tests and simulators.
void set_sink(Filter filter, std::function<void(Level, const std::string& line)> sink);

/// Formats one line without time stamp: `LEVEL target: message key=value`.
[[nodiscard]] std::string format_human(Level level, std::string_view target, std::string_view message,
                                       const std::vector<TextField>& fields);

/// Formats one JSON object with `severity`, `message`, `target` and fields; `time` (RFC 3339, UTC) if not empty.
[[nodiscard]] std::string format_json(Level level, std::string_view target, std::string_view message,
                                      const std::vector<TextField>& fields, std::string_view time);

}  // namespace culvert::log
