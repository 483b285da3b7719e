#pragma once

#include <cstdint>

#include "culvert/base/time.h"

namespace culvert::model {

/// How often a simulated kernel does not do what a program would like best. Rates in per mille of calls, or of the
/// items of a call where it says so; none at first. Source: spec/testing.md section 7.3, "I/O layer".
struct KernelFaults {
    /// Any call fails with EINTR before it does anything.
    std::uint16_t interrupted = 0;

    /// sendmmsg() takes only some of the messages and says so.
    std::uint16_t partial_send = 0;
    /// Per message: the socket's buffer is full; it takes more after up to `longest_block`.
    std::uint16_t would_block = 0;
    Duration longest_block = std::chrono::milliseconds{20};
    /// Per message: refused with ENOBUFS, EMSGSIZE, EPERM or ENETUNREACH.
    std::uint16_t send_refused = 0;
    /// What every message with UDP_SEGMENT fails with: EIO or EINVAL. 0: none.
    int segmentation_error = 0;

    /// recvmmsg() gives fewer messages than there are.
    std::uint16_t partial_receive = 0;
    /// Per message: what can be merged into one train comes as one (UDP_GRO).
    std::uint16_t coalesced_receive = 0;

    /// Per packet written to the TUN: refused with EAGAIN (its queue is full), EIO (it is down) or ENOBUFS.
    std::uint16_t tun_refused = 0;
    /// read() of the TUN fails with EIO.
    std::uint16_t tun_read_failed = 0;
    /// Per packet: what applications sent in a row comes as one super-packet.
    std::uint16_t tun_super_packet = 0;
    /// Super-packets written to the TUN are refused with EINVAL.
    bool refuses_super_packets = false;
};

}  // namespace culvert::model
