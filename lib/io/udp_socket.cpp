#include "culvert/io/udp_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

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

constexpr std::size_t kReceiveBytes = 65536;
constexpr std::size_t kSendMessages = 32;
/// Room for packet info, traffic class and segment size, of either family.
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) * 2;

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

std::error_code last_error() {
    return {errno, std::generic_category()};
}

template <typename T>
void append_control(msghdr& message, int level, int type, const T& value) {
    // msg_control points at the start of the block; msg_controllen counts what is in use.
    auto* header = reinterpret_cast<cmsghdr*>(static_cast<std::byte*>(message.msg_control) + message.msg_controllen);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    message.msg_controllen += CMSG_SPACE(sizeof value);
}

void append_source(msghdr& message, const net::IpAddress& source) {
    const auto bytes = source.bytes();
    if (source.is_v4()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, bytes.data(), bytes.size());
        append_control(message, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
        append_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

}  // namespace

struct UdpSocket::ReceiveRing {
    std::unique_ptr<std::byte[]> memory = std::make_unique_for_overwrite<std::byte[]>(kMaxMessages * kReceiveBytes);
    std::array<mmsghdr, kMaxMessages> messages{};
    std::array<iovec, kMaxMessages> pieces{};
    std::array<sockaddr_storage, kMaxMessages> senders{};
    alignas(cmsghdr) std::array<std::array<std::byte, kControlBytes>, kMaxMessages> controls{};
    std::array<Received, kMaxMessages> received;
};

struct UdpSocket::SendRing {
    std::array<mmsghdr, kSendMessages> messages{};
    std::array<iovec, kSendMessages> pieces{};
    std::array<sockaddr_storage, kSendMessages> destinations{};
    alignas(cmsghdr) std::array<std::array<std::byte, kControlBytes>, kSendMessages> controls{};
    /// For each message: the batch it belongs to and the bytes it carries.
    std::array<std::size_t, kSendMessages> batch{};
    std::array<std::size_t, kSendMessages> segments{};
};

void UdpSocket::Deleter::operator()(ReceiveRing* ring) const {
    delete ring;
}
void UdpSocket::Deleter::operator()(SendRing* ring) const {
    delete ring;
}

std::expected<UdpSocket, std::error_code> UdpSocket::open(const Options& options) {
    const bool is_v4 = options.bind.is_v4();
    UdpSocket socket;
    socket.family_ = options.bind.family();
    socket.fd_ = FileDescriptor{::socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.fd_) {
        return std::unexpected{last_error()};
    }
    const int fd = socket.fd_.get();

    constexpr int kOn = 1;
    if (is_v4) {
        set_option(fd, IPPROTO_IP, IP_PKTINFO, kOn);
        set_option(fd, IPPROTO_IP, IP_RECVTOS, kOn);
    } else {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, kOn);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, kOn);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, kOn);
        set_option(fd, IPPROTO_IPV6, IPV6_DONTFRAG, kOn);
        // A temporary address would change under established candidates.
        constexpr int kPreferPublic = 0x0002;  // IPV6_PREFER_SRC_PUBLIC
        constexpr int kAddrPreferences = 72;   // IPV6_ADDR_PREFERENCES
        set_option(fd, IPPROTO_IPV6, kAddrPreferences, kPreferPublic);
    }
    // Don't-fragment, but ignore the path-MTU cache: our packets have fixed sizes and are meant to fit.
    set_option(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
               is_v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE);
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
        socket.max_segments_ =
            set_option(fd, SOL_UDP, UDP_SEGMENT, kNoDefaultSegment) ? net::TransmitQueue::kMaxSegments : 1;
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
    socket.port_ = from_sockaddr(bound).port;

    socket.receive_ring_.reset(new ReceiveRing);
    socket.send_ring_.reset(new SendRing);
    return socket;
}

std::span<UdpSocket::Received> UdpSocket::receive(ErrorBatch& errors) {
    auto& ring = *receive_ring_;
    for (std::size_t i = 0; i < kMaxMessages; ++i) {
        ring.pieces[i] = {ring.memory.get() + i * kReceiveBytes, kReceiveBytes};
        auto& header = ring.messages[i].msg_hdr;
        header.msg_name = &ring.senders[i];
        header.msg_namelen = sizeof ring.senders[i];
        header.msg_iov = &ring.pieces[i];
        header.msg_iovlen = 1;
        header.msg_control = ring.controls[i].data();
        header.msg_controllen = ring.controls[i].size();
        header.msg_flags = 0;
    }

    int count = 0;
    do {
        count = ::recvmmsg(fd_.get(), ring.messages.data(), kMaxMessages, MSG_DONTWAIT, nullptr);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            errors.add({Operation::kUdpReceive, errno});
        }
        return {};
    }

    std::size_t usable = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const std::size_t length = ring.messages[i].msg_len;
        auto& header = ring.messages[i].msg_hdr;
        std::optional<net::IpAddress> local;
        auto ecn = net::Ecn::kNotEct;
        std::size_t stride = length;
        for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
            const auto* data = reinterpret_cast<const std::byte*>(CMSG_DATA(control));
            if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
                in_pktinfo info;
                std::memcpy(&info, data, sizeof info);
                local = net::IpAddress::from_bytes(std::as_bytes(std::span{&info.ipi_addr, 1}));
            } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
                in6_pktinfo info;
                std::memcpy(&info, data, sizeof info);
                local = net::IpAddress::from_bytes(std::as_bytes(std::span{&info.ipi6_addr, 1}));
            } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
                ecn = static_cast<net::Ecn>(std::to_integer<unsigned>(data[0]) & 3U);
            } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
                int traffic_class = 0;
                std::memcpy(&traffic_class, data, sizeof traffic_class);
                ecn = static_cast<net::Ecn>(traffic_class & 3);
            } else if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
                int segment_size = 0;
                std::memcpy(&segment_size, data, sizeof segment_size);
                stride = segment_size > 0 ? static_cast<std::size_t>(segment_size) : length;
            }
        }
        const auto from = from_sockaddr(ring.senders[i]);
        // Port 0 is a forgery: no answer could reach it, and trying would make the kernel refuse whole trains.
        if (length == 0 || from.port == 0) {
            continue;
        }
        if (!local || stride > length) {
            kLog.debug("Datagram without usable local address or segment size", log::field("length", length));
            continue;
        }
        ring.received[usable++] = {
            from, {*local, port_}, ecn, stride, MutableByteSpan{ring.memory.get() + i * kReceiveBytes, length}};
    }
    return std::span{ring.received}.first(usable);
}

