#pragma once

#include <chrono>

/// How long the end of a program waits for its log lines to get out. Ours to choose.
namespace culvert::log {

inline constexpr std::chrono::milliseconds kFlushTime{1000};
/// The same when it crashes.
inline constexpr std::chrono::milliseconds kCrashFlushTime{500};

}  // namespace culvert::log
