#include "tests/model/world/hostile_gateway.h"

#include <utility>

#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/turn/channel_data.h"
#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/message.h"

namespace culvert::model {
namespace {

constexpr std::uint32_t kInitiation{std::to_underlying(wireguard::PacketKind::kInitiation)};
constexpr std::uint32_t kResponse{std::to_underlying(wireguard::PacketKind::kResponse)};
constexpr std::uint32_t kCookieReply{std::to_underlying(wireguard::PacketKind::kCookieReply)};
constexpr std::uint32_t kData{std::to_underlying(wireguard::PacketKind::kData)};
/// How many handshakes are answered wrongly after it was told to.
constexpr unsigned kHandshakes = 3;

std::uint32_t type_of(ByteSpan message) {
    return message.size() >= 8 ? load_le<std::uint32_t>(message) : 0;
}

}  // namespace

HostileGateway::HostileGateway(GatewayNo number, std::uint16_t port, PortalLink& link, Environment& environment,
                               const Rng& rng, Instant now)
    : number_{number},
      port_{port},
      link_{link},
      environment_{environment},
      rng_{environment.rng("hostile gateway")},
      node_{connectivity::Role::kGateway, rng, now, environment.wall_now(number)} {}

void HostileGateway::handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn,
                                     MutableByteSpan payload, Instant now) {
    if (auto framed = unframe(from, payload); type_of(framed.message) == kInitiation) {
        last_initiation_ = std::move(framed);
        if (wrong_answers_ > 0) {
            --wrong_answers_;
            give_wrong_answers();
        }
    }
    const auto packet = node_.decapsulate(local, from, payload, now);
    if (packet && *packet && !tunnel::p2p::is_control_packet((*packet)->packet)) {
        requests_.insert_or_assign((*packet)->connection, to_bytes((*packet)->packet));
    }
    node_.handle_timeout(now);
}

void HostileGateway::handle_portal_event(portal_channel::Event& event, Instant now) {
    if (const auto* received = std::get_if<portal_channel::MessageReceived>(&event)) {
        if (const auto* message = std::get_if<portal_api::ToGateway>(&received->message)) {
            std::visit([&](const auto& alternative) { handle(alternative, now); }, *message);
            node_.handle_timeout(now);
        }
    }
}

void HostileGateway::handle(const portal_api::GatewayInit& message, Instant now) {
    interface_ = message.interface;
    node_.update_relays({}, tunnel::to_relay_servers(message.relays), now);
}

void HostileGateway::handle(const portal_api::AuthorizeFlow& message, Instant now) {
    const auto& client = message.client;
    keys_.insert_or_assign(client.id.uuid(), client.public_key);
    last_ref_ = message.ref;
    const auto created = node_.upsert_connection(
        client.id.uuid(), client.public_key, client.preshared_key,
        {message.gateway_ice_credentials.username, message.gateway_ice_credentials.password},
        {message.client_ice_credentials.username, message.client_ice_credentials.password}, now);
    if (created) {
        tell(portal_api::FlowAuthorized{message.ref});
    }
}

void HostileGateway::handle(const portal_api::RelaysPresence& message, Instant now) {
    node_.update_relays(message.disconnected_ids, tunnel::to_relay_servers(message.connected), now);
}

void HostileGateway::handle(const portal_api::ClientIceCandidates& message, Instant now) {
    for (const auto& candidate : message.candidates) {
        node_.add_remote_candidate(message.client_id.uuid(), candidate, now);
    }
}

bool HostileGateway::drain(Instant) {
    bool has_output = send_outputs(node_, number_, port_, environment_);
    has_output |= std::exchange(has_told_, false);
    while (const auto event = node_.poll_event()) {
        has_output = true;
        if (const auto* candidate = std::get_if<connectivity::NewIceCandidate>(&*event)) {
            tell(portal_api::BroadcastClientIceCandidates{{ClientId{candidate->id}}, {candidate->candidate}});
        }
    }
    return has_output;
}

void HostileGateway::tell(portal_api::FromGateway message) {
    link_.channel().send(std::move(message));
    has_told_ = true;
}

portal_channel::ChannelOptions HostileGateway::channel_options() const {
    return {.role = portal_api::Role::kGateway, .stamp_secret = {}, .max_partition_time = {}};
}

std::string HostileGateway::snapshot(Instant now) const {
    return node_.debug_snapshot(now);
}

bool HostileGateway::has_tunnel(const Uuid& client) const {
    return node_.has_connection(client);
}

ByteSpan HostileGateway::last_request(const Uuid& client) const {
    const auto request = requests_.find(client);
    return request == requests_.end() ? ByteSpan{} : ByteSpan{request->second};
}

// --- Inside the tunnel ---

void HostileGateway::send_inside(const Uuid& client, ByteSpan packet, Instant now) {
    node_.encapsulate(client, packet, now);
    node_.handle_timeout(now);
}

void HostileGateway::send_twice(const Uuid& client, ByteSpan packet, Instant now) {
    node_.encapsulate(client, packet, now);
    while (const auto out = node_.poll_transmit()) {
        environment_.send(number_, out->path.source, port_, out->path.destination, out->ecn, out->payload);
        if (const auto framed = unframe(out->path.destination, out->payload); type_of(framed.message) == kData) {
            send_forged(framed);
        }
    }
}

