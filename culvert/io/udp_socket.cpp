#include "culvert/io/udp_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

}  // namespace

std::expected<UdpSocket, std::error_code> UdpSocket::open(const Options& options, Kernel& kernel) {
    auto opened = kernel.open_udp(options);
    if (!opened) {
        return std::unexpected{opened.error()};
    }
    return UdpSocket{std::move(*opened), options};
}

UdpSocket::UdpSocket(Kernel::UdpSocketOpened opened, const Options& options)
    : fd_{std::move(opened.fd)},
      family_{options.bind.family()},
      is_relay_{options.is_relay},
      port_{opened.port},
      max_segments_{opened.can_segment ? net::TransmitQueue::kMaxSegments : 1} {}

std::span<UdpSocket::Received> UdpSocket::receive(ReceiveRing& ring, ErrorBatch& errors) {
    const auto received = ring.receive(fd_, errors);
    std::size_t usable = 0;
    for (auto& message : received) {
        if (!is_usable(message)) {
            dropped_.unusable += message.datagrams();
            continue;
        }
        received[usable++] = message;
    }
    return received.first(usable);
}

bool UdpSocket::is_usable(const Received& message) const {
    // Port 0 is a forgery: no answer could reach it, and trying would make the kernel refuse whole trains.
    return message.from.port != 0 && (is_relay_ || (!message.bytes.empty() && message.local));
}

UdpSocket::SendResult UdpSocket::send(std::span<const Train> trains, SendPosition& position, SendRing& ring,
                                      ErrorBatch& errors) {
    while (position.train < trains.size()) {
        const auto messages = ring.fill(trains, position, max_segments_);
        const int result = fd_.kernel().sendmmsg(fd_.get(), messages);
        const auto failure = result < 0 ? errno : 0;
        const auto sent = static_cast<std::size_t>(std::max(result, 0));
        ++sent_.calls;
        for (std::size_t i = 0; i < sent; ++i) {
            sent_.datagrams += ring.content(i).datagrams;
            sent_.bytes += ring.content(i).bytes;
        }
        if (sent > 0) {
            position = ring.content(sent - 1).end;
        } else if (failure == EAGAIN || failure == EWOULDBLOCK) {
            return SendResult::kWouldBlock;
        } else if (failure != EINTR && !handle_send_failure(failure, ring.content(0).datagrams, position, errors)) {
            dropped_.refused += ring.content(0).datagrams;
            position = ring.content(0).end;  // drop the first message, go on with the next
        }
    }
    return SendResult::kDone;
}

UdpSocket::SendResult UdpSocket::send(net::TransmitQueue& queue, SendRing& ring, ErrorBatch& errors) {
    std::array<iovec, SendRing::kMessages> pieces;
    std::array<Train, SendRing::kMessages> trains;
    for (;;) {
        std::size_t count = 0;
        for (; count < std::min(trains.size(), queue.size()); ++count) {
            const auto batch = queue.batch(count);
            if (batch.path.destination.family() != family_) {
                break;
            }
            pieces[count] = {const_cast<std::byte*>(batch.bytes.data()), batch.bytes.size()};
            trains[count] = {batch.path, batch.ecn, batch.segment_size, batch.segments, {&pieces[count], 1}};
        }
        if (count == 0) {
            return SendResult::kDone;
        }
        const auto result = send(std::span{trains}.first(count), front_, ring, errors);
        queue.pop_front(std::exchange(front_.train, 0));
        if (result == SendResult::kWouldBlock) {
            return result;
        }
    }
}

/// Whether the same is to be tried again, in single datagrams.
bool UdpSocket::handle_send_failure(int error_number, std::size_t segments, SendPosition& position,
                                    ErrorBatch& errors) {
    if (segments > 1 && error_number == EIO) {
        max_segments_ = 1;
        kLog.info("The network card refuses segmentation offload; sending single datagrams from now on");
        return true;
    }
    if (segments > 1 && (error_number == EINVAL || error_number == EMSGSIZE)) {
        // About this train alone: its route has a small MTU, or a peer named an address that is none. The others must
        // not pay for it. What the kernel does not cut into trains it cuts into fragments.
        position.is_unjoined = true;
        kLog.debug("The kernel refuses segmentation offload on this route; sending single datagrams");
        return true;
    }
    errors.add({Operation::kUdpSend, error_number});
    return false;
}

}  // namespace culvert::io
