#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <expected>
#include <span>
#include <system_error>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/io/constants.h"
#include "culvert/net/socket_address.h"

namespace culvert::io {

struct UdpOptions {
    net::SocketAddress bind;
    /// 0: no mark. A mark needs CAP_NET_ADMIN; without it the socket works unmarked.
    std::uint32_t mark = 0;
    std::size_t receive_buffer = kReceiveBufferSize;
    std::size_t send_buffer = kSendBufferSize;
    bool use_gso = true;
    bool use_gro = true;
    /// Passes on datagrams of others: of any size, so the network may fragment them, and by whichever address of the
    /// host they come.
    bool is_relay = false;
};

class KernelDescriptor;

/// The system calls of the data path: the lowest seam at which another kernel fits under the sockets, the TUN device
/// and the event loop. The simulator of `tests/model` puts one with faults and virtual time there.
///
/// The functions that are named like system calls behave like them: -1 and errno on failure, never blocking. One
/// virtual call moves a whole batch.
class Kernel {
public:
    virtual ~Kernel() = default;

    struct UdpSocketOpened;
    /// A bound UDP socket with every option of spec/io-and-performance.md section 3.1.
    [[nodiscard]] virtual std::expected<UdpSocketOpened, std::error_code> open_udp(const UdpOptions& options) = 0;
    virtual void close(int fd) = 0;

    virtual int recvmmsg(int fd, std::span<mmsghdr> messages) = 0;
    virtual int sendmmsg(int fd, std::span<mmsghdr> messages) = 0;
    virtual ssize_t read(int fd, MutableByteSpan buffer) = 0;
    virtual ssize_t writev(int fd, std::span<const iovec> pieces) = 0;

    /// For who waits for more sockets than ppoll() likes: reports `token` for as long as there is something to read,
    /// and no more once the socket is closed. The descriptor is readable itself while there is something to report.
    [[nodiscard]] virtual int epoll_create() = 0;
    virtual int epoll_add(int epoll, int fd, std::uint64_t token) = 0;
    virtual int epoll_wait(int epoll, std::span<epoll_event> events) = 0;
};

/// The one the process runs on.
[[nodiscard]] Kernel& linux_kernel();

/// Owns a descriptor of some kernel and closes it.
class KernelDescriptor {
public:
    KernelDescriptor(Kernel& kernel, int fd) : kernel_{&kernel}, fd_{fd} {}
    ~KernelDescriptor() { close(); }
    KernelDescriptor(KernelDescriptor&& other) noexcept : kernel_{other.kernel_}, fd_{std::exchange(other.fd_, -1)} {}
    KernelDescriptor& operator=(KernelDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            kernel_ = other.kernel_;
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }

    [[nodiscard]] Kernel& kernel() const { return *kernel_; }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    void close() {
        if (fd_ >= 0) {
            kernel_->close(std::exchange(fd_, -1));
        }
    }

    Kernel* kernel_;
    int fd_;
};

struct Kernel::UdpSocketOpened {
    KernelDescriptor fd;
    std::uint16_t port;
    bool can_segment;  ///< UDP_SEGMENT is known and wanted
};

}  // namespace culvert::io
