#pragma once

#include <chrono>

/// Times of log lines. All ours to choose.
namespace culvert::log {

/// In which lines of one kind are counted that may be written.
inline constexpr std::chrono::seconds kRepeatWindow{30};

}  // namespace culvert::log