void HostileGateway::send_bogus_data(const Uuid& client, ByteSpan packet, Instant now) {
    node_.encapsulate(client, packet, now);
    while (const auto out = node_.poll_transmit()) {
        auto framed = unframe(out->path.destination, out->payload);
        if (type_of(framed.message) != kData) {
            environment_.send(number_, out->path.source, port_, out->path.destination, out->ecn, out->payload);
            continue;
        }
        const auto sealed = MutableByteSpan{framed.message}.subspan(wireguard::kDataHeaderSize);
        sealed[rng_.below(sealed.size())] ^= std::byte{0x01};
        store_le(MutableByteSpan{framed.message}.subspan(wireguard::kDataCounter), rng_.next_u64());
        send_forged(framed);
    }
}

HostileGateway::Framed HostileGateway::unframe(const net::SocketAddress& peer, ByteSpan datagram) {
    const bool is_channel_data =
        datagram.size() > turn::kChannelDataHeaderSize && (std::to_integer<unsigned>(datagram[0]) & 0xf0U) == 0x40U;
    const auto header = is_channel_data ? datagram.first(turn::kChannelDataHeaderSize) : ByteSpan{};
    return {peer, to_bytes(header), to_bytes(datagram.subspan(header.size()))};
}

void HostileGateway::send_forged(const Framed& framed) {
    auto datagram = framed.header;
    if (!datagram.empty()) {
        store_be(MutableByteSpan{datagram}.subspan(2), static_cast<std::uint16_t>(framed.message.size()));
    }
    append(datagram, framed.message);
    environment_.send_forged(number_, port_, framed.peer, datagram);
}

// --- Handshakes ---

void HostileGateway::answer_wrongly(const Uuid& client, unsigned count) {
    const auto key = keys_.find(client);
    if (key == keys_.end()) {
        return;
    }
    answered_key_ = key->second;
    wrong_answers_ = kHandshakes;
    for (unsigned i = 0; i < count; ++i) {
        give_wrong_answers();
    }
}

void HostileGateway::give_wrong_answers() {
    if (!last_initiation_ || !answered_key_) {
        return;
    }
    const auto asked = load_le<std::uint32_t>(ByteSpan{last_initiation_->message}.subspan(4));
    const auto make = [&](std::uint32_t type, std::size_t size, std::size_t receiver) {
        Bytes message(size);
        rng_.fill(message);
        store_le(MutableByteSpan{message}, type);
        store_le(MutableByteSpan{message}.subspan(receiver), asked);
        return message;
    };
    auto response = make(kResponse, wireguard::kResponseSize, 8);
    wireguard::MacWriter{*answered_key_}.write(response, Instant{});
    auto answer = *last_initiation_;
    answer.message = response;
    send_forged(answer);
    answer.message.resize(wireguard::kResponseSize - 1);
    send_forged(answer);
    answer.message = make(kCookieReply, wireguard::kCookieReplySize, 4);
    send_forged(answer);
}

// --- Through the portal ---

void HostileGateway::flood_candidates(const Uuid& client, std::size_t count) {
    portal_api::BroadcastClientIceCandidates message{{ClientId{client}}, {}};
    for (std::size_t i = 0; i < count; ++i) {
        // Addresses of the client's own network among them.
        message.candidates.push_back("candidate:" + std::to_string(i) + " 1 UDP " + std::to_string(2'130'706'431 - i) +
                                     " 192.168." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) +
                                     " 4000 typ host");
    }
    tell(std::move(message));
}

void HostileGateway::send_bad_candidates(const Uuid& client) {
    constexpr std::size_t kOversized = 20'000;
    portal_api::BroadcastClientIceCandidates message{
        {ClientId{client}},
        {"", " ", "candidate:", "candidate:1 1 UDP 1 10.0.0.1", std::string(kOversized, 'x'),
         "candidate:" + std::string(kOversized, '1') + " 1 UDP 1 10.0.0.1 4000 typ host",
         "candidate:1 1 UDP 99999999999 10.0.0.1 4000 typ host", "candidate:1 2 UDP 1 10.0.0.1 4000 typ host",
         "candidate:1 1 TCP 1 10.0.0.1 4000 typ host", "candidate:1 1 UDP 1 10.0.0.1 0 typ host",
         "candidate:1 1 UDP 1 10.0.0.1 65536 typ host", "candidate:1 1 UDP 1 host.local 4000 typ host",
         "candidate:1 1 UDP 1 127.0.0.1 4000 typ host", "candidate:2 1 UDP 1 224.0.0.1 4000 typ host",
         "candidate:3 1 UDP 1 255.255.255.255 4000 typ srflx raddr 0.0.0.0 rport 0",
         "candidate:4 1 UDP 1 ::ffff:10.0.0.1 4000 typ host", "candidate:5 1 UDP 1 100.64.0.1 4000 typ host",
         "candidate:6 1 UDP 1 10.0.0.1 4000 typ relay raddr 10.0.0.1\n rport 1"}};
    tell(std::move(message));
}

void HostileGateway::send_bogus_answers() {
    tell(portal_api::FlowAuthorized{last_ref_});
    tell(portal_api::FlowAuthorized{""});
    tell(portal_api::FlowAuthorized{"x" + last_ref_});
    tell(portal_api::BroadcastClientIceCandidates{{}, {}});
    tell(portal_api::BroadcastInvalidatedClientIceCandidates{{ClientId{Uuid{}}},
                                                             {"candidate:1 1 UDP 1 10.0.0.1 4000 typ host"}});
}

}  // namespace culvert::model
