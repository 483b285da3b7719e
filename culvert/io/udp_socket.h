#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "culvert/io/io_error.h"
#include "culvert/io/kernel.h"
#include "culvert/net/ecn.h"
#include "culvert/net/transmit_queue.h"

namespace culvert::io {

/// A non-blocking UDP socket of one address family that moves trains of datagrams: UDP_GRO on the way in, UDP_SEGMENT
/// on the way out. Where the network card refuses to segment, this is switched off; where only a route does, just the
/// train concerned leaves in single datagrams.
/// Source: spec/io-and-performance.md section 3.
class UdpSocket {
public:
    using Options = UdpOptions;

    /// Messages of one receive() call.
    static constexpr std::size_t kMaxMessages = 8;

    [[nodiscard]] static std::expected<UdpSocket, std::error_code> open(const Options& options,
                                                                        Kernel& kernel = linux_kernel());

    /// One or more datagrams from one sender: `stride` bytes each, the last may be shorter.
    struct Received {
        net::SocketAddress from;
        net::SocketAddress local;
        net::Ecn ecn;
        std::size_t stride;
        MutableByteSpan bytes;
    };

    /// Everything that one recvmmsg() gives; empty if there is nothing to read. The memory is valid, and the caller's
    /// to change, until the next call. Messages without local address or from port 0 are dropped and counted: ICE could
    /// not use them.
    [[nodiscard]] std::span<Received> receive(ErrorBatch& errors);

    enum class SendResult : std::uint8_t {
        kDone,        ///< nothing of this family is at the front of the queue any more
        kWouldBlock,  ///< wait until the socket is writable, then call again
    };

    /// Sends batches from the front of `queue` for as long as they are of this socket's family. A batch that fails is
    /// dropped, counted in `errors`, and the next one is tried.
    SendResult send(net::TransmitQueue& queue, ErrorBatch& errors);

    /// What has left so far.
    struct Sent {
        std::uint64_t calls = 0;
        std::uint64_t datagrams = 0;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] const Sent& sent() const { return sent_; }

    /// Datagrams that got lost here so far.
    struct Dropped {
        std::uint64_t unusable = 0;  ///< received: empty, from port 0, or without local address
        std::uint64_t refused = 0;   ///< the kernel did not want to send them
    };
    [[nodiscard]] const Dropped& dropped() const { return dropped_; }

    /// Bytes of the queue's front batch that have left already, after a send() that would have blocked.
    [[nodiscard]] std::size_t sent_of_front() const { return sent_of_front_; }

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] net::Family family() const { return family_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] bool is_gso_enabled() const { return max_segments_ > 1; }

private:
    struct ReceiveRing;
    struct SendRing;

    explicit UdpSocket(Kernel::UdpSocketOpened opened, net::Family family);

    [[nodiscard]] std::size_t chunk_segments(const net::TransmitQueue::Batch& batch, bool is_front) const;
    void pop(net::TransmitQueue& queue, std::size_t batches);
    bool handle_send_failure(int error_number, std::size_t segments, ErrorBatch& errors);

    KernelDescriptor fd_;
    net::Family family_;
    std::uint16_t port_;
    std::size_t max_segments_;
    /// Bytes of the front batch that have left already, after a partial send.
    std::size_t sent_of_front_ = 0;
    /// The kernel refused to cut the front batch: it leaves in single datagrams.
    bool is_front_unjoined_ = false;
    Sent sent_;
    Dropped dropped_;

    struct Deleter {
        void operator()(ReceiveRing* ring) const;
        void operator()(SendRing* ring) const;
    };
    std::unique_ptr<ReceiveRing, Deleter> receive_ring_;
    std::unique_ptr<SendRing, Deleter> send_ring_;
};

}  // namespace culvert::io
