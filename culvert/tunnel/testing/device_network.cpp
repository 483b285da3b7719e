#include "culvert/tunnel/testing/device_network.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/tunnel/testing/test_values.h"
#include "culvert/tunnel/testing/tunnel_network.h"

namespace culvert::tunnel::test {
namespace {

constexpr std::uint8_t kRogue = 66;

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
    : RogueNode{.address = ip("192.0.2.66"),
                .ipv4 = ipv4_of(kRogue),
                .ipv6 = ipv6_of(kRogue),
                .node = {connectivity::Role::kClient, Rng::from_number(kRogue), now, kWallStart}},
      id{test::id<ClientId>(kRogue)} {}

DeviceNetwork::DeviceNetwork(std::uint8_t count) : VirtualWire{1000} {
    for (std::uint8_t number = 1; number <= count; ++number) {
        clients.try_emplace(number, number, now);
    }
    for (std::uint8_t number = 1; number <= count; ++number) {
        init(number);
    }
}

// --- The portal ---

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
    portal_api::ClientInit message{{client.ipv4, client.ipv6, {}, {}, {}}, {}, {}};
    if (has_relays) {
        message.relays = relays();
    }
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
    drain_client(number, client);
}

void DeviceNetwork::reset(std::uint8_t number) {
    clients.at(number).state.reset("test", now);
    drain_client(number, clients.at(number));
}

void DeviceNetwork::shut_down(std::uint8_t number) {
    clients.at(number).state.shut_down(now);
    drain_client(number, clients.at(number));
}

portal_api::DeviceAccessAuthorized DeviceNetwork::to_target(std::uint8_t pool, std::uint8_t initiator,
                                                            std::uint8_t target) const {
    auto message =
        about({initiator, clients.at(initiator).state.public_key()}, {target, clients.at(target).state.public_key()},
              target < initiator ? portal_api::IceRole::kControlling : portal_api::IceRole::kControlled);
    const auto& granted = pools.at(pool);
    message.resource = portal_api::PoolGrant{granted.pool.id, granted.pool.filters};
    message.expires_at = granted.expires_at;
    if (recorded.contains(pool)) {
        message.flow_logs_ingest_token = ingest_token(granted.pool.id, portal_api::FlowRole::kResponder);
    }
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
                auto granted = to_initiator(from, other);
                if (recorded.contains(number)) {
                    granted.flow_logs_ingest_token = ingest_token(pool.pool.id, portal_api::FlowRole::kInitiator);
                }
                to_client(from, granted);
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
    auto& client = clients.at(from);
    send_from_host(client, packet);
    drain_client(from, client);
}

void DeviceNetwork::deliver(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                            Bytes& payload) {
    for (auto& [number, client] : clients) {
        if (to.ip == client.address) {
            receive(client, from, to, ecn, payload);
            drain_client(number, client);
            return;
        }
    }
    if (rogue && to.ip == rogue->address) {
        receive(*rogue, from, to, payload);
        drain_rogue();
    }
}

void DeviceNetwork::drain() {
    for (auto& [number, client] : clients) {
        drain_client(number, client);
    }
    drain_rogue();
}

void DeviceNetwork::drain_client(std::uint8_t number, Client& client) {
    drain_device(
        client,
        overloaded{
            [&](TunInterfaceUpdated& updated) { client.tun_config = std::move(updated.config); },
            [&](SendToPortal& sent) { handle(number, std::get<portal_api::FromClient>(std::move(sent.message))); },
            [&](AskForRelays&) { ++client.portal_reconnects; },
            [&](FlowsTracked& tracked) { std::ranges::move(tracked.flows, std::back_inserter(client.records)); },
            [](auto&) {},
        });
}

Instant DeviceNetwork::next_timeout() {
    auto next = Instant::max();
    for (auto& [number, client] : clients) {
        next = std::min(next, client.state.poll_timeout().value_or(next));
    }
    return rogue ? std::min(next, rogue->node.poll_timeout().value_or(next)) : next;
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
    if (rogue) {
        VirtualWire::drain_rogue(*rogue, [this](const std::string& candidate) {
            for (const auto& [number, client] : clients) {
                to_client(number, portal_api::ClientIceCandidates{rogue->id, {candidate}});
            }
        });
    }
}

}  // namespace culvert::tunnel::test
