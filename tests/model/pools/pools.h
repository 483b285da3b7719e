#pragma once

#include <array>
#include <cstdint>
#include <set>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"

/// Who may use which pools of devices, and what was sent, for world and judge.
namespace culvert::model::pools {

inline constexpr unsigned kClients = 4;
/// The last one keeps no rule.
inline constexpr unsigned kHostile = kClients - 1;
inline constexpr unsigned kPools = 3;
/// What pools permit, of UDP and TCP alike.
inline constexpr std::array<std::uint16_t, 3> kPorts{22, 53, 80};
/// Permitted by a pool without filters alone.
inline constexpr std::uint16_t kOtherPort = 9;

/// What administrators have said of a pool.
struct Pool {
    std::set<unsigned> users;
    std::set<unsigned> members;
    std::set<std::uint16_t> ports;  ///< Empty: everything.

    [[nodiscard]] bool permits(unsigned user, unsigned member, std::uint16_t port) const {
        return user != member && users.contains(user) && members.contains(member) &&
               (ports.empty() || ports.contains(port));
    }
};
using Pools = std::array<Pool, kPools>;

/// A packet of an application, or one that the hostile client made.
struct Sent {
    unsigned from;
    unsigned to;
    std::uint8_t protocol;
    net::IpAddress source;
    net::IpAddress destination;
    std::uint16_t source_port;  ///< Of echoes: 0, as the destination's.
    std::uint16_t destination_port;
};

}  // namespace culvert::model::pools
