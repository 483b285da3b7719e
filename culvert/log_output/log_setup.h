#pragma once

#include <string>

#include "culvert/observability/filter.h"

/// Log output of a program. Until init() is called nothing is logged at all.
namespace culvert::log {

enum class Format { kHuman, kJson };

struct LogOptions {
    LevelFilter filter;
    Format format = Format::kHuman;
    /// Also write rotating files to this folder; empty: stderr only.
    std::string directory;
    /// Name of the file inside `directory`, without extension.
    std::string file_name = "culvert";
};

/// Sends lines to stderr (and files), at once. Call once, before threads start. Throws std::runtime_error if the folder
/// cannot be written to.
///
/// Of lines of one kind from INFO on only some pass within half a minute; the others are counted and reported with
/// `repeated=` (repeat_limiter.h).
void init(const LogOptions& options);

/// From now on nobody who logs waits for whoever reads: a thread writes, and what it cannot get rid of is lost and
/// counted (line_writer.h). At the end of the program, and when it crashes, what is left gets a moment to get out.
///
/// Call after init(), when the program has taken off its privileges and before its loops start. Does nothing the second
/// time, and before init(). Throws std::system_error if there can be no thread.
void write_in_background();

/// Replaces what decides about lines while the program runs. Does nothing before init().
void set_filter(LevelFilter filter);

}  // namespace culvert::log
