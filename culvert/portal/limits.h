#pragma once

#include <chrono>
#include <cstddef>

#include "culvert/portal/pace.h"

namespace culvert::portal {

/// How much of the portal one party may take up, for administrators to change. What is not here is not worth a knob and
/// stands where it is enforced.
struct Limits {
    /// Of one actor or site. Each takes an address in the tunnel for as long as it is remembered.
    std::size_t devices_per_owner = 2000;
    /// Connections at a time.
    std::size_t sessions_per_token = 4000;
    /// Devices that were not seen for so long are deleted; never one that is connected.
    std::chrono::seconds forget_devices_after = std::chrono::days{90};
};

/// Frames that are read of one device, and of all devices of one owner (actor, site; relays: token) together. More are
/// read later: nothing is lost, and whoever sends at full speed waits for himself. A long frame counts as one for each
/// kFrameUnit that it begins.
struct FrameRates {
    Rate session;
    Rate owner;
};
inline constexpr std::size_t kFrameUnit = 4096;
/// A client asks once in 2 s for each resource, and signals a few dozen candidates for each connection.
inline constexpr FrameRates kClientFrames{.session = {50, 500}, .owner = {300, 5000}};
/// A gateway answers for all of its clients, at once when the portal was away.
inline constexpr FrameRates kGatewayFrames{.session = {1000, 5000}, .owner = {2000, 20'000}};
inline constexpr FrameRates kRelayFrames{.session = {10, 100}, .owner = {100, 1000}};

/// Connections of one owner. What exceeds it is answered with 503.
inline constexpr Rate kConnects{50, 500};
/// Of one connection. Each is answered with everything a device may know, which is dear.
inline constexpr Rate kJoins{1, 10};
/// Of all connections of one owner: twice as many as it may open.
inline constexpr Rate kOwnerJoins{100, 1000};
/// Requests for access of one client. Ten times what the busiest one asks for.
inline constexpr Rate kFlows{20, 256};
/// Of all clients of one owner: two each when a fleet of the largest size comes back at once.
inline constexpr Rate kOwnerFlows{200, 4000};
/// That one gateway is asked, whoever asks: more than one owner may ask, so that others still get through.
inline constexpr Rate kAsked{1000, 10'000};
/// The longest that one device waits for what others of its owner have sent: heartbeats must get through.
inline constexpr std::chrono::seconds kLongestOwnerPause{2};

/// The least that forget_devices_after may be: a portal that was off for a weekend must not forget everybody.
inline constexpr std::chrono::seconds kMinForgetDevicesAfter = std::chrono::days{7};

/// How long a device that is not seen keeps others from using its public key. Keys are random, so an honest device
/// never presents another's; but one that knows a key must not take it while its owner may come back with it.
inline constexpr std::chrono::seconds kPublicKeyKept = std::chrono::days{30};

/// How long nobody gets the addresses of a deleted device: gateways may still hold what they granted to it, and hosts
/// behind them may have noted the address.
inline constexpr std::chrono::seconds kAddressQuarantine = std::chrono::days{7};

}  // namespace culvert::portal
