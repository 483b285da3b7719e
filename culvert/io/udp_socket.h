#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <system_error>

#include "culvert/io/io_error.h"
#include "culvert/io/kernel.h"
#include "culvert/io/receive_ring.h"
#include "culvert/io/send_ring.h"
#include "culvert/net/transmit_queue.h"

namespace culvert::io {

/// A non-blocking UDP socket of one address family that moves trains of datagrams: UDP_GRO on the way in, UDP_SEGMENT
/// on the way out. Where the network card refuses to segment, this is switched off; where only a route does, just the
/// train concerned leaves in single datagrams. Small: its buffers are rings that all sockets of a thread share.
/// Source: spec/io-and-performance.md section 3.
class UdpSocket {
public:
    using Options = UdpOptions;
    using Received = ReceiveRing::Received;

    [[nodiscard]] static std::expected<UdpSocket, std::error_code> open(const Options& options,
                                                                        Kernel& kernel = linux_kernel());

    /// Everything that one recvmmsg() gives, see ReceiveRing. What nobody could answer is dropped and counted: messages
    /// from port 0, and unless the socket is a relay's, empty ones and those without local address.
    [[nodiscard]] std::span<Received> receive(ReceiveRing& ring, ErrorBatch& errors);

    enum class SendResult : std::uint8_t {
        kDone,        ///< nothing of this family is at the front any more
        kWouldBlock,  ///< wait until the socket is writable, then call again
    };

    /// Sends `trains` in order, from `position` on, and moves that. What the kernel refuses is dropped, counted in
    /// `errors`, and the next is tried. Requires that all are of this socket's family.
    SendResult send(std::span<const Train> trains, SendPosition& position, SendRing& ring, ErrorBatch& errors);

    /// The same for batches from the front of `queue`, for as long as they are of this socket's family.
    SendResult send(net::TransmitQueue& queue, SendRing& ring, ErrorBatch& errors);

    /// What has left so far.
    struct Sent {
        std::uint64_t calls = 0;
        std::uint64_t datagrams = 0;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] const Sent& sent() const { return sent_; }

    /// Datagrams that got lost here so far.
    struct Dropped {
        std::uint64_t unusable = 0;  ///< received, see receive()
        std::uint64_t refused = 0;   ///< the kernel did not want to send them
    };
    [[nodiscard]] const Dropped& dropped() const { return dropped_; }

    /// Datagrams of the queue's front batch that have left already, after a send() that would have blocked.
    [[nodiscard]] std::size_t sent_of_front() const { return front_.segments; }

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] net::Family family() const { return family_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] bool is_gso_enabled() const { return max_segments_ > 1; }

private:
    UdpSocket(Kernel::UdpSocketOpened opened, const Options& options);

    [[nodiscard]] bool is_usable(const Received& message) const;
    bool handle_send_failure(int error_number, std::size_t segments, SendPosition& position, ErrorBatch& errors);

    KernelDescriptor fd_;
    net::Family family_;
    bool is_relay_;
    std::uint16_t port_;
    std::size_t max_segments_;
    /// How much of the queue's front has left.
    SendPosition front_;
    Sent sent_;
    Dropped dropped_;
};

}  // namespace culvert::io
