// What goes between the sockets of clients and relay.

#include <algorithm>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/credentials.h"
#include "tests/model/pools/pools_addresses.h"
#include "tests/model/pools/pools_world.h"

namespace culvert::model::pools {
void PoolsWorld::drain(Client& client) {
    flush(client);
    if (client.node) {
        auto& node = *client.node;
        if (node.poll_timeout().value_or(now_ + kDelay) <= now_) {
            node.handle_timeout(now_);
        }
        while (const auto out = node.poll_transmit()) {
            transmit(client.address, out->path, out->payload);
        }
        while (const auto event = node.poll_event()) {
            if (const auto* candidate = std::get_if<connectivity::NewIceCandidate>(&*event)) {
                send_to_portal(client, portal_api::BroadcastClientIceCandidates{{ClientId{candidate->id}},
                                                                                {candidate->candidate}});
            }
        }
        return;
    }
    auto& state = *client.state;
    if (state.poll_timeout().value_or(now_ + kDelay) <= now_) {
        state.handle_timeout(now_, wall_seconds());
    }
    while (const auto out = state.poll_transmit()) {
        transmit(client.address, out->path, out->payload);
    }
    while (auto event = state.poll_event()) {
        std::visit(overloaded{[&](tunnel::SendToPortal& sent) {
                                  send_to_portal(client, std::get<portal_api::FromClient>(sent.message));
                              },
                              [&](tunnel::AskForRelays&) { client.next_connect = now_; }, [](auto&) {}},
                   *event);
    }
    while (auto packet = state.poll_tun_packet()) {
        delivered(client, std::move(*packet));
    }
    while (state.poll_drops()) {
    }
}

void PoolsWorld::flush(Client& client) {
    for (std::size_t i = 0; i < queue_.size(); ++i) {
        const auto batch = queue_.batch(i);
        for (std::size_t offset = 0; offset < batch.bytes.size(); offset += batch.segment_size) {
            const auto length = std::min(batch.segment_size, batch.bytes.size() - offset);
            transmit(client.address, batch.path, batch.bytes.subspan(offset, length));
        }
    }
    queue_.clear();
}

void PoolsWorld::transmit(const net::IpAddress& from, const net::Path& path, ByteSpan payload) {
    const bool is_relayed = path.destination.ip == kRelayAddress;
    if (!path.destination.is_v4() || (!is_relayed && now_ < direct_from_)) {
        return;
    }
    later([this, from, to = path.destination, bytes = to_bytes(payload)] { deliver({from, kUdpPort}, to, bytes); });
}

void PoolsWorld::deliver(const net::SocketAddress& from, const net::SocketAddress& to, Bytes payload) {
    if (to.ip == kRelayAddress) {
        return deliver_to_relay(from, to, payload);
    }
    const auto found = std::ranges::find(clients_, to.ip, &Client::address);
    if (found == clients_.end()) {
        return;
    }
    auto& client = *found;
    if (client.node) {
        const auto packet = client.node->decapsulate(to, from, payload, now_);
        if (packet && *packet) {
            auto bytes = to_bytes((*packet)->packet);
            // What is refused, and said between the programs, is for the hostile one alone.
            const auto parsed = packet::IpPacket::parse(bytes);
            if (parsed && (parsed->is_udp() || parsed->is_tcp()) && !tunnel::p2p::is_control_packet(bytes)) {
                judge_.delivered(client.number, to_bytes((*packet)->packet), now_);
            }
        }
        client.node->handle_timeout(now_);
        return drain(client);
    }
    client.state->handle_datagram(to, from, net::Ecn::kNotEct, payload, coalescer_, now_);
    std::vector<Bytes> packets;
    for (std::size_t i = 0; i < coalescer_.size(); ++i) {
        auto& packet = packets.emplace_back();
        for (const auto& piece : coalescer_.item(i).pieces.subspan(1)) {
            append(packet, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
        }
    }
    coalescer_.clear();
    for (auto& packet : packets) {
        delivered(client, std::move(packet));
    }
    drain(client);
}

void PoolsWorld::deliver_to_relay(const net::SocketAddress& from, const net::SocketAddress& to, const Bytes& payload) {
    if (to.port == kRelayPort) {
        auto copy = payload;
        if (const auto onward = relay_.handle_client_input(copy, from, now_, wall())) {
            later([this, source = net::SocketAddress{kRelayAddress, onward->port}, peer = onward->peer,
                   bytes = to_bytes(onward->payload)] { deliver(source, peer, bytes); });
        }
    } else if (const auto onward = relay_.handle_peer_input(from, to.port, payload.size())) {
        Bytes framed(turn::kChannelDataHeaderSize);
        turn::encode_channel_data_header(framed, {onward->channel, static_cast<std::uint16_t>(payload.size())});
        append(framed, payload);
        later([this, target = onward->client, framed] { deliver({kRelayAddress, kRelayPort}, target, framed); });
    }
    drain_relay();
}

void PoolsWorld::drain_relay() {
    while (const auto command = relay_.poll_command()) {
        if (const auto* message = std::get_if<turn::SendMessage>(&*command)) {
            later([this, to = message->client, bytes = message->payload] {
                deliver({kRelayAddress, kRelayPort}, to, bytes);
            });
        }
    }
}

}  // namespace culvert::model::pools
