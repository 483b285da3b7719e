#include "apps/relay/train_sender.h"

#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "culvert/io/socket_address.h"
#include "culvert/observability/log.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace culvert::relay {
namespace {

constexpr log::Logger kLog{"relay"};

/// Every kernel that knows UDP_SEGMENT takes this many.
constexpr std::size_t kMaxTrainSegments = 64;
/// 65535 less the longest IPv4 header and the UDP header.
constexpr std::size_t kMaxTrainBytes = 65535 - 60 - 8;
/// UDP_SEGMENT does not fragment, so longer datagrams travel alone (1500 less IPv6 and UDP headers).
constexpr std::size_t kMaxTrainSegmentSize = 1452;
/// How far back to look for a flow's last train. Traffic of more flows at once just makes shorter trains.
constexpr std::size_t kSearchDepth = 16;
/// Dropping at once would cost the tunnelled connections dearly, waiting for long would starve everybody else.
constexpr int kMaxWaitMilliseconds = 5;

void write_header(MutableByteSpan header, std::uint16_t channel, std::size_t payload) {
    store_be(header, channel);
    store_be(header.subspan(2), static_cast<std::uint16_t>(payload));
}

}  // namespace

TrainSender::TrainSender(bool use_gso) : use_gso_{use_gso} {
    trains_.reserve(kMaxTrains);
    segments_.reserve(kMaxSegments);
    pieces_.resize(2 * kMaxSegments);
    order_.reserve(kMaxTrains);
    messages_.resize(kMaxTrains);
}

void TrainSender::append(int fd, const void* flow, const net::SocketAddress& to, ByteSpan payload,
                         std::uint16_t channel) {
    if (segments_.size() == kMaxSegments) {
        flush();
    }
    // A train is cut by size, so an empty datagram in it would be lost.
    const bool can_join = !payload.empty() || channel != kNoChannel;
    auto* train = can_join ? open_train(flow, payload.size()) : nullptr;
    if (train == nullptr) {
        if (trains_.size() == kMaxTrains) {
            flush();
        }
        start_train(fd, flow, to, payload.size(), channel);
        train = &trains_.back();
    }
    ++train->count;
    train->bytes += payload.size() + (channel != kNoChannel ? kHeader : 0);
    train->last_size = payload.size();
    if (payload.size() < train->segment_size) {
        train->is_closed = true;
        if (channel != kNoChannel) {
            write_header(train->last_header, channel, payload.size());
        }
    }
    segments_.push_back({static_cast<std::uint32_t>(train - trains_.data()), payload});
}

TrainSender::Train* TrainSender::open_train(const void* flow, std::size_t size) {
    const auto depth = std::min(trains_.size(), kSearchDepth);
    for (std::size_t i = 1; i <= depth; ++i) {
        auto& train = trains_[trains_.size() - i];
        if (train.flow != flow) {
            continue;
        }
        // Only the flow's newest train may grow, or datagrams would overtake each other.
        const bool has_room = train.count < kMaxTrainSegments && train.bytes + size + kHeader <= kMaxTrainBytes;
        return !train.is_closed && size <= train.segment_size && has_room ? &train : nullptr;
    }
    return nullptr;
}

void TrainSender::start_train(int fd, const void* flow, const net::SocketAddress& to, std::size_t size,
                              std::uint16_t channel) {
    Train train{};
    train.fd = fd;
    train.flow = flow;
    sockaddr_storage address;
    train.to_length = io::to_sockaddr(to, address);
    std::memcpy(&train.to, &address, std::min<std::size_t>(train.to_length, sizeof train.to));
    train.channel = channel;
    train.segment_size = size;
    train.is_closed = !use_gso_ || size == 0 || size + kHeader > kMaxTrainSegmentSize;
    if (channel != kNoChannel) {
        write_header(train.header, channel, size);
    }
    trains_.push_back(train);
}

void TrainSender::flush() {
    if (segments_.empty()) {
        return;
    }
    has_waited_ = false;
    lay_out_pieces();

    // Trains of one socket go in one call; sorting by (socket, age) keeps each flow in order.
    order_.resize(trains_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) {
        order_[i] = i;
    }
    std::ranges::sort(order_, [this](std::uint32_t a, std::uint32_t b) {
        return trains_[a].fd != trains_[b].fd ? trains_[a].fd < trains_[b].fd : a < b;
    });
    for (std::size_t first = 0; first < order_.size();) {
        auto last = first + 1;
        while (last < order_.size() && trains_[order_[last]].fd == trains_[order_[first]].fd) {
            ++last;
        }
        send_group(first, last);
        first = last;
    }
    trains_.clear();
    segments_.clear();
}

