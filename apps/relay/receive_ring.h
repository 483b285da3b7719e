#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"

namespace culvert::relay {

/// Reads datagrams in batches, with one piece of memory for all sockets of a thread.
class ReceiveRing {
public:
    ReceiveRing();

    /// One datagram, or several of one sender that the kernel has joined (UDP_GRO): `stride` bytes each, the last may
    /// be shorter.
    struct Message {
        net::SocketAddress from;
        std::size_t stride;
        ByteSpan bytes;
    };

    /// What one recvmmsg() on `fd` gives; empty if there is nothing to read or reading failed, which for UDP only tells
    /// of the past. Valid until the next call.
    [[nodiscard]] std::span<const Message> receive(int fd);

private:
    static constexpr std::size_t kMaxMessages = 64;
    /// As many joined datagrams as should pass through the cache at once.
    static constexpr std::size_t kMaxLargeMessages = 8;
    static constexpr std::size_t kBufferBytes = 65536;
    static constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int));

    std::unique_ptr<std::byte[]> memory_;
    std::array<mmsghdr, kMaxMessages> headers_{};
    std::array<iovec, kMaxMessages> pieces_{};
    std::array<sockaddr_storage, kMaxMessages> senders_{};
    alignas(cmsghdr) std::array<std::array<std::byte, kControlBytes>, kMaxMessages> controls_{};
    std::array<Message, kMaxMessages> messages_{};
    std::size_t batch_ = kMaxMessages;
};

}  // namespace culvert::relay
