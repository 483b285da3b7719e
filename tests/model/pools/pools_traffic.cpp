// What applications send over pools, and what the hostile client does beside that.

#include <algorithm>
#include <utility>

#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/portal_api/codec.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "tests/model/pools/pools_addresses.h"
#include "tests/model/pools/pools_world.h"

namespace culvert::model::pools {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHeadroom = 64;

Bytes with_number(std::uint64_t number) {
    Bytes payload;
    append_be(payload, number);
    return payload;
}

}  // namespace

void PoolsWorld::step() {
    const auto client = draw(kClients);
    const auto pool = draw(kPools);
    switch (draw(24)) {
        case 0:
            return change_users(pool);
        case 1:
            return change_members(pool);
        case 2:
            return change_ports(pool);
        case 3:
            return draw(3) == 0 ? reset(client) : run_for(10ms);
        case 4:
            return cut_off(client);
        case 5:
            clients_.at(client).is_cut_off = false;
            return run_for(std::chrono::seconds{draw(20)});
        case 6:
            return run_for(std::chrono::seconds{draw(150)});
        case 7:
            return run_for(std::chrono::milliseconds{draw(3000)});
        case 8:
            note("relays only");
            direct_from_ = now_ + std::chrono::seconds{10 + draw(60)};
            return;
        case 9:
            return draw(4) == 0 ? revoke_token(client) : run_for(10ms);
        case 10:
            return ask_as_hostile();
        case 11:
            return signal_as_hostile();
        case 12:
        case 13:
        case 14:
            return forge();
        default: {
            const auto to = draw(kClients);
            if (client != to && client != kHostile) {
                constexpr std::array kProtocols{packet::kProtocolUdp, packet::kProtocolTcp, packet::kProtocolIcmp};
                static_cast<void>(send(client, to, kProtocols.at(draw(3)),
                                       draw(2) == 0 ? kPorts.at(draw(3)) : static_cast<std::uint16_t>(1000 + draw(3)),
                                       draw_port(), draw(2) == 0 ? net::Family::kIpv4 : net::Family::kIpv6));
            }
            return run_for(std::chrono::milliseconds{draw(500)});
        }
    }
}

Sent PoolsWorld::between(unsigned from, unsigned to, std::uint8_t protocol, std::uint16_t source_port,
                         std::uint16_t destination_port, net::Family family) {
    const auto& sender = clients_.at(from);
    const auto& receiver = clients_.at(to);
    const bool is_v4 = family == net::Family::kIpv4;
    const bool is_echo = protocol == packet::kProtocolIcmp;
    return {.from = from,
            .to = to,
            .protocol = is_echo && !is_v4 ? packet::kProtocolIcmpv6 : protocol,
            .source = is_v4 ? sender.ipv4 : sender.ipv6,
            .destination = is_v4 ? receiver.ipv4 : receiver.ipv6,
            .source_port = is_echo ? std::uint16_t{0} : source_port,
            .destination_port = is_echo ? std::uint16_t{0} : destination_port};
}

std::uint64_t PoolsWorld::note_sent(const Sent& sent) {
    const auto number = number_++;
    judge_.sent(number, sent);
    note("send " + std::to_string(number) + ": " + std::to_string(sent.from) + " > " + std::to_string(sent.to) +
         " protocol " + std::to_string(sent.protocol) + " " + std::to_string(sent.source_port) + " > " +
         std::to_string(sent.destination_port));
    return number;
}

Bytes PoolsWorld::packet_of(std::uint64_t number) {
    const auto& sent = judge_.packet(number);
    const net::SocketAddress source{sent.source, sent.source_port};
    const net::SocketAddress destination{sent.destination, sent.destination_port};
    const auto payload = with_number(number);
    switch (sent.protocol) {
        case packet::kProtocolUdp:
            return packet::make_udp(source, destination, payload);
        case packet::kProtocolTcp: {
            const bool is_midstream = sent.from == kHostile && draw(2) == 0;
            return packet::make_tcp(source, destination, {.flags = is_midstream ? packet::kTcpAck : packet::kTcpSyn},
                                    payload);
        }
        default:
            return packet::make_icmp_echo_request(sent.source, sent.destination, 7, 1, payload);
    }
}

