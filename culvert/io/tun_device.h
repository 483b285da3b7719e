#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "culvert/io/io_error.h"
#include "culvert/io/kernel.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/tun_packet.h"

namespace culvert::io {

/// A Linux TUN interface that exchanges super-packets with the kernel (IFF_VNET_HDR and the TUNSETOFFLOAD flags it
/// accepts). Source: spec/io-and-performance.md sections 5.1, 13.2, 13.3 and 13.9.
class TunDevice {
public:
    struct Options {
        std::string name;
        bool use_offload = true;
        /// Each further open() of the same name by this process adds a queue. All or none must say so.
        bool has_several_queues = false;
    };

    /// Creates the interface, and /dev/net/tun first if it is missing. The error is for a person: what failed, why and
    /// what to do.
    [[nodiscard]] static std::expected<TunDevice, std::string> open(const Options& options);

    /// Takes over a descriptor of another kernel that speaks like a TUN device with IFF_VNET_HDR.
    TunDevice(KernelDescriptor fd, std::string name, bool has_tcp_offload, bool has_udp_offload);

    /// The next packet or super-packet; nullopt if there is none (or it was unusable: see `errors`, and call again if
    /// `should_retry()`). The memory is valid, and the caller's to change, until the next call.
    [[nodiscard]] std::optional<packet::TunPacket> read(ErrorBatch& errors);

    /// Whether the last read() without result should be repeated at once.
    [[nodiscard]] bool should_retry() const { return should_retry_; }

    /// Whether somebody has removed the interface; nothing can be read or written any more.
    [[nodiscard]] bool is_gone() const { return is_gone_; }

    /// Writes everything in `packets` and clears it. What the kernel refuses is counted and dropped; merged packets
    /// that it refuses as such are written one by one.
    void write(packet::Coalescer& packets, ErrorBatch& errors);

    /// Packets that got lost here so far.
    struct Dropped {
        std::uint64_t unusable = 0;  ///< read: of a kind that was never offered to be handled
        std::uint64_t refused = 0;   ///< the kernel did not want to take them
    };
    [[nodiscard]] const Dropped& dropped() const { return dropped_; }

    /// Tells `packets` what may be merged for this device.
    void configure(packet::Coalescer& packets) const;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool has_tcp_offload() const { return has_tcp_offload_; }

private:
    void write_single(ByteSpan packet, ErrorBatch& errors);
    /// 0 or the errno.
    int write(std::span<const iovec> pieces);

    KernelDescriptor fd_;
    std::string name_;
    bool has_tcp_offload_;
    bool has_udp_offload_;
    bool should_retry_ = false;
    bool is_gone_ = false;
    Dropped dropped_;
    std::unique_ptr<std::byte[]> read_buffer_;
};

}  // namespace culvert::io
