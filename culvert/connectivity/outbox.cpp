#include "culvert/connectivity/outbox.h"

#include <algorithm>
#include <utility>

#include "culvert/connectivity/constants.h"
#include "culvert/observability/log.h"
#include "culvert/turn/channel_data.h"

namespace culvert::connectivity {
namespace {

constexpr log::Logger kLog{"connectivity"};

template <typename T>
std::optional<T> pop(std::deque<T>& queue) {
    if (queue.empty()) {
        return std::nullopt;
    }
    std::optional<T> front{std::move(queue.front())};
    queue.pop_front();
    return front;
}

}  // namespace

void Outbox::send(const PeerSocket& socket, const std::optional<RelayId>& relay, ByteSpan payload, net::Ecn ecn,
                  Instant now) {
    if (!socket.is_relayed) {
        send_direct(socket.source, socket.destination, payload, ecn);
    } else if (auto* allocation = relays_.find(relay)) {
        send_through(*allocation, socket.destination, payload, ecn, now);
    }
}

void Outbox::send(const ice::AgentTransmit& transmit, Instant now) {
    if (transmit.source_kind != ice::CandidateKind::kRelay) {
        send_direct(transmit.source, transmit.destination, transmit.payload, net::Ecn::kNotEct);
    } else if (auto* allocation = relays_.find_by_relay_address(transmit.source)) {
        send_through(*allocation, transmit.destination, transmit.payload, net::Ecn::kNotEct, now);
    }
}

void Outbox::reply(const net::SocketAddress& local, const net::SocketAddress& to, ByteSpan payload, Instant now) {
    if (auto* allocation = relays_.find_by_relay_address(local)) {
        send_through(*allocation, to, payload, net::Ecn::kNotEct, now);
    } else {
        send_direct(local, to, payload, net::Ecn::kNotEct);
    }
}

void Outbox::send_direct(const net::SocketAddress& source, const net::SocketAddress& destination, ByteSpan payload,
                         net::Ecn ecn) {
    push({{source.ip, destination}, ecn, to_bytes(payload)});
}

void Outbox::send_through(turn::Allocation& relay, const net::SocketAddress& peer, ByteSpan payload, net::Ecn ecn,
                          Instant now) {
    const auto channel = relay.channel_to(peer, now);
    const auto server = relay.active_socket();
    if (!channel || !server) {
        kLog.trace("No channel yet, dropped packet", log::field("peer", peer));
        return;
    }
    Bytes datagram(turn::kChannelDataHeaderSize + payload.size());
    turn::encode_channel_data_header(datagram, {*channel, static_cast<std::uint16_t>(payload.size())});
    std::ranges::copy(payload, datagram.begin() + turn::kChannelDataHeaderSize);
    push({{std::nullopt, *server}, ecn, std::move(datagram)});
}

void Outbox::push(net::Transmit transmit) {
    if (transmits_.size() == kMaxTransmits) {
        transmits_.pop_front();
    }
    transmits_.push_back(std::move(transmit));
}

void Outbox::emit(Event event) {
    if (events_.size() < kMaxEvents) {
        events_.push_back(std::move(event));
    }
}

std::optional<net::Transmit> Outbox::poll_transmit() {
    return pop(transmits_);
}

std::optional<Event> Outbox::poll_event() {
    return pop(events_);
}

void Outbox::clear() {
    transmits_.clear();
    events_.clear();
}

}  // namespace culvert::connectivity
