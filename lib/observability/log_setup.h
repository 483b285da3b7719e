#pragma once

#include <string>

#include "culvert/observability/filter.h"

/// Log output of a program. Until init() is called nothing is logged at all.
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

/// Replaces what decides about lines while the program runs. Does nothing before init().
void set_filter(Filter filter);

}  // namespace culvert::log
