#include "apps/relay/receive_ring.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

#include "culvert/io/socket_address.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace culvert::relay {
namespace {

/// Average size from which messages count as joined.
constexpr std::size_t kLargeMessage = 8 * 1024;

std::size_t stride_of(msghdr& header, std::size_t length) {
    for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            int stride = 0;
            std::memcpy(&stride, CMSG_DATA(control), sizeof stride);
            if (stride > 0) {
                return static_cast<std::size_t>(stride);
            }
        }
    }
    return length;
}

}  // namespace

ReceiveRing::ReceiveRing()
    // Not value-initialised: pages are touched only as far as traffic needs them.
    : memory_{std::make_unique_for_overwrite<std::byte[]>(kMaxMessages * kBufferBytes)} {
    for (std::size_t i = 0; i < kMaxMessages; ++i) {
        pieces_[i] = {memory_.get() + i * kBufferBytes, kBufferBytes};
        auto& header = headers_[i].msg_hdr;
        header.msg_name = &senders_[i];
        header.msg_iov = &pieces_[i];
        header.msg_iovlen = 1;
        header.msg_control = controls_[i].data();
    }
}

std::span<const ReceiveRing::Message> ReceiveRing::receive(int fd) {
    for (std::size_t i = 0; i < batch_; ++i) {
        headers_[i].msg_hdr.msg_namelen = sizeof senders_[i];
        headers_[i].msg_hdr.msg_controllen = kControlBytes;
    }
    const int received = ::recvmmsg(fd, headers_.data(), static_cast<unsigned>(batch_), MSG_DONTWAIT, nullptr);
    if (received <= 0) {
        return {};
    }
    const auto count = static_cast<std::size_t>(received);
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t length = headers_[i].msg_len;
        total += length;
        messages_[i] = {io::from_sockaddr(senders_[i]), stride_of(headers_[i].msg_hdr, length),
                        ByteSpan{memory_.get() + i * kBufferBytes, length}};
    }
    batch_ = total / count >= kLargeMessage ? kMaxLargeMessages : kMaxMessages;
    return std::span{messages_}.first(count);
}

}  // namespace culvert::relay
