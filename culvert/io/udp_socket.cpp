#include "culvert/io/udp_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

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

/// An empty datagram is one, too.
std::size_t segments_in(std::size_t length, std::size_t segment_size) {
    return length == 0 ? 1 : (length + segment_size - 1) / segment_size;
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

std::expected<UdpSocket, std::error_code> UdpSocket::open(const Options& options, Kernel& kernel) {
    auto opened = kernel.open_udp(options);
    if (!opened) {
        return std::unexpected{opened.error()};
    }
    return UdpSocket{std::move(*opened), options.bind.family()};
}

UdpSocket::UdpSocket(Kernel::UdpSocketOpened opened, net::Family family)
    : fd_{std::move(opened.fd)},
      family_{family},
      port_{opened.port},
      max_segments_{opened.can_segment ? net::TransmitQueue::kMaxSegments : 1},
      receive_ring_{new ReceiveRing},
      send_ring_{new SendRing} {}

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
        count = fd_.kernel().recvmmsg(fd_.get(), ring.messages);
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
            dropped_.unusable += segments_in(length, stride);
            continue;
        }
        if (!local || stride > length) {
            dropped_.unusable += segments_in(length, stride);
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
                ring.segments[count] = segments_in(bytes.size(), batch.segment_size);
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

        const int sent = fd_.kernel().sendmmsg(fd_.get(), std::span{ring.messages}.first(count));
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
            dropped_.refused += ring.segments[0];
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
