#include "culvert/tunnel/testing/device_network.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::tunnel::test {
namespace {

/// Tests that last for hours would only repeat the same checks of the sans-IO contract.
constexpr Instant kContractChecksEnd{std::chrono::minutes{3}};

constexpr WallTime kWallStart{std::chrono::seconds{1'763'000'000}};
constexpr int kMaxStepsAtOneInstant = 20'000;
constexpr std::size_t kHeadroom = 64;  // as io leaves it in front of what it read
const net::IpAddress kRelayAddress = ip("203.0.113.21");
const std::string kRelayUser = "1863000000:salt";
constexpr std::uint8_t kRogue = 66;

/// The same on both sides as long as the keys of both sides are the same, as the portal's are.
portal_api::IceCredentials credentials(const crypto::PublicKey& owner, const crypto::PublicKey& peer) {
    const auto text = to_hex(owner.bytes).substr(0, 16) + to_hex(peer.bytes).substr(0, 16);
    return {text.substr(0, 4), text};
}

net::IpAddress ipv4_of(std::uint8_t number) {
    return ip("100.64.0." + std::to_string(number));
}
net::IpAddress ipv6_of(std::uint8_t number) {
    return ip("fd00:2021:1111::" + std::to_string(number));
}

/// What a client is told of another one.
struct Party {
    std::uint8_t number;
    const crypto::PublicKey& key;
};
portal_api::DeviceAccessAuthorized about(const Party& other, const Party& receiver, portal_api::IceRole role) {
    return {.client_id = test::id<ClientId>(other.number),
            .client_name = "client " + std::to_string(other.number),
            .client_public_key = other.key,
            .client_ipv4 = ipv4_of(other.number),
            .client_ipv6 = ipv6_of(other.number),
            .preshared_key = {},
            .ice_role = role,
            .local_ice_credentials = credentials(receiver.key, other.key),
            .remote_ice_credentials = credentials(other.key, receiver.key)};
}

}  // namespace

DeviceNetwork::Client::Client(std::uint8_t number, Instant now)
    : id{test::id<ClientId>(number)},
      address{ip("192.0.2." + std::to_string(number))},
      ipv4{ipv4_of(number)},
      ipv6{ipv6_of(number)},
      state{Rng::from_number(number), now, kWallStart} {}

DeviceNetwork::Rogue::Rogue(Instant now)
    : id{test::id<ClientId>(kRogue)},
      address{ip("192.0.2.66")},
      ipv4{ipv4_of(kRogue)},
      ipv6{ipv6_of(kRogue)},
      node{connectivity::Role::kClient, Rng::from_number(kRogue), now, kWallStart} {}

DeviceNetwork::DeviceNetwork(std::uint8_t count)
    : relay_secret_{[] {
          auto rng = Rng::from_number(1000);
          return turn::make_stamp_secret(rng);
      }()},
      relay_{turn::ServerConfig{.public_v4 = kRelayAddress, .public_v6 = {}}, relay_secret_, Rng::from_number(1001)} {
    coalescer_.set_coalescing(false, false);
    for (std::uint8_t number = 1; number <= count; ++number) {
        clients.try_emplace(number, number, now);
    }
    for (std::uint8_t number = 1; number <= count; ++number) {
        init(number);
    }
}

// --- The portal ---

std::vector<portal_api::Relay> DeviceNetwork::relays() const {
    if (!has_relays) {
        return {};
    }
    return {{test::id<RelayId>(1),
             {kRelayAddress, 3478},
             kRelayUser,
             turn::relay_password(*turn::RelayUsername::parse(kRelayUser), relay_secret_),
             {}}};
}

portal_api::PoolDevice DeviceNetwork::device(std::uint8_t number) const {
    return {test::id<ClientId>(number), ipv4_of(number), ipv6_of(number)};
}

void DeviceNetwork::put_pool(std::uint8_t number, std::set<std::uint8_t> users,
                             const std::vector<std::uint8_t>& members, std::vector<portal_api::Filter> filters,
                             std::optional<UnixSeconds> expires_at) {
    portal_api::DevicePool pool{test::id<ResourceId>(number), "pool", std::move(filters), {}};
    for (const auto member : members) {
        pool.devices.push_back(device(member));
    }
    for (const auto user : users) {
        to_client(user, portal_api::DevicePoolCreatedOrUpdated{pool});
    }
    pools.insert_or_assign(number, Pool{std::move(pool), std::move(users), expires_at});
}

void DeviceNetwork::remove_pool(std::uint8_t number) {
    const auto removed = pools.extract(number);
    for (const auto user : removed.mapped().users) {
        to_client(user, portal_api::ResourceDeleted{removed.mapped().pool.id});
    }
}

void DeviceNetwork::init(std::uint8_t number, std::vector<portal_api::Authorization> authorizations) {
    const auto& client = clients.at(number);
    portal_api::ClientInit message{{client.ipv4, client.ipv6, {}, {}, {}}, {}, relays()};
    for (const auto& [pool_number, pool] : pools) {
        if (pool.users.contains(number)) {
            message.device_pools.push_back(pool.pool);
        }
    }
    message.authorizations = std::move(authorizations);
    to_client(number, message);
}

void DeviceNetwork::to_client(std::uint8_t number, const portal_api::ToClient& message) {
    auto& client = clients.at(number);
    client.state.handle_portal(message, now, wall_now());
    drain(number, client);
}

void DeviceNetwork::reset(std::uint8_t number) {
    clients.at(number).state.reset("test", now);
    drain(number, clients.at(number));
}

void DeviceNetwork::shut_down(std::uint8_t number) {
    clients.at(number).state.shut_down(now);
    drain(number, clients.at(number));
}

portal_api::DeviceAccessAuthorized DeviceNetwork::to_target(std::uint8_t pool, std::uint8_t initiator,
                                                            std::uint8_t target) const {
    auto message =
        about({initiator, clients.at(initiator).state.public_key()}, {target, clients.at(target).state.public_key()},
              target < initiator ? portal_api::IceRole::kControlling : portal_api::IceRole::kControlled);
    const auto& granted = pools.at(pool);
    message.resource = portal_api::PoolGrant{granted.pool.id, granted.pool.filters};
    message.expires_at = granted.expires_at;
    return message;
}

portal_api::DeviceAccessAuthorized DeviceNetwork::to_initiator(std::uint8_t initiator, std::uint8_t target) const {
    return about({target, clients.at(target).state.public_key()}, {initiator, clients.at(initiator).state.public_key()},
                 target < initiator ? portal_api::IceRole::kControlled : portal_api::IceRole::kControlling);
}

void DeviceNetwork::handle(std::uint8_t from, portal_api::FromClient message) {
    std::visit(overloaded{
                   [&](portal_api::CreateFlow& request) {
                       clients.at(from).requests.push_back(request);
                       if (is_portal_answering) {
                           later([this, from, request] { answer(from, request); });
                       }
                   },
                   [&](portal_api::BroadcastClientIceCandidates& candidates) {
                       ++clients.at(from).candidate_messages;
                       later([this, from, candidates] { forward(from, candidates); });
                   },
                   [](auto&) {},
               },
               message);
}

void DeviceNetwork::answer(std::uint8_t from, const portal_api::CreateFlow& request) {
    for (const auto& [number, pool] : pools) {
        if (pool.pool.id != request.resource_id || !pool.users.contains(from)) {
            continue;
        }
        for (const auto& [other, client] : clients) {
            const bool is_meant = client.ipv4.to_string() == request.ipv4 || client.ipv6.to_string() == request.ipv6;
            if (is_meant && std::ranges::count(pool.pool.devices, client.id, &portal_api::PoolDevice::client_id) > 0) {
                to_client(other, to_target(number, from, other));
                to_client(from, to_initiator(from, other));
                return;
            }
        }
    }
    to_client(from, portal_api::DeviceAccessDenied{request.ipv4 ? net::IpAddress::parse(*request.ipv4) : std::nullopt,
                                                   request.ipv6 ? net::IpAddress::parse(*request.ipv6) : std::nullopt,
                                                   portal_api::DeviceAccessRefusal::kForbidden});
}

void DeviceNetwork::forward(std::uint8_t from, const portal_api::BroadcastClientIceCandidates& candidates) {
    const auto& sender = clients.at(from).id;
    if (rogue && candidates.client_ids.front() == rogue->id) {
        for (const auto& candidate : candidates.candidates) {
            rogue->node.add_remote_candidate(sender.uuid(), candidate, now);
        }
    }
    for (const auto& [number, client] : clients) {
        if (candidates.client_ids.front() == client.id) {
            to_client(number, portal_api::ClientIceCandidates{sender, candidates.candidates});
        }
    }
}

// --- Devices ---

void DeviceNetwork::send(std::uint8_t from, ByteSpan packet) {
    Bytes buffer(kHeadroom + packet.size());
    std::ranges::copy(packet, buffer.begin() + kHeadroom);
    auto& client = clients.at(from);
    client.state.handle_tun_packet({MutableByteSpan{buffer}.subspan(kHeadroom), {}}, queue_, now);
    drain(from, client);
}

void DeviceNetwork::drain(std::uint8_t number, Client& client) {
    flush_queue(client.address);
    const bool is_due = client.state.poll_timeout().value_or(now + kDelay) <= now;
    if (is_due) {
        client.state.handle_timeout(now, wall_now());
    }
    while (const auto out = client.state.poll_transmit()) {
        transmit(client.address, out->path, out->payload);
    }
    while (auto event = client.state.poll_event()) {
        std::visit(
            overloaded{
                [&](TunInterfaceUpdated& updated) { client.tun_config = std::move(updated.config); },
                [&](SendToPortal& sent) { handle(number, std::get<portal_api::FromClient>(std::move(sent.message))); },
                [&](AskForRelays&) { ++client.portal_reconnects; },
                [](ConnectionEnded&) {},
                [](auto&) {},
            },
            *event);
    }
    while (auto packet = client.state.poll_tun_packet()) {
        client.received.push_back(std::move(*packet));
    }
    while (client.state.poll_drops()) {
    }
    if (is_due && now < kContractChecksEnd) {
        contract::expect_spurious_timeout_is_invisible(client.state, now, wall_now());
    }
}

void DeviceNetwork::collect(std::vector<Bytes>& packets) {
    for (std::size_t i = 0; i < coalescer_.size(); ++i) {
        Bytes packet;
        for (const auto& piece : coalescer_.item(i).pieces.subspan(1)) {
            append(packet, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
        }
        packets.push_back(std::move(packet));
    }
    coalescer_.clear();
}

// --- The rogue ---

portal_api::DeviceAccessAuthorized DeviceNetwork::rogue_authorization(std::uint8_t target,
                                                                      const std::optional<portal_api::PoolGrant>& grant,
                                                                      std::optional<UnixSeconds> expires_at) const {
    auto message = about({kRogue, rogue->node.public_key()}, {target, clients.at(target).state.public_key()},
                         portal_api::IceRole::kControlled);
    message.resource = grant;
    message.expires_at = expires_at;
    return message;
}

void DeviceNetwork::connect_rogue(std::uint8_t target, const std::optional<portal_api::PoolGrant>& grant,
                                  std::optional<UnixSeconds> expires_at) {
    if (!rogue) {
        rogue.emplace(now);
        rogue->node.update_relays({}, to_relay_servers(relays()), now);
        run_for(std::chrono::seconds{1});
    }
    to_client(target, rogue_authorization(target, grant, expires_at));
    const auto& client = clients.at(target);
    const auto& key = client.state.public_key();
    const auto local = credentials(rogue->node.public_key(), key);
    const auto remote = credentials(key, rogue->node.public_key());
    if (!rogue->node.upsert_client_connection(client.id.uuid(), key, {}, {local.username, local.password},
                                              {remote.username, remote.password}, ice::AgentRole::kControlling, now)) {
        throw std::runtime_error{"no relays"};
    }
    run_for(std::chrono::seconds{3});
}

void DeviceNetwork::send_from_rogue(std::uint8_t target, ByteSpan packet) {
    rogue->node.encapsulate(clients.at(target).id.uuid(), packet, now);
    drain_rogue();
}

void DeviceNetwork::drain_rogue() {
    if (!rogue) {
        return;
    }
    auto& node = rogue->node;
    if (node.poll_timeout().value_or(now + kDelay) <= now) {
        node.handle_timeout(now);
    }
    while (const auto out = node.poll_transmit()) {
        transmit(rogue->address, out->path, out->payload);
    }
    while (const auto event = node.poll_event()) {
        if (const auto* candidate = std::get_if<connectivity::NewIceCandidate>(&*event)) {
            later([this, text = candidate->candidate] {
                for (const auto& [number, client] : clients) {
                    to_client(number, portal_api::ClientIceCandidates{rogue->id, {text}});
                }
            });
        }
    }
}

// --- The wire ---

void DeviceNetwork::flush_queue(const net::IpAddress& from) {
    for (std::size_t i = 0; i < queue_.size(); ++i) {
        const auto batch = queue_.batch(i);
        for (std::size_t offset = 0; offset < batch.bytes.size(); offset += batch.segment_size) {
            const auto length = std::min(batch.segment_size, batch.bytes.size() - offset);
            transmit(from, batch.path, batch.bytes.subspan(offset, length));
        }
    }
    queue_.clear();
}

void DeviceNetwork::transmit(const net::IpAddress& from, const net::Path& path, ByteSpan payload) {
    if (!path.destination.is_v4() || (is_lost && is_lost({from, kPort}, path.destination))) {
        return;
    }
    later([this, from, to = path.destination, bytes = to_bytes(payload)] { deliver({from, kPort}, to, bytes); });
}

void DeviceNetwork::deliver(const net::SocketAddress& from, const net::SocketAddress& to, Bytes payload) {
    if (to.ip == kRelayAddress) {
        deliver_to_relay(from, to, payload);
        return;
    }
    for (auto& [number, client] : clients) {
        if (to.ip == client.address) {
            client.state.handle_datagram(to, from, net::Ecn::kNotEct, payload, coalescer_, now);
            collect(client.received);
            drain(number, client);
            return;
        }
    }
    if (rogue && to.ip == rogue->address) {
        const auto packet = rogue->node.decapsulate(to, from, payload, now);
        if (packet && *packet) {
            rogue->received.push_back(to_bytes((*packet)->packet));
        }
        rogue->node.handle_timeout(now);
        drain_rogue();
    }
}

void DeviceNetwork::deliver_to_relay(const net::SocketAddress& from, const net::SocketAddress& to,
                                     const Bytes& payload) {
    if (to.port == 3478) {
        auto copy = payload;
        const auto wall = kWallStart + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
        if (const auto onward = relay_.handle_client_input(copy, from, now, wall)) {
            later([this, source = net::SocketAddress{kRelayAddress, onward->port}, peer = onward->peer,
                   bytes = to_bytes(onward->payload)] { deliver(source, peer, bytes); });
        }
    } else if (const auto onward = relay_.handle_peer_input(from, to.port, payload.size())) {
        Bytes framed(turn::kChannelDataHeaderSize);
        turn::encode_channel_data_header(framed, {onward->channel, static_cast<std::uint16_t>(payload.size())});
        append(framed, payload);
        later([this, target = onward->client, framed] { deliver({kRelayAddress, 3478}, target, framed); });
    }
    run_relay_commands();
}

void DeviceNetwork::run_relay_commands() {
    while (const auto command = relay_.poll_command()) {
        if (const auto* message = std::get_if<turn::SendMessage>(&*command)) {
            later(
                [this, to = message->client, bytes = message->payload] { deliver({kRelayAddress, 3478}, to, bytes); });
        }
    }
}

// --- Time ---

UnixSeconds DeviceNetwork::wall_now() const {
    return std::chrono::floor<std::chrono::seconds>(kWallStart + now.time_since_epoch());
}

Instant DeviceNetwork::next_event(Instant end) {
    auto next = end + std::chrono::nanoseconds{1};
    for (auto& [number, client] : clients) {
        next = std::min(next, client.state.poll_timeout().value_or(next));
    }
    if (rogue) {
        next = std::min(next, rogue->node.poll_timeout().value_or(next));
    }
    next = std::min(next, relay_.poll_timeout().value_or(next));
    return in_flight_.empty() ? next : std::min(next, in_flight_.begin()->first);
}

void DeviceNetwork::run_for(Duration duration) {
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
        for (auto& [number, client] : clients) {
            drain(number, client);
        }
        drain_rogue();
    }
    now = end;
}

}  // namespace culvert::tunnel::test