void TrainSender::lay_out_pieces() {
    std::size_t next = 0;
    for (auto& train : trains_) {
        train.first_piece = next;
        next += train.count * (train.channel != kNoChannel ? 2 : 1);
        train.count = 0;  // counted up again below, as the place of the next segment
    }
    for (const auto& [index, payload] : segments_) {
        auto& train = trains_[index];
        iovec* piece = &pieces_[train.first_piece];
        if (train.channel == kNoChannel) {
            piece += train.count;
        } else {
            piece += 2 * train.count;
            auto& header = payload.size() == train.segment_size ? train.header : train.last_header;
            *piece++ = {header.data(), header.size()};
        }
        *piece = {const_cast<std::byte*>(payload.data()), payload.size()};
        ++train.count;
    }
}

void TrainSender::prepare_message(mmsghdr& message, Train& train) {
    auto& header = message.msg_hdr;
    header = {};
    header.msg_name = &train.to;
    header.msg_namelen = train.to_length;
    header.msg_iov = &pieces_[train.first_piece];
    const auto pieces_per_segment = std::size_t{train.channel != kNoChannel ? 2U : 1U};
    header.msg_iovlen = train.count * pieces_per_segment;
    if (train.count > 1) {
        header.msg_control = train.control.data();
        header.msg_controllen = train.control.size();
        auto* control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto size = static_cast<std::uint16_t>(train.segment_size + (pieces_per_segment == 2 ? kHeader : 0));
        std::memcpy(CMSG_DATA(control), &size, sizeof size);
    }
}

void TrainSender::send_group(std::size_t first, std::size_t last) {
    for (auto i = first; i < last; ++i) {
        prepare_message(messages_[i], trains_[order_[i]]);
    }
    const int fd = trains_[order_[first]].fd;
    while (first < last) {
        const int sent = ::sendmmsg(fd, &messages_[first], static_cast<unsigned>(last - first), MSG_DONTWAIT);
        ++counters_.calls;
        if (sent > 0) {
            for (const auto end = first + static_cast<std::size_t>(sent); first < end; ++first) {
                counters_.datagrams += trains_[order_[first]].count;
            }
            continue;
        }
        const auto& train = trains_[order_[first]];
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (wait_until_writable(fd)) {
                continue;
            }
            for (; first < last; ++first) {
                counters_.blocked += trains_[order_[first]].count;
            }
            return;
        }
        if (train.count > 1 && (errno == EIO || errno == EINVAL)) {
            // EINVAL is about this route (its MTU); EIO about the network card.
            if (errno == EIO && use_gso_) {
                use_gso_ = false;
                kLog.info("No segmentation offload on this machine: sending single datagrams from now on");
            }
            send_one_by_one(train);
        } else {
            kLog.debug("Dropped datagrams: cannot send", log::field("error", std::string_view{std::strerror(errno)}));
            counters_.failed += train.count;
        }
        ++first;
    }
}

void TrainSender::send_one_by_one(const Train& train) {
    const std::size_t pieces_per_segment = train.channel != kNoChannel ? 2 : 1;
    for (std::size_t i = 0; i < train.count; ++i) {
        msghdr header{};
        header.msg_name = const_cast<sockaddr_in6*>(&train.to);
        header.msg_namelen = train.to_length;
        header.msg_iov = &pieces_[train.first_piece + i * pieces_per_segment];
        header.msg_iovlen = pieces_per_segment;
        ++counters_.calls;
        if (::sendmsg(train.fd, &header, MSG_DONTWAIT) >= 0) {
            ++counters_.datagrams;
        } else {
            ++counters_.failed;
        }
    }
}

bool TrainSender::wait_until_writable(int fd) {
    if (has_waited_) {
        return false;
    }
    has_waited_ = true;
    pollfd waiting{fd, POLLOUT, 0};
    return ::poll(&waiting, 1, kMaxWaitMilliseconds) > 0;
}

}  // namespace culvert::relay