std::size_t UdpSocket::chunk_segments(const net::TransmitQueue::Batch& batch, bool is_front) const {
    if (is_front && is_front_unjoined_) {
        return 1;
    }
    return std::min(max_segments_, std::max<std::size_t>(1, net::TransmitQueue::kMaxBatchBytes / batch.segment_size));
}

void UdpSocket::pop(net::TransmitQueue& queue, std::size_t batches) {
    queue.pop_front(batches);
    is_front_unjoined_ = is_front_unjoined_ && batches == 0;
}

UdpSocket::SendResult UdpSocket::send(net::TransmitQueue& queue, ErrorBatch& errors) {
    auto& ring = *send_ring_;
    while (!queue.empty()) {
        // Fill one sendmmsg() with chunks of consecutive batches of our family.
        std::size_t count = 0;
        for (std::size_t b = 0; b < queue.size() && count < kSendMessages; ++b) {
            const auto batch = queue.batch(b);
            if (batch.path.destination.family() != family_) {
                break;
            }
            const auto per_chunk = chunk_segments(batch, b == 0) * batch.segment_size;
            for (std::size_t offset = b == 0 ? sent_of_front_ : 0; offset < batch.bytes.size() && count < kSendMessages;
                 offset += per_chunk) {
                const auto bytes = batch.bytes.subspan(offset, std::min(per_chunk, batch.bytes.size() - offset));
                ring.pieces[count] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
                ring.batch[count] = b;
                ring.segments[count] = (bytes.size() + batch.segment_size - 1) / batch.segment_size;
                auto& header = ring.messages[count].msg_hdr;
                header = {};
                header.msg_name = &ring.destinations[count];
                header.msg_namelen = to_sockaddr(batch.path.destination, ring.destinations[count]);
                header.msg_iov = &ring.pieces[count];
                header.msg_iovlen = 1;
                header.msg_control = ring.controls[count].data();
                const int traffic_class = static_cast<int>(batch.ecn);
                append_control(header, family_ == net::Family::kIpv4 ? IPPROTO_IP : IPPROTO_IPV6,
                               family_ == net::Family::kIpv4 ? IP_TOS : IPV6_TCLASS, traffic_class);
                if (batch.path.source) {
                    append_source(header, *batch.path.source);
                }
                if (ring.segments[count] > 1) {
                    append_control(header, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(batch.segment_size));
                }
                ++count;
            }
        }
        if (count == 0) {
            return SendResult::kDone;
        }

        const int sent = ::sendmmsg(fd_.get(), ring.messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
        const auto failure = sent < 0 ? errno : 0;
        auto done = static_cast<std::size_t>(std::max(sent, 0));
        ++sent_.calls;
        for (std::size_t i = 0; i < done; ++i) {
            sent_.datagrams += ring.segments[i];
            sent_.bytes += ring.pieces[i].iov_len;
        }
        if (sent < 0) {
            if (failure == EINTR) {
                continue;
            }
            if (failure == EAGAIN || failure == EWOULDBLOCK) {
                return SendResult::kWouldBlock;
            }
            if (handle_send_failure(failure, ring.segments[0], errors)) {
                continue;  // the same data again, in single datagrams
            }
            done = 1;  // drop the first chunk, go on with the next
        }

        // Advance over what left: whole batches, then a part of the one that is now in front.
        if (done < count) {
            const auto front = ring.batch[done];
            const auto front_bytes = queue.batch(front).bytes;
            const auto next_offset = static_cast<std::size_t>(
                static_cast<const std::byte*>(ring.pieces[done].iov_base) - front_bytes.data());
            pop(queue, front);
            sent_of_front_ = next_offset;
        } else {
            const auto last = ring.batch[count - 1];
            const auto last_bytes = queue.batch(last).bytes;
            const auto end = static_cast<std::size_t>(static_cast<const std::byte*>(ring.pieces[count - 1].iov_base) -
                                                      last_bytes.data()) +
                             ring.pieces[count - 1].iov_len;
            const bool is_complete = end == last_bytes.size();
            pop(queue, last + (is_complete ? 1 : 0));
            sent_of_front_ = is_complete ? 0 : end;
        }
    }
    return SendResult::kDone;
}

bool UdpSocket::handle_send_failure(int error_number, std::size_t segments, ErrorBatch& errors) {
    if (segments > 1 && error_number == EIO) {
        max_segments_ = 1;
        kLog.info("The network card refuses segmentation offload; sending single datagrams from now on");
        return true;
    }
    if (segments > 1 && error_number == EINVAL) {
        // About this train alone: its route has a small MTU, or a peer named an address that is none. The others must
        // not pay for it.
        is_front_unjoined_ = true;
        kLog.debug("The kernel refuses segmentation offload on this route; sending single datagrams");
        return true;
    }
    errors.add({Operation::kUdpSend, error_number});
    return false;
}

}  // namespace culvert::io
