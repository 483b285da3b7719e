#pragma once

#include <chrono>

#include "culvert/base/time.h"

/// Times of setting the machine's DNS and of watching it. All ours to choose.
namespace culvert::os_dns {

/// How long the keeper may take to say whom the machine asks, and to put everything back.
inline constexpr std::chrono::milliseconds kKeeperStartLimit{15'000};
inline constexpr std::chrono::milliseconds kKeeperEndLimit{4'000};

/// A change of resolvers often comes in several steps.
inline constexpr Duration kResolversSettling = std::chrono::milliseconds{100};
/// Whoever creates a file writes it a moment later.
inline constexpr Duration kFileSettling = std::chrono::milliseconds{100};

/// Between two tries to get the lock of /etc/resolv.conf.
inline constexpr std::chrono::milliseconds kLockPause{100};
/// systemd-resolved hears of a new interface from the kernel, a moment after us: how often and in which distance it is
/// told.
inline constexpr int kLinkAttempts = 20;
inline constexpr std::chrono::milliseconds kLinkPause{100};

}  // namespace culvert::os_dns
