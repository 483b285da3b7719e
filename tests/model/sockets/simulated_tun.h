#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>

#include <sys/uio.h>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/packet/coalescer.h"
#include "tests/model/sockets/kernel_faults.h"

namespace culvert::model {

/// What a kernel did with packets of a TUN besides passing them on.
struct TunLosses {
    std::uint64_t overflowed = 0;            ///< the interface's queue was full
    std::map<int, std::uint64_t> refused{};  ///< writes, by errno: the program was told
};

/// The kernel's side of a TUN device with IFF_VNET_HDR.
class SimulatedTun {
public:
    /// Packets in the interface's queue, like txqueuelen.
    static constexpr std::size_t kQueueLength = 1000;

    /// A packet that an application sends into the tunnel. False if there was no room.
    bool submit(ByteSpan packet);
    /// The interface is deleted.
    void remove() { is_removed_ = true; }

    /// Like the system calls: the number of bytes, or the errno, negated.
    ssize_t read(MutableByteSpan buffer, const KernelFaults& faults, Rng& rng);
    /// Appends the packets that applications get to see to `delivered`; super-packets are cut.
    ssize_t write(std::span<const iovec> pieces, const KernelFaults& faults, Rng& rng, std::deque<Bytes>& delivered,
                  TunLosses& losses);

    [[nodiscard]] bool is_readable() const { return is_removed_ || !trains_.empty() || !waiting_.empty(); }

private:
    void assemble(const KernelFaults& faults, Rng& rng);

    std::deque<Bytes> waiting_;
    /// Ready to be read, each with its virtio-net header.
    std::deque<Bytes> trains_;
    packet::Coalescer segments_;
    bool is_removed_ = false;
};

}  // namespace culvert::model
