#include "culvert/connectivity/testing/virtual_network.h"

#include <algorithm>
#include <stdexcept>

#include "culvert/base/overloaded.h"
#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/segmenter.h"
#include "culvert/stun/message.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/wireguard/message.h"

namespace culvert::connectivity::testing {
namespace {

/// Tests that last for hours would only repeat the same checks of the sans-IO contract.
constexpr Instant kContractChecksEnd{std::chrono::minutes{3}};

constexpr WallTime kWallStart{std::chrono::seconds{1'763'000'000}};
constexpr int kMaxStepsAtOneInstant = 20'000;

}  // namespace

Host::Host(Role host_role, Uuid host_id, std::uint64_t seed, Instant now)
    : role{host_role},
      id{host_id},
      node{host_role, Rng::from_number(seed), now,
           kWallStart + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch())} {}

Host& Network::add_host(Role role, std::optional<std::string_view> v4, std::optional<std::string_view> v6) {
    auto& host = hosts.emplace_back(role, Uuid::random(rng_), rng_.next_u64(), now);
    if (v4) {
        host.v4 = ip(*v4);
    }
    if (v6) {
        host.v6 = ip(*v6);
    }
    return host;
}

Relay& Network::add_relay(std::optional<std::string_view> v4, std::optional<std::string_view> v6) {
    auto& relay = relays.emplace_back();
    relay.description.id = RelayId::random(rng_);
    if (v4) {
        relay.description.v4 = net::SocketAddress{ip(*v4), 3478};
    }
    if (v6) {
        relay.description.v6 = net::SocketAddress{ip(*v6), 3478};
    }
    reboot(relay);
    return relay;
}

void Network::reboot(Relay& relay) {
    turn::ServerConfig config;
    if (relay.description.v4) {
        config.public_v4 = relay.description.v4->ip;
    }
    if (relay.description.v6) {
        config.public_v6 = relay.description.v6->ip;
    }
    const auto secret = turn::make_stamp_secret(rng_);
    relay.description.username = "1863000000:salt";
    relay.description.password = turn::relay_password(*turn::RelayUsername::parse(relay.description.username), secret);
    relay.server = std::make_unique<turn::Server>(config, secret, rng_.fork());
    relay.ports.clear();
}

void Network::give_relays(Host& host, const std::vector<const Relay*>& given) {
    std::vector<RelayServer> listed;
    for (const auto* relay : given) {
        listed.push_back(relay->description);
    }
    host.node.update_relays({}, listed, now);
    settle_node(host);
}

void Network::settle() {
    std::vector<const Relay*> all;
    for (const auto& relay : relays) {
        all.push_back(&relay);
    }
    for (auto& host : hosts) {
        give_relays(host, all);
    }
    run_for(std::chrono::seconds{1});
}

Credentials Network::credentials_of(const Host& host) const {
    return {host.id.to_string().substr(0, 3) + credentials_epoch, "password of " + host.id.to_string()};
}

void Network::connect(Host& client, Host& gateway) {
    upsert(gateway, client);
    upsert(client, gateway);
}

void Network::upsert(Host& host, const Host& peer) {
    if (!host.node.upsert_connection(peer.id, peer.node.public_key(), preshared_key, credentials_of(host),
                                     credentials_of(peer), now)) {
        throw std::runtime_error{"no relays"};
    }
    settle_node(host);
}

void Network::send(Host& from, const Host& to, ByteSpan ip_packet) {
    // Headroom as the TUN reader leaves it.
    Bytes buffer(64 + ip_packet.size());
    std::ranges::copy(ip_packet, buffer.begin() + 64);
    packet::Segmenter segments{packet::TunPacket{MutableByteSpan{buffer}.subspan(64), {}}};
    from.node.encapsulate(to.id, segments, from.queue, now);
    flush_queue(from);
    drain(from);
}

void Network::send_slow(Host& from, const Host& to, ByteSpan ip_packet) {
    from.node.encapsulate(to.id, ip_packet, now);
    settle_node(from);
}

void Network::inject(Datagram datagram) {
    const auto arrives_at = now + (delay_of ? delay_of(datagram) : delay);
    in_flight_.emplace(arrives_at, std::move(datagram));
}

void Network::block_direct(const Host& a, const Host& b) {
    is_lost = [&a, &b, before = is_lost](const Datagram& datagram) {
        const auto is_between = [&](const Host& x, const Host& y) {
            const auto owns = [](const Host& host, const net::IpAddress& address) {
                return host.owns(address) || host.nat == address;
            };
            return owns(x, datagram.from.ip) && owns(y, datagram.to.ip);
        };
        return is_between(a, b) || is_between(b, a) || (before && before(datagram));
    };
}

Instant Network::next_event(Instant end) {
    auto next = end + std::chrono::nanoseconds{1};
    for (auto& host : hosts) {
        if (host.is_up) {
            next = std::min(next, host.node.poll_timeout().value_or(next));
        }
    }
    for (auto& relay : relays) {
        next = std::min(next, relay.server->poll_timeout().value_or(next));
    }
    if (!in_flight_.empty()) {
        next = std::min(next, in_flight_.begin()->first);
    }
    return next;
}

void Network::run_for(Duration duration) {
    const auto end = now + duration;
    int steps_at_one_instant = 0;
    for (;;) {
        const auto next = next_event(end);
        if (next > end) {
            break;
        }
        steps_at_one_instant = next <= now ? steps_at_one_instant + 1 : 0;
        if (steps_at_one_instant > kMaxStepsAtOneInstant) {
            throw std::runtime_error{"time stands still"};
        }
        now = std::max(now, next);
        while (!in_flight_.empty() && in_flight_.begin()->first <= now) {
            auto item = std::move(in_flight_.begin()->second);
            in_flight_.erase(in_flight_.begin());
            std::visit(overloaded{
                           [&](Datagram& datagram) { deliver(std::move(datagram)); },
                           [&](Signal& signal) {
                               if (signal.is_new) {
                                   signal.to->node.add_remote_candidate(signal.id, signal.candidate, now);
                               } else {
                                   signal.to->node.remove_remote_candidate(signal.id, signal.candidate, now);
                               }
                               settle_node(*signal.to);
                           },
                       },
                       item);
        }
        for (auto& relay : relays) {
            relay.server->handle_timeout(now);
            run_commands(relay);
        }
        for (auto& host : hosts) {
            if (host.is_up && host.node.poll_timeout().value_or(end + delay) <= now) {
                settle_node(host);
                if (now < kContractChecksEnd) {
                    contract::expect_spurious_timeout_is_invisible(host.node, now);
                }
            }
        }
    }
    now = end;
}

void Network::settle_node(Host& host) {
    host.node.handle_timeout(now);
    drain(host);
}

void Network::drain(Host& host) {
    while (auto event = host.node.poll_event()) {
        const auto signal = [&](const ConnectionId& id, const std::string& candidate, bool is_new) {
            const auto peer = std::ranges::find(hosts, id, &Host::id);
            if (host.is_signalling && peer != hosts.end()) {
                in_flight_.emplace(now, Signal{&*peer, host.id, candidate, is_new});
            }
        };
        if (const auto* added = std::get_if<NewIceCandidate>(&*event)) {
            signal(added->id, added->candidate, true);
        } else if (const auto* removed = std::get_if<InvalidateIceCandidate>(&*event)) {
            signal(removed->id, removed->candidate, false);
        }
        host.events.push_back({now, std::move(*event)});
    }
    while (const auto out = host.node.poll_transmit()) {
        transmit(host, out->path, out->ecn, out->payload);
    }
}

void Network::flush_queue(Host& host) {
    for (std::size_t i = 0; i < host.queue.size(); ++i) {
        const auto batch = host.queue.batch(i);
        for (std::size_t offset = 0; offset < batch.bytes.size(); offset += batch.segment_size) {
            const auto length = std::min(batch.segment_size, batch.bytes.size() - offset);
            transmit(host, batch.path, batch.ecn, batch.bytes.subspan(offset, length));
        }
    }
    host.queue.clear();
}

void Network::transmit(Host& host, const net::Path& path, net::Ecn ecn, ByteSpan payload) {
    if (!host.is_up) {
        return;
    }
    const auto own = path.destination.is_v4() ? host.v4 : host.v6;
    if (!own || (path.source && *path.source != *own)) {
        return;  // no route
    }
    Datagram datagram{{*own, kPort}, path.destination, ecn, to_bytes(payload)};
    host.sent.push_back({now, datagram});
    if (host.nat && datagram.from.is_v4()) {
        auto& port = host.mappings[{datagram.from, datagram.to}];
        if (port == 0) {
            port = host.next_port++;
        }
        datagram.from = {*host.nat, port};
    }
    if (!is_lost || !is_lost(datagram)) {
        inject(std::move(datagram));
    }
}

void Network::deliver(Datagram datagram) {
    for (auto& relay : relays) {
        if (deliver_to_relay(relay, datagram)) {
            return;
        }
    }
    for (auto& host : hosts) {
        if (host.nat && datagram.to.ip == *host.nat) {
            if (const auto inside = inside_of_nat(host, datagram)) {
                deliver_to_host(host, *inside, datagram);
            }
            return;
        }
        const bool is_hidden = host.nat && datagram.to.is_v4();
        if (host.owns(datagram.to.ip) && datagram.to.port == kPort && !is_hidden) {
            deliver_to_host(host, datagram.to, datagram);
            return;
        }
    }
}

std::optional<net::SocketAddress> Network::inside_of_nat(const Host& host, const Datagram& datagram) {
    for (const auto& [flow, port] : host.mappings) {
        if (port == datagram.to.port && flow.second == datagram.from) {
            return flow.first;
        }
    }
    return std::nullopt;
}

bool Network::deliver_to_relay(Relay& relay, const Datagram& datagram) {
    const auto& server = datagram.to.is_v4() ? relay.description.v4 : relay.description.v6;
    if (!server || server->ip != datagram.to.ip) {
        return false;
    }
    if (!relay.is_up) {
        return true;
    }
    if (datagram.to == *server) {
        if (const auto onward = relay.server->handle_client_input(datagram.payload, datagram.from, now, wall_now())) {
            const auto& own = onward->peer.is_v4() ? relay.description.v4 : relay.description.v6;
            Datagram relayed{{own->ip, onward->port}, onward->peer, datagram.ecn, to_bytes(onward->payload)};
            if (!is_lost || !is_lost(relayed)) {
                inject(std::move(relayed));
            }
        }
        run_commands(relay);
    } else if (const auto onward =
                   relay.server->handle_peer_input(datagram.from, datagram.to.port, datagram.payload.size())) {
        Bytes framed(turn::kChannelDataHeaderSize);
        turn::encode_channel_data_header(framed,
                                         {onward->channel, static_cast<std::uint16_t>(datagram.payload.size())});
        append(framed, datagram.payload);
        const auto& own = onward->client.is_v4() ? relay.description.v4 : relay.description.v6;
        inject({*own, onward->client, datagram.ecn, std::move(framed)});
    }
    return true;
}

void Network::run_commands(Relay& relay) {
    while (const auto command = relay.server->poll_command()) {
        if (const auto* message = std::get_if<turn::SendMessage>(&*command)) {
            if (const auto parsed = stun::Message::parse(message->payload); parsed && parsed->error_code()) {
                relay.error_codes.push_back(parsed->error_code()->code);
            }
            const auto& own = message->client.is_v4() ? relay.description.v4 : relay.description.v6;
            inject({*own, message->client, net::Ecn::kNotEct, message->payload});
        }
    }
}

void Network::deliver_to_host(Host& host, const net::SocketAddress& local, Datagram& datagram) {
    if (!host.is_up) {
        return;
    }
    const auto result = host.node.decapsulate(local, datagram.from, datagram.payload, now);
    if (result && *result) {
        host.received.push_back({now, (*result)->connection, to_bytes((*result)->packet)});
        drain(host);
        return;
    }
    if (!result) {
        host.errors.push_back(result.error());
    }
    settle_node(host);
}

WallTime Network::wall_now() const {
    return kWallStart + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
}

Bytes ping(std::uint8_t number, std::size_t payload_size, net::Ecn ecn) {
    packet::IpFields fields;
    fields.ecn = ecn;
    return packet::make_udp(at("100.64.0.1:1000"), at("10.20.0.10:2000"), Bytes(payload_size, std::byte{number}),
                            fields);
}

Bytes goodbye() {
    const auto unspecified = net::IpAddress::unspecified(net::Family::kIpv6);
    packet::IpFields fields;
    fields.ttl = 0;
    Bytes payload(8);
    payload[0] = std::byte{2};
    return packet::make_ip(unspecified, unspecified, 255, payload, fields);
}

Wire wire_kind(ByteSpan datagram) {
    if (const auto kind = wireguard::classify(datagram)) {
        switch (*kind) {
            case wireguard::PacketKind::kInitiation:
                return Wire::kInitiation;
            case wireguard::PacketKind::kResponse:
                return Wire::kResponse;
            case wireguard::PacketKind::kData:
                return datagram.size() == wireguard::kMinDataSize ? Wire::kKeepAlive : Wire::kData;
            case wireguard::PacketKind::kCookieReply:
                return Wire::kOther;
        }
    }
    if (turn::decode_channel_data(datagram, turn::TrailingBytes::kRefuse)) {
        return Wire::kChannelData;
    }
    const auto message = stun::Message::parse(datagram);
    if (!message || message->method() != stun::Method::kBinding || !message->has_integrity()) {
        return Wire::kOther;
    }
    if (message->cls() == stun::Class::kRequest) {
        return message->has(stun::AttributeType::kUseCandidate) ? Wire::kNominatingCheck : Wire::kCheck;
    }
    return message->cls() == stun::Class::kSuccess ? Wire::kCheckSuccess : Wire::kOther;
}

}  // namespace culvert::connectivity::testing
