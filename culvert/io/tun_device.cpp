#include "culvert/io/tun_device.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "culvert/io/tun_obstacle.h"
#include "culvert/observability/log.h"
#include "culvert/packet/virtio_net.h"

// Newer than the headers we build with; the kernel refuses what it does not know.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

constexpr std::size_t kHeaderSize = sizeof(packet::VirtioNetHeader);
/// In front of each packet, so that headers can be rebuilt there; places the IP header 16-byte aligned.
constexpr std::size_t kHeadroom = 128;
constexpr std::size_t kMaxPacket = 65535;
constexpr std::size_t kTailroom = 64;

/// Containers often lack the node although the kernel has the driver.
void create_node_if_missing() {
    struct stat status{};
    if (::stat(kTunNode, &status) == 0) {
        return;
    }
    ::mkdir("/dev/net", 0751);
    if (::mknod(kTunNode, S_IFCHR | 0666, makedev(10, 200)) == 0) {
        kLog.info("Created the device node", log::field("path", std::string_view{kTunNode}));
    }
}

}  // namespace

std::expected<TunDevice, std::string> TunDevice::open(const Options& options) {
    const auto what = "cannot create TUN device \"" + options.name + "\"";
    if (options.name.empty() || options.name.size() >= IFNAMSIZ) {
        return std::unexpected{what + ": the name must have 1 to " + std::to_string(IFNAMSIZ - 1) + " characters."};
    }
    create_node_if_missing();

    KernelDescriptor fd{linux_kernel(), ::open(kTunNode, O_RDWR | O_CLOEXEC | O_NONBLOCK)};
    if (!fd) {
        return std::unexpected{what + ": " + explain_node_failure(errno)};
    }
    // Without IFF_MULTI_QUEUE a second process fails with EBUSY instead of silently stealing packets.
    ifreq request{};
    std::memcpy(request.ifr_name, options.name.data(), options.name.size());
    request.ifr_flags =
        static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (options.has_several_queues ? IFF_MULTI_QUEUE : 0));
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
        return std::unexpected{what + ": " + explain_interface_failure(options.name, errno)};
    }
    bool has_tcp_offload = false;
    bool has_udp_offload = false;
    if (options.use_offload) {
        constexpr unsigned long kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
        if (::ioctl(fd.get(), TUNSETOFFLOAD, kTcp | TUN_F_USO4 | TUN_F_USO6) == 0) {
            has_tcp_offload = has_udp_offload = true;
        } else if (::ioctl(fd.get(), TUNSETOFFLOAD, kTcp) == 0) {
            has_tcp_offload = true;
        }
    }
    kLog.debug("Created TUN device", log::field("name", options.name), log::field("tcp_offload", has_tcp_offload),
               log::field("udp_offload", has_udp_offload));
    return TunDevice{std::move(fd), options.name, has_tcp_offload, has_udp_offload};
}

TunDevice::TunDevice(KernelDescriptor fd, std::string name, bool has_tcp_offload, bool has_udp_offload)
    : fd_{std::move(fd)},
      name_{std::move(name)},
      has_tcp_offload_{has_tcp_offload},
      has_udp_offload_{has_udp_offload},
      read_buffer_{std::make_unique_for_overwrite<std::byte[]>(kHeadroom + kMaxPacket + kTailroom)} {}

std::optional<packet::TunPacket> TunDevice::read(ErrorBatch& errors) {
    should_retry_ = false;
    auto* const start = read_buffer_.get() + kHeadroom - kHeaderSize;
    const auto length = fd_.kernel().read(fd_.get(), {start, kHeaderSize + kMaxPacket});
    if (length < 0) {
        if (errno == EINTR) {
            should_retry_ = true;
        } else if (errno == EBADFD) {
            is_gone_ = true;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
            errors.add({Operation::kTunRead, errno});
        }
        return std::nullopt;
    }
    if (static_cast<std::size_t>(length) <= kHeaderSize) {
        should_retry_ = length > 0;
        return std::nullopt;
    }
    packet::VirtioNetHeader header;
    std::memcpy(&header, start, kHeaderSize);
    const auto offload = packet::to_offload(header);
    if (!offload) {
        errors.add({Operation::kTunRead, EPROTONOSUPPORT});
        ++dropped_.unusable;
        should_retry_ = true;
        return std::nullopt;
    }
    return packet::TunPacket{MutableByteSpan{start + kHeaderSize, static_cast<std::size_t>(length) - kHeaderSize},
                             *offload};
}

void TunDevice::write(packet::Coalescer& packets, ErrorBatch& errors) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const auto item = packets.item(i);
        const auto error = write(item.pieces);
        if (error == EINVAL && item.packets > 1) {
            // Some kernels have a bug with merged packets; single ones always work.
            if (has_tcp_offload_ || has_udp_offload_) {
                kLog.info("The kernel refuses merged packets; writing single ones from now on");
                has_tcp_offload_ = has_udp_offload_ = false;
                configure(packets);
            }
            for (const auto packet : packets.packets(i)) {
                write_single(packet, errors);
            }
        } else if (error != 0) {
            errors.add({Operation::kTunWrite, error});
            dropped_.refused += item.packets;
        }
    }
    packets.clear();
}

void TunDevice::write_single(ByteSpan packet, ErrorBatch& errors) {
    packet::VirtioNetHeader header;
    const std::array<iovec, 2> pieces{
        {{&header, sizeof header}, {const_cast<std::byte*>(packet.data()), packet.size()}}};
    if (const auto error = write(pieces); error != 0) {
        errors.add({Operation::kTunWrite, error});
        ++dropped_.refused;
    }
}

int TunDevice::write(std::span<const iovec> pieces) {
    for (;;) {
        if (fd_.kernel().writev(fd_.get(), pieces) >= 0) {
            return 0;
        }
        if (errno != EINTR) {
            return errno;
        }
    }
}

void TunDevice::configure(packet::Coalescer& packets) const {
    packets.set_coalescing(has_tcp_offload_, has_udp_offload_);
}

}  // namespace culvert::io
