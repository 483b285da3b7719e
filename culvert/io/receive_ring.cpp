#include "culvert/io/receive_ring.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "culvert/io/control_messages.h"
#include "culvert/io/socket_address.h"

namespace culvert::io {
namespace {

constexpr std::size_t kMessageBytes = 65536;
/// As many trains as should pass through the cache at once, and the average size from which messages count as trains.
constexpr std::size_t kTrainsAtOnce = 8;
constexpr std::size_t kTrainBytes = 8 * 1024;

}  // namespace

struct ReceiveRing::Slots {
    explicit Slots(std::size_t count)
        // Not initialised: pages are touched only as far as traffic needs them.
        : memory{std::make_unique_for_overwrite<std::byte[]>(count * kMessageBytes)},
          messages(count),
          pieces(count),
          senders(count),
          controls(count),
          received(count) {
        for (std::size_t i = 0; i < count; ++i) {
            pieces[i] = {memory.get() + i * kMessageBytes, kMessageBytes};
            auto& header = messages[i].msg_hdr;
            header.msg_name = &senders[i];
            header.msg_iov = &pieces[i];
            header.msg_iovlen = 1;
            header.msg_control = controls[i].bytes.data();
        }
    }

    std::unique_ptr<std::byte[]> memory;
    std::vector<mmsghdr> messages;
    std::vector<iovec> pieces;
    std::vector<sockaddr_storage> senders;
    std::vector<ControlRoom> controls;
    std::vector<Received> received;
};

ReceiveRing::ReceiveRing(std::size_t max_messages)
    : max_messages_{max_messages}, next_messages_{max_messages}, slots_{std::make_unique<Slots>(max_messages)} {}
ReceiveRing::ReceiveRing(ReceiveRing&&) noexcept = default;
ReceiveRing::~ReceiveRing() = default;

std::span<ReceiveRing::Received> ReceiveRing::receive(const KernelDescriptor& socket, ErrorBatch& errors) {
    auto& slots = *slots_;
    const auto messages = std::span{slots.messages}.first(next_messages_);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto& header = messages[i].msg_hdr;
        header.msg_namelen = sizeof slots.senders[i];
        header.msg_controllen = slots.controls[i].bytes.size();
        header.msg_flags = 0;
    }

    was_full_ = false;
    int result = 0;
    do {
        result = socket.kernel().recvmmsg(socket.get(), messages);
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            errors.add({Operation::kUdpReceive, errno});
        }
        return {};
    }

    const auto count = static_cast<std::size_t>(result);
    was_full_ = count == messages.size();
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t length = messages[i].msg_len;
        const auto controls = read_controls(messages[i].msg_hdr);
        const auto stride = controls.segment_size > 0 ? std::min(controls.segment_size, length) : length;
        slots.received[i] = {from_sockaddr(slots.senders[i]), controls.local, controls.ecn, stride,
                             MutableByteSpan{slots.memory.get() + i * kMessageBytes, length}};
        total += length;
    }
    const bool are_trains = count > 0 && total / count >= kTrainBytes;
    next_messages_ = are_trains ? std::min(kTrainsAtOnce, max_messages_) : max_messages_;
    return std::span{slots.received}.first(count);
}

}  // namespace culvert::io
