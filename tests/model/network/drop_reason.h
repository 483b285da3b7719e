#pragma once

#include <cstdint>

namespace culvert::model {

/// Why the simulated Internet lost a datagram.
enum class DropReason : std::uint8_t {
    kNotAttached,         ///< the sender has no network
    kNoSourceAddress,     ///< the sender has no address of the destination's family
    kForeignSource,       ///< the source address is not one of the sender's (any more)
    kNoSuchAddress,       ///< nobody ever had the destination address
    kStaleAddress,        ///< whoever had the destination address has moved on
    kPrivateUnreachable,  ///< the destination is a private address of another LAN
    kTooBig,              ///< longer than a link's MTU
    kLoss,                ///< an impaired link lost it
    kQueueFull,           ///< more than a link's rate for too long
    kBlocked,             ///< the two hosts are blocked from each other
    kFamilyLost,          ///< one of the two hosts has lost this IP family
    kNatNoHairpin,        ///< to the public address of the sender's own NAT, which does not turn packets around
    kNatNoMapping,        ///< to a port of a NAT that is not, or no longer, mapped
    kNatFiltered,         ///< from a remote end that the NAT's filter does not admit
};

}  // namespace culvert::model
