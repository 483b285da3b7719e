#include "tests/model/sockets/simulated_udp.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "culvert/io/socket_address.h"
#include "tests/model/sockets/chance.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace culvert::model {
namespace {

constexpr std::size_t kMaxSegments = 64;
constexpr std::size_t kMaxPayload = 65507;

/// One message of sendmmsg(), decoded. `segment_size` 0: a single datagram.
struct Outgoing {
    net::Transmit datagram;
    std::uint16_t segment_size = 0;
};

Outgoing decode(const msghdr& header) {
    Outgoing out;
    sockaddr_storage address{};
    std::memcpy(&address, header.msg_name, header.msg_namelen);
    out.datagram.path.destination = io::from_sockaddr(address);
    for (std::size_t i = 0; i < header.msg_iovlen; ++i) {
        append(out.datagram.payload,
               {static_cast<const std::byte*>(header.msg_iov[i].iov_base), header.msg_iov[i].iov_len});
    }
    auto readable = header;  // the macros want a mutable one
    for (auto* control = CMSG_FIRSTHDR(&readable); control != nullptr; control = CMSG_NXTHDR(&readable, control)) {
        const auto* data = reinterpret_cast<const std::byte*>(CMSG_DATA(control));
        const auto is = [&](int level, int type) { return control->cmsg_level == level && control->cmsg_type == type; };
        if (is(IPPROTO_IP, IP_TOS) || is(IPPROTO_IPV6, IPV6_TCLASS)) {
            int traffic_class = 0;
            std::memcpy(&traffic_class, data, sizeof traffic_class);
            out.datagram.ecn = static_cast<net::Ecn>(traffic_class & 3);
        } else if (is(IPPROTO_IP, IP_PKTINFO)) {
            in_pktinfo info;
            std::memcpy(&info, data, sizeof info);
            out.datagram.path.source = net::IpAddress::from_bytes(std::as_bytes(std::span{&info.ipi_spec_dst, 1}));
        } else if (is(IPPROTO_IPV6, IPV6_PKTINFO)) {
            in6_pktinfo info;
            std::memcpy(&info, data, sizeof info);
            out.datagram.path.source = net::IpAddress::from_bytes(std::as_bytes(std::span{&info.ipi6_addr, 1}));
        } else if (is(SOL_UDP, UDP_SEGMENT)) {
            std::memcpy(&out.segment_size, data, sizeof out.segment_size);
        }
    }
    return out;
}

std::size_t segments_of(const Outgoing& out) {
    return out.segment_size == 0 ? 1 : (out.datagram.payload.size() + out.segment_size - 1) / out.segment_size;
}

/// Writes control messages one behind the other into the room that recvmmsg() was given.
class ControlWriter {
public:
    explicit ControlWriter(msghdr& header) : header_{header}, room_{std::exchange(header.msg_controllen, 0)} {}

    template <typename T>
    void add(int level, int type, const T& value) {
        assert(header_.msg_controllen + CMSG_SPACE(sizeof value) <= room_);
        auto* control =
            reinterpret_cast<cmsghdr*>(static_cast<std::byte*>(header_.msg_control) + header_.msg_controllen);
        std::memset(control, 0, CMSG_SPACE(sizeof value));
        control->cmsg_level = level;
        control->cmsg_type = type;
        control->cmsg_len = CMSG_LEN(sizeof value);
        std::memcpy(CMSG_DATA(control), &value, sizeof value);
        header_.msg_controllen += CMSG_SPACE(sizeof value);
    }

private:
    msghdr& header_;
    [[maybe_unused]] std::size_t room_;
};

void describe(const Arrival& arrival, ControlWriter& controls) {
    const auto local = arrival.local.ip.bytes();
    if (arrival.local.is_v4()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_addr, local.data(), local.size());
        controls.add(IPPROTO_IP, IP_PKTINFO, info);
        controls.add(IPPROTO_IP, IP_TOS, static_cast<std::uint8_t>(arrival.ecn));
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, local.data(), local.size());
        controls.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
        controls.add(IPPROTO_IPV6, IPV6_TCLASS, static_cast<int>(arrival.ecn));
    }
}

bool is_same_train(const Arrival& a, const Arrival& b) {
    return a.from == b.from && a.local == b.local && a.ecn == b.ecn;
}

}  // namespace

bool SimulatedUdp::deliver(Arrival arrival) {
    if (waiting_bytes_ + arrival.payload.size() > options_.receive_buffer) {
        return false;
    }
    waiting_bytes_ += arrival.payload.size();
    waiting_.push_back(std::move(arrival));
    return true;
}

int SimulatedUdp::receive(std::span<mmsghdr> messages, const KernelFaults& faults, Rng& rng) {
    if (chance(rng, faults.interrupted)) {
        return -EINTR;
    }
    if (waiting_.empty()) {
        return -EAGAIN;
    }
    const auto limit = chance(rng, faults.partial_receive) ? 1 + rng.below(messages.size()) : messages.size();
    int count = 0;
    while (static_cast<std::size_t>(count) < limit && !waiting_.empty()) {
        fill(messages[static_cast<std::size_t>(count++)], faults, rng);
    }
    return count;
}

