#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "culvert/io/kernel.h"
#include "culvert/io/socket_address.h"
#include "culvert/observability/log.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

class LinuxKernel final : public Kernel {
public:
    std::expected<UdpSocketOpened, std::error_code> open_udp(const UdpOptions& options) override;
    void close(int fd) override { ::close(fd); }

    int recvmmsg(int fd, std::span<mmsghdr> messages) override {
        return ::recvmmsg(fd, messages.data(), static_cast<unsigned>(messages.size()), MSG_DONTWAIT, nullptr);
    }
    int sendmmsg(int fd, std::span<mmsghdr> messages) override {
        return ::sendmmsg(fd, messages.data(), static_cast<unsigned>(messages.size()), MSG_DONTWAIT);
    }
    ssize_t read(int fd, MutableByteSpan buffer) override { return ::read(fd, buffer.data(), buffer.size()); }
    ssize_t writev(int fd, std::span<const iovec> pieces) override {
        return ::writev(fd, pieces.data(), static_cast<int>(pieces.size()));
    }

    int epoll_create() override { return ::epoll_create1(EPOLL_CLOEXEC); }
    int epoll_add(int epoll, int fd, std::uint64_t token) override {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = token;
        return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    int epoll_wait(int epoll, std::span<epoll_event> events) override {
        return ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 0);
    }
};

template <typename T>
bool set_option(int fd, int level, int name, const T& value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// The *FORCE options ignore net.core.*mem_max but need CAP_NET_ADMIN.
void set_buffer_size(int fd, int force_option, int plain_option, std::size_t bytes, const char* what) {
    const int wanted = static_cast<int>(std::min<std::size_t>(bytes, 1U << 30));
    if (!set_option(fd, SOL_SOCKET, force_option, wanted)) {
        set_option(fd, SOL_SOCKET, plain_option, wanted);
    }
    int effective = 0;
    socklen_t length = sizeof effective;
    ::getsockopt(fd, SOL_SOCKET, plain_option, &effective, &length);
    kLog.debug("Socket buffer", log::field("kind", std::string_view{what}), log::field("wanted", wanted),
               log::field("effective", effective / 2));  // the kernel doubles what it stores
}

/// Our datagrams have fixed sizes, which most networks take. Where one does not, whoever meets it cuts them: this
/// kernel for its own interface, of IPv4 each router as well (so that nothing need be believed that ICMP says, which
/// anybody may forge), of IPv6 this kernel again, once a router has told it.
void allow_fragments(int fd, bool is_v4) {
    set_option(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
               is_v4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_DONT);
}

/// Paths are told apart by local address, and their congestion is heard of.
void set_options_for_ice(int fd, bool is_v4) {
    constexpr int kOn = 1;
    if (is_v4) {
        set_option(fd, IPPROTO_IP, IP_PKTINFO, kOn);
        set_option(fd, IPPROTO_IP, IP_RECVTOS, kOn);
    } else {
        set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, kOn);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, kOn);
        // A temporary address would change under established candidates.
        constexpr int kPreferPublic = 0x0002;  // IPV6_PREFER_SRC_PUBLIC
        constexpr int kAddrPreferences = 72;   // IPV6_ADDR_PREFERENCES
        set_option(fd, IPPROTO_IPV6, kAddrPreferences, kPreferPublic);
    }
}

std::error_code last_error() {
    return {errno, std::generic_category()};
}

std::expected<Kernel::UdpSocketOpened, std::error_code> LinuxKernel::open_udp(const UdpOptions& options) {
    const bool is_v4 = options.bind.is_v4();
    UdpSocketOpened socket{
        {*this, ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)}, 0, false};
    if (!socket.fd) {
        return std::unexpected{last_error()};
    }
    const int fd = socket.fd.get();

    constexpr int kOn = 1;
    if (!is_v4) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, kOn);  // both families share a port number
    }
    allow_fragments(fd, is_v4);
    if (!options.is_relay) {
        set_options_for_ice(fd, is_v4);
    }
    if (options.mark != 0 && !set_option(fd, SOL_SOCKET, SO_MARK, options.mark)) {
        kLog.debug("Socket is not marked", log::field("error", last_error().message()));
    }
    set_buffer_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer, "receive");
    set_buffer_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer, "send");
    if (options.use_gro) {
        set_option(fd, SOL_UDP, UDP_GRO, kOn);
    }
    if (options.use_gso) {
        // A trial: succeeds on kernels that know the option. 0 leaves the socket's default alone.
        constexpr int kNoDefaultSegment = 0;
        socket.can_segment = set_option(fd, SOL_UDP, UDP_SEGMENT, kNoDefaultSegment);
    }

    sockaddr_storage address{};
    const auto length = to_sockaddr(options.bind, address);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        return std::unexpected{last_error()};
    }
    sockaddr_storage bound{};
    socklen_t bound_length = sizeof bound;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bound_length) != 0) {
        return std::unexpected{last_error()};
    }
    socket.port = from_sockaddr(bound).port;
    return socket;
}

}  // namespace

Kernel& linux_kernel() {
    static LinuxKernel kernel;
    return kernel;
}

}  // namespace culvert::io
