#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>

#include "culvert/base/rng.h"
#include "culvert/io/kernel.h"
#include "culvert/net/transmit.h"
#include "tests/model/sockets/kernel_faults.h"

namespace culvert::model {

/// A datagram on its way from the network to a program.
struct Arrival {
    net::SocketAddress local;
    net::SocketAddress from;
    net::Ecn ecn = net::Ecn::kNotEct;
    Bytes payload;
};

/// A datagram that left a program by one of its ports.
struct Departure : net::Transmit {
    std::uint16_t port = 0;
};

/// What a kernel did with datagrams besides passing them on.
struct UdpLosses {
    std::uint64_t overflowed = 0;            ///< the receive buffer was full
    std::uint64_t discarded = 0;             ///< waited in the receive buffer when the socket was closed
    std::map<int, std::uint64_t> refused{};  ///< by errno: the program was told
};

/// The kernel's side of one UDP socket: a bounded receive buffer, and a way out that is blocked now and then.
class SimulatedUdp {
public:
    SimulatedUdp(const io::UdpOptions& options, std::uint16_t port) : options_{options}, port_{port} {}

    [[nodiscard]] net::Family family() const { return options_.bind.family(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// False if there was no room.
    bool deliver(Arrival arrival);
    /// Like the system calls: the number of messages, or the errno, negated.
    int receive(std::span<mmsghdr> messages, const KernelFaults& faults, Rng& rng);
    /// Appends what is accepted to `sent`, one entry per datagram.
    int send(std::span<const mmsghdr> messages, const KernelFaults& faults, Rng& rng, Instant now,
             const std::map<net::SocketAddress, int>& refused_destinations, std::deque<Departure>& sent,
             UdpLosses& losses);

    [[nodiscard]] bool is_readable() const { return !waiting_.empty(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// Unset: writable. Otherwise when it will be.
    [[nodiscard]] std::optional<Instant> blocked_until() const { return blocked_until_; }
    void block_until(std::optional<Instant> until) { blocked_until_ = until; }

private:
    void fill(mmsghdr& message, const KernelFaults& faults, Rng& rng);
    /// What the next message is refused with; 0 if it is accepted.
    int refusal(const net::Transmit& message, std::uint16_t segment_size, const KernelFaults& faults, Rng& rng,
                const std::map<net::SocketAddress, int>& refused_destinations) const;

    io::UdpOptions options_;
    std::uint16_t port_;
    std::deque<Arrival> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::optional<Instant> blocked_until_;
    /// A refusal that came behind accepted messages: the next call reports it.
    int pending_refusal_ = 0;
};

}  // namespace culvert::model
