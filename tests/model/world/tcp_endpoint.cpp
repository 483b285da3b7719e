#include "tests/model/world/tcp_endpoint.h"

#include <algorithm>
#include <utility>

#include "culvert/packet/builder.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSegmentBytes = 1200;
constexpr std::uint32_t kWindowBytes = 16 * kSegmentBytes;
constexpr Duration kFirstTimeout = 1s;
constexpr Duration kLongestTimeout = 60s;
/// As long as Linux tries: about 15 minutes (spec/testing.md section 4.3).
constexpr unsigned kMaxAttempts = 15;
constexpr unsigned kFastRetransmit = 3;

/// Comparison modulo 2^32 (RFC 9293 section 3.4).
bool is_before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
}

Duration timeout_of(unsigned attempts) {
    return std::min(kLongestTimeout, kFirstTimeout * (1 << std::min(attempts, 6U)));
}

}  // namespace

TcpEndpoint::TcpEndpoint(const net::SocketAddress& local, const net::SocketAddress& remote, std::uint32_t sequence)
    : local_{local}, remote_{remote}, first_{sequence}, unacknowledged_{sequence}, next_{sequence} {}

TcpEndpoint TcpEndpoint::connect(const net::SocketAddress& local, const net::SocketAddress& remote,
                                 std::uint32_t sequence, Instant now) {
    TcpEndpoint endpoint{local, remote, sequence};
    endpoint.transmit(now);
    return endpoint;
}

TcpEndpoint TcpEndpoint::accept(const packet::IpPacket& syn, std::uint32_t sequence, Instant now) {
    TcpEndpoint endpoint{{syn.destination(), syn.destination_port()}, {syn.source(), syn.source_port()}, sequence};
    endpoint.has_accepted_ = true;
    endpoint.expected_ = syn.tcp_sequence() + 1;
    endpoint.transmit(now);
    return endpoint;
}

void TcpEndpoint::send(ByteSpan bytes, Instant now) {
    append(outgoing_, bytes);
    transmit(now);
}

void TcpEndpoint::finish(Instant now) {
    is_finishing_ = true;
    transmit(now);
}

std::uint32_t TcpEndpoint::end_of_stream() const {
    return first_ + 1 + static_cast<std::uint32_t>(outgoing_.size()) + (is_finishing_ ? 1 : 0);
}

bool TcpEndpoint::has_sent_all() const {
    return is_finishing_ && unacknowledged_ == end_of_stream();
}

void TcpEndpoint::push(std::uint32_t sequence, std::uint8_t flags, ByteSpan payload) {
    packets_.push_back(packet::make_tcp(local_, remote_,
                                        {.sequence = sequence, .acknowledgement = expected_, .flags = flags}, payload));
}

void TcpEndpoint::transmit(Instant now) {
    if (has_failed_) {
        return;
    }
    if (next_ == first_) {
        push(first_, has_accepted_ ? packet::kTcpSyn | packet::kTcpAck : packet::kTcpSyn, {});
        next_ = first_ + 1;
    }
    while (is_established_ && is_before(next_, end_of_stream()) && next_ - unacknowledged_ < kWindowBytes) {
        const auto offset = next_ - first_ - 1;
        const auto length = std::min<std::size_t>(kSegmentBytes, outgoing_.size() - offset);
        const bool is_fin = is_finishing_ && offset + length == outgoing_.size();
        push(next_, is_fin ? packet::kTcpAck | packet::kTcpFin : packet::kTcpAck,
             ByteSpan{outgoing_}.subspan(offset, length));
        next_ += static_cast<std::uint32_t>(length) + (is_fin ? 1 : 0);
    }
    if (next_ == unacknowledged_) {
        retransmit_at_.reset();
    } else if (!retransmit_at_) {
        retransmit_at_ = now + timeout_of(attempts_);
    }
}

void TcpEndpoint::handle_packet(const packet::IpPacket& packet, Instant now) {
    const auto flags = packet.tcp_flags();
    if ((flags & packet::kTcpRst) != 0) {
        has_failed_ = true;
        retransmit_at_.reset();
        return;
    }
    if ((flags & packet::kTcpSyn) != 0) {
        if (!has_accepted_ && !is_established_) {
            expected_ = packet.tcp_sequence() + 1;
        }
        // Seen before: our acknowledgement was lost. It is repeated below.
    }
    if ((flags & packet::kTcpAck) != 0) {
        take_acknowledgement(load_be<std::uint32_t>(packet.l4().subspan(8)), now);
    }
    take_payload(packet);
    transmit(now);
}

void TcpEndpoint::take_acknowledgement(std::uint32_t acknowledgement, Instant now) {
    if (is_before(unacknowledged_, acknowledgement) && !is_before(end_of_stream(), acknowledgement)) {
        unacknowledged_ = acknowledgement;
        next_ = is_before(next_, acknowledgement) ? acknowledgement : next_;
        is_established_ = true;
        attempts_ = 0;
        repeated_acknowledgements_ = 0;
        retransmit_at_.reset();
    } else if (acknowledgement == unacknowledged_ && next_ != unacknowledged_ &&
               ++repeated_acknowledgements_ == kFastRetransmit) {
        next_ = unacknowledged_;
        retransmit_at_ = now + timeout_of(attempts_);
    }
}

void TcpEndpoint::take_payload(const packet::IpPacket& packet) {
    const auto flags = packet.tcp_flags();
    const auto payload = packet.payload();
    const bool is_syn = (flags & packet::kTcpSyn) != 0;
    const bool is_fin = (flags & packet::kTcpFin) != 0;
    if (payload.empty() && !is_fin && !is_syn) {
        return;  // only an acknowledgement, which is not acknowledged
    }
    if (!is_syn && packet.tcp_sequence() == expected_ && !has_peer_finished_) {
        append(received_, payload);
        expected_ += static_cast<std::uint32_t>(payload.size());
        if (is_fin) {
            ++expected_;
            has_peer_finished_ = true;
        }
    }
    if (!is_syn || is_established_) {
        push(next_, packet::kTcpAck, {});
    }
}

void TcpEndpoint::handle_timeout(Instant now) {
    if (!retransmit_at_ || *retransmit_at_ > now) {
        return;
    }
    retransmit_at_.reset();
    if (++attempts_ > kMaxAttempts) {
        has_failed_ = true;
        return;
    }
    next_ = unacknowledged_;
    transmit(now);
}

std::optional<Bytes> TcpEndpoint::poll_packet() {
    if (packets_.empty()) {
        return std::nullopt;
    }
    auto packet = std::move(packets_.front());
    packets_.pop_front();
    return packet;
}

}  // namespace culvert::model
