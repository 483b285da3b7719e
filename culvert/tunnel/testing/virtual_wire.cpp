#include "culvert/tunnel/testing/virtual_wire.h"

#include <stdexcept>

#include "culvert/tunnel/testing/test_values.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/constants.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::tunnel::test {
namespace {

constexpr int kMaxStepsAtOneInstant = 20'000;
const net::SocketAddress kRelay = socket("203.0.113.21:3478");
const std::string kRelayUser = "1863000000:salt";

std::string relay_secret(std::uint64_t seed) {
    auto rng = Rng::from_number(seed);
    return turn::make_stamp_secret(rng);
}

}  // namespace

portal_api::IceCredentials credentials(const crypto::PublicKey& owner, const crypto::PublicKey& peer) {
    const auto text = to_hex(owner.bytes).substr(0, 16) + to_hex(peer.bytes).substr(0, 16);
    return {text.substr(0, 4), text};
}

VirtualWire::VirtualWire(std::uint64_t relay_seed)
    : relay_secret_{relay_secret(relay_seed)},
      relay_{turn::ServerConfig{.public_v4 = kRelay.ip, .public_v6 = {}}, relay_secret_,
             Rng::from_number(relay_seed + 1)} {
    coalescer_.set_coalescing(false, false);
}

std::vector<portal_api::Relay> VirtualWire::relays() const {
    return {{test::id<RelayId>(1),
             kRelay,
             kRelayUser,
             turn::relay_password(*turn::RelayUsername::parse(kRelayUser), relay_secret_),
             {}}};
}

// --- Devices ---

void VirtualWire::collect(std::vector<Bytes>& packets) {
    for (std::size_t i = 0; i < coalescer_.size(); ++i) {
        Bytes packet;
        for (const auto& piece : coalescer_.item(i).pieces.subspan(1)) {
            append(packet, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
        }
        packets.push_back(std::move(packet));
    }
    coalescer_.clear();
}

void VirtualWire::receive(RogueNode& rogue, const net::SocketAddress& from, const net::SocketAddress& to,
                          Bytes& payload) {
    const auto packet = rogue.node.decapsulate(to, from, payload, now);
    if (packet && *packet) {
        rogue.received.push_back(to_bytes((*packet)->packet));
    }
    rogue.node.handle_timeout(now);
}

void VirtualWire::drain_rogue(RogueNode& rogue, const std::function<void(const std::string&)>& tell) {
    if (rogue.node.poll_timeout().value_or(now + kDelay) <= now) {
        rogue.node.handle_timeout(now);
    }
    while (const auto out = rogue.node.poll_transmit()) {
        transmit(rogue.address, out->path, out->ecn, out->payload);
    }
    while (const auto event = rogue.node.poll_event()) {
        if (const auto* candidate = std::get_if<connectivity::NewIceCandidate>(&*event)) {
            later([tell, text = candidate->candidate] { tell(text); });
        }
    }
}

// --- The network ---

void VirtualWire::flush_queue(const net::IpAddress& from) {
    for (std::size_t i = 0; i < queue_.size(); ++i) {
        const auto batch = queue_.batch(i);
        for (std::size_t offset = 0; offset < batch.bytes.size(); offset += batch.segment_size) {
            const auto length = std::min(batch.segment_size, batch.bytes.size() - offset);
            transmit(from, batch.path, batch.ecn, batch.bytes.subspan(offset, length));
        }
    }
    queue_.clear();
}

void VirtualWire::transmit(const net::IpAddress& from, const net::Path& path, net::Ecn ecn, ByteSpan payload) {
    ++datagrams;
    if (!path.destination.is_v4() || (is_lost && is_lost({from, kPort}, path.destination))) {
        return;
    }
    const auto seen = outer_ecn == net::Ecn::kNotEct ? ecn : outer_ecn;
    later([this, from, to = path.destination, seen, bytes = to_bytes(payload)] {
        arrive({from, kPort}, to, seen, bytes);
    });
}

void VirtualWire::arrive(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn, Bytes payload) {
    if (to.ip == kRelay.ip) {
        arrive_at_relay(from, to, ecn, std::move(payload));
    } else {
        deliver(from, to, ecn, payload);
    }
}

void VirtualWire::arrive_at_relay(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                                  Bytes payload) {
    if (to.port == kRelay.port) {
        const auto wall = kWallStart + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
        if (const auto onward = relay_.handle_client_input(payload, from, now, wall)) {
            later([this, source = net::SocketAddress{kRelay.ip, onward->port}, peer = onward->peer, ecn,
                   bytes = to_bytes(onward->payload)] { arrive(source, peer, ecn, bytes); });
        }
    } else if (const auto onward = relay_.handle_peer_input(from, to.port, payload.size())) {
        Bytes framed(turn::kChannelDataHeaderSize);
        turn::encode_channel_data_header(framed, {onward->channel, static_cast<std::uint16_t>(payload.size())});
        append(framed, payload);
        later([this, target = onward->client, ecn, framed] { arrive(kRelay, target, ecn, framed); });
    }
    run_relay_commands();
}

void VirtualWire::run_relay_commands() {
    while (const auto command = relay_.poll_command()) {
        if (const auto* message = std::get_if<turn::SendMessage>(&*command)) {
            later([this, to = message->client, bytes = message->payload] {
                arrive(kRelay, to, net::Ecn::kNotEct, bytes);
            });
        }
    }
}

// --- Time ---

UnixSeconds VirtualWire::wall_now() const {
    return std::chrono::floor<std::chrono::seconds>(kWallStart + now.time_since_epoch());
}

Instant VirtualWire::next_event(Instant end) {
    auto next = std::min(end + std::chrono::nanoseconds{1}, next_timeout());
    next = std::min(next, relay_.poll_timeout().value_or(next));
    return in_flight_.empty() ? next : std::min(next, in_flight_.begin()->first);
}

void VirtualWire::run_for(Duration duration) {
    const auto end = now + duration;
    int steps_at_one_instant = 0;
    for (auto next = next_event(end); next <= end; next = next_event(end)) {
        steps_at_one_instant = next <= now ? steps_at_one_instant + 1 : 0;
        if (steps_at_one_instant > kMaxStepsAtOneInstant) {
            throw std::runtime_error{"time stands still"};
        }
        now = std::max(now, next);
        while (!in_flight_.empty() && in_flight_.begin()->first <= now) {
            const auto action = std::move(in_flight_.begin()->second);
            in_flight_.erase(in_flight_.begin());
            action();
        }
        relay_.handle_timeout(now);
        run_relay_commands();
        drain();
    }
    now = end;
}

}  // namespace culvert::tunnel::test