void SimulatedUdp::fill(mmsghdr& message, const KernelFaults& faults, Rng& rng) {
    auto& header = message.msg_hdr;
    const auto room = header.msg_iov[0].iov_len;
    const auto first = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= first.payload.size();

    Bytes train = first.payload;
    const auto stride = first.payload.size();
    std::size_t segments = 1;
    bool is_open = options_.use_gro && stride > 0 && chance(rng, faults.coalesced_receive);
    while (is_open && !waiting_.empty() && segments < kMaxSegments) {
        const auto& next = waiting_.front();
        const auto length = next.payload.size();
        if (!is_same_train(first, next) || length == 0 || length > stride || train.size() + length > kMaxPayload) {
            break;
        }
        is_open = length == stride;  // a shorter one is the last
        append(train, next.payload);
        waiting_bytes_ -= length;
        waiting_.pop_front();
        ++segments;
    }

    message.msg_len = static_cast<unsigned>(std::min(train.size(), room));
    std::copy_n(train.begin(), message.msg_len, static_cast<std::byte*>(header.msg_iov[0].iov_base));
    header.msg_namelen = io::to_sockaddr(first.from, *static_cast<sockaddr_storage*>(header.msg_name));
    ControlWriter controls{header};
    if (!options_.is_relay) {
        describe(first, controls);
    }
    if (segments > 1) {
        controls.add(SOL_UDP, UDP_GRO, static_cast<int>(stride));
    }
}

int SimulatedUdp::refusal(const net::Transmit& message, std::uint16_t segment_size, const KernelFaults& faults,
                          Rng& rng, const std::map<net::SocketAddress, int>& refused_destinations) const {
    constexpr std::array kRefusals{ENOBUFS, EMSGSIZE, EPERM, ENETUNREACH};
    if (const auto entry = refused_destinations.find(message.path.destination); entry != refused_destinations.end()) {
        return entry->second;
    }
    if (message.path.destination.port == 0) {
        return EINVAL;
    }
    if (message.payload.size() > kMaxPayload) {
        return EMSGSIZE;
    }
    if (segment_size > 0) {
        const auto segments = (message.payload.size() + segment_size - 1) / segment_size;
        if (!options_.use_gso || segments > kMaxSegments) {
            return EINVAL;
        }
        if (faults.segmentation_error != 0) {
            return faults.segmentation_error;
        }
    }
    return chance(rng, faults.send_refused) ? kRefusals.at(rng.below(kRefusals.size())) : 0;
}

int SimulatedUdp::send(std::span<const mmsghdr> messages, const KernelFaults& faults, Rng& rng, Instant now,
                       const std::map<net::SocketAddress, int>& refused_destinations, std::deque<Departure>& sent,
                       UdpLosses& losses) {
    if (blocked_until_ && now >= *blocked_until_) {
        blocked_until_.reset();
    }
    if (chance(rng, faults.interrupted)) {
        return -EINTR;
    }
    if (blocked_until_) {
        return -EAGAIN;
    }
    const auto limit = chance(rng, faults.partial_send) ? 1 + rng.below(messages.size()) : messages.size();
    for (std::size_t i = 0; i < limit; ++i) {
        const auto out = decode(messages[i].msg_hdr);
        const auto error = pending_refusal_ != 0
                               ? std::exchange(pending_refusal_, 0)
                               : refusal(out.datagram, out.segment_size, faults, rng, refused_destinations);
        if (error != 0) {
            if (i > 0) {  // like the system call: first the success, the error when asked again
                pending_refusal_ = error;
                return static_cast<int>(i);
            }
            // A train that is refused for being one may come again in single datagrams: not lost yet.
            if (out.segment_size == 0 || (error != EIO && error != EINVAL && error != EMSGSIZE)) {
                losses.refused[error] += segments_of(out);
            }
            return -error;
        }
        if (chance(rng, faults.would_block)) {
            blocked_until_ = now + Duration{1 + static_cast<Duration::rep>(rng.below(
                                                    static_cast<std::uint64_t>(faults.longest_block.count())))};
            return i > 0 ? static_cast<int>(i) : -EAGAIN;
        }
        const auto step =
            out.segment_size > 0 ? out.segment_size : std::max<std::size_t>(out.datagram.payload.size(), 1);
        std::size_t offset = 0;
        do {  // an empty datagram is one, too
            const auto segment =
                ByteSpan{out.datagram.payload}.subspan(offset, std::min(step, out.datagram.payload.size() - offset));
            sent.push_back({{out.datagram.path, out.datagram.ecn, to_bytes(segment)}, port_});
            offset += step;
        } while (offset < out.datagram.payload.size());
    }
    return static_cast<int>(limit);
}

}  // namespace culvert::model