std::uint64_t PoolsWorld::send(unsigned from, unsigned to, std::uint8_t protocol, std::uint16_t source_port,
                               std::uint16_t destination_port, net::Family family) {
    const auto number = note_sent(between(from, to, protocol, source_port, destination_port, family));
    const auto packet = packet_of(number);
    auto& client = clients_.at(from);
    Bytes buffer(kHeadroom + packet.size());
    std::ranges::copy(packet, buffer.begin() + kHeadroom);
    client.state->handle_tun_packet({MutableByteSpan{buffer}.subspan(kHeadroom), {}}, queue_, now_);
    drain(client);
    return number;
}

/// Hosts answer datagrams.
void PoolsWorld::answer(const Sent& sent) {
    if (sent.protocol == packet::kProtocolUdp && sent.to != kHostile) {
        static_cast<void>(
            send(sent.to, sent.from, sent.protocol, sent.destination_port, sent.source_port, sent.source.family()));
    }
}

void PoolsWorld::delivered(Client& client, Bytes bytes) {
    judge_.delivered(client.number, bytes, now_);
    auto copy = bytes;
    const auto packet = packet::IpPacket::parse(copy);
    if (packet && packet->is_udp() && packet->payload().size() == sizeof(std::uint64_t)) {
        const auto number = load_be<std::uint64_t>(packet->payload());
        // Not answers, or there would be no end.
        if (number < number_ && judge_.packet(number).source_port >= 1000 &&
            judge_.packet(number).destination_port < 1000) {
            later([this, sent = judge_.packet(number)] { answer(sent); });
        }
    }
}

void PoolsWorld::ask_as_hostile() {
    auto& hostile = clients_.at(kHostile);
    const auto pool = draw(kPools);
    const auto& target = clients_.at(draw(kHostile));
    note("hostile asks for " + std::to_string(target.number) + " by pool " + std::to_string(pool));
    portal_api::CreateFlow request{.resource_id = resources_.at(pool).id, .connected_gateway_ids = {}};
    request.ipv4 = target.ipv4.to_string();
    send_to_portal(hostile, request);
    run_for(1s);
}

void PoolsWorld::signal_as_hostile() {
    std::vector<ClientId> everybody;
    std::ranges::transform(clients_, std::back_inserter(everybody), &Client::id);
    note("hostile signals");
    send_to_portal(clients_.at(kHostile), portal_api::BroadcastClientIceCandidates{
                                              everybody, {"candidate:1 1 udp 2130706175 192.0.2.66 5000 typ host"}});
    run_for(100ms);
}

void PoolsWorld::forge() {
    auto& hostile = clients_.at(kHostile);
    const auto& target = clients_.at(draw(kHostile));
    const auto& other = clients_.at(draw(kHostile));
    const auto to_target = [&](const Bytes& packet) {
        hostile.node->encapsulate(target.id.uuid(), packet, now_);
        drain(hostile);
        run_for(50ms);
    };
    const auto datagram = [&](const net::IpAddress& source, const net::IpAddress& destination) {
        auto sent = between(kHostile, target.number, packet::kProtocolUdp, 1000, kPorts.at(draw(3)), source.family());
        sent.source = source;
        sent.destination = destination;
        return packet_of(note_sent(sent));
    };
    const auto kind = draw(10);
    note("forge " + std::to_string(kind) + " for " + std::to_string(target.number));
    switch (kind) {
        case 0:
            return to_target(datagram(other.ipv4, target.ipv4));
        case 1:
            return to_target(datagram(target.ipv4, target.ipv4));
        case 2:
            return to_target(datagram(hostile.ipv4, other.number == target.number ? ip("10.1.2.3") : other.ipv4));
        case 3:
            return to_target(datagram(hostile.ipv4, ip("100.100.111.1")));
        case 4: {
            const auto about = packet::make_udp({target.ipv4, static_cast<std::uint16_t>(1000 + draw(3))},
                                                {other.ipv4, kPorts.at(draw(3))}, Bytes(8));
            const std::uint8_t code = draw(2) == 0 ? 3 : 13;
            return to_target(packet::make_icmp(hostile.ipv4, target.ipv4, 3, code, 0, about));
        }
        case 5:
            return to_target(to_bytes(tunnel::p2p::goodbye_packet()));
        default: {
            constexpr std::array kProtocols{packet::kProtocolUdp, packet::kProtocolTcp, packet::kProtocolIcmp};
            const auto any_port = [&] {
                return draw(2) == 0 ? draw_port() : static_cast<std::uint16_t>(1000 + draw(3));
            };
            const auto protocol = kProtocols.at(draw(3));
            const auto source_port = any_port();
            return to_target(packet_of(
                note_sent(between(kHostile, target.number, protocol, source_port, any_port(), net::Family::kIpv4))));
        }
    }
}

}  // namespace culvert::model::pools
