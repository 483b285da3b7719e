#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/base/time.h"

/// Times and sizes of the relay's data plane; those of TURN are in culvert/turn/server/constants.h. Ours to choose.
namespace culvert::relay {

/// How long everybody waits for a socket that takes nothing, before what is left for it is dropped. Dropping at once
/// would cost the tunnelled connections dearly, waiting for long would starve everybody else.
inline constexpr Duration kPatience = std::chrono::milliseconds{5};

/// Bytes in the kernel, each way: of the listen port, and of an allocation's, of which there may be thousands.
inline constexpr std::size_t kListenBuffer = 16 * 1024 * 1024;
inline constexpr std::size_t kAllocationBuffer = 2 * 1024 * 1024;
/// Messages, each of up to 64 datagrams, that are received at once.
inline constexpr std::size_t kMessagesAtOnce = 64;

/// UDP_SEGMENT does not fragment, so longer datagrams travel alone (1500 less IPv6 and UDP headers).
inline constexpr std::size_t kMaxTrainSegmentSize = 1452;
/// How far back to look for a flow's last train. Traffic of more flows at once just makes shorter trains.
inline constexpr std::size_t kSearchDepth = 16;

}  // namespace culvert::relay
