#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "culvert/io/io_error.h"
#include "culvert/io/kernel.h"
#include "culvert/net/ecn.h"

namespace culvert::io {

/// Reads datagrams in batches, into one piece of memory for all UDP sockets of a thread.
/// Source: spec/io-and-performance.md section 3.4.
class ReceiveRing {
public:
    /// `max_messages`: of one receive(). Memory is taken only as far as traffic needs it.
    explicit ReceiveRing(std::size_t max_messages);
    ReceiveRing(ReceiveRing&&) noexcept;
    ~ReceiveRing();

    /// One or more datagrams from one sender that the kernel has joined (UDP_GRO): `stride` bytes each, the last may be
    /// shorter. A single one may be empty.
    struct Received {
        net::SocketAddress from;
        std::optional<net::IpAddress> local;  ///< unset if the kernel does not say
        net::Ecn ecn;
        std::size_t stride;
        MutableByteSpan bytes;

        [[nodiscard]] std::size_t datagrams() const { return bytes.empty() ? 1 : (bytes.size() + stride - 1) / stride; }
    };

    /// Everything that one recvmmsg() gives; empty if there is nothing to read. The memory is valid, and the caller's
    /// to change, until the next call.
    [[nodiscard]] std::span<Received> receive(const KernelDescriptor& socket, ErrorBatch& errors);

    /// Whether the last receive() gave as much as it could: there may be more.
    [[nodiscard]] bool was_full() const { return was_full_; }

private:
    struct Slots;

    std::size_t max_messages_;
    /// Messages of the next call: few once they are long, so that what is read still fits into the cache.
    std::size_t next_messages_;
    bool was_full_ = false;
    std::unique_ptr<Slots> slots_;
};

}  // namespace culvert::io
