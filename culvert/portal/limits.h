#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace culvert::portal {

/// How much of the portal one party may take up, for administrators to change. What is not worth
/// a knob is in constants.h.
struct Limits {
    /// Of one actor or site. Each takes an address in the tunnel for as long as it is remembered.
    std::size_t devices_per_owner = 2000;
    /// Connections at a time.
    std::size_t sessions_per_token = 4000;
    /// Connections per second with one token from one address. What exceeds it is answered with 503.
    std::uint32_t logins_per_second = 1;
    /// Devices that were not seen for so long are deleted; never one that is connected.
    std::chrono::seconds forget_devices_after = std::chrono::days{90};
};

/// The least that forget_devices_after may be: a portal that was off for a weekend must not forget everybody.
inline constexpr std::chrono::seconds kMinForgetDevicesAfter = std::chrono::days{7};

}  // namespace culvert::portal
