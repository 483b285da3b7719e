#include "tests/model/pools/pools_world.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/portal/token.h"
#include "culvert/portal_api/codec.h"
#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/turn/server/credentials.h"
#include "tests/model/pools/pools_addresses.h"

namespace culvert::model::pools {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxStepsAtOneInstant = 20'000;
constexpr std::chrono::milliseconds kWallOffset{1'763'000'000'000};
constexpr std::chrono::seconds kLongestToken{440};
/// How long a client lies low before it connects to the portal again.
constexpr Duration kConnectPause = 1s;

}  // namespace

PoolsWorld::Client::Client(unsigned client_number)
    : number{client_number},
      dialect{client_number % 2 == 0 ? portal_api::Dialect::kV2 : portal_api::Dialect::kV1},
      address{ip("192.0.2." + std::to_string(client_number + 1))} {}

std::expected<portal::Client, portal::RegisterError> PoolsWorld::Storage::register_client(
    const portal::ClientReport& report, Rng& rng) {
    auto client = MemoryStorage::register_client(report, rng);
    if (client) {
        ids.insert_or_assign(client->external_id, client->id);
    }
    return client;
}

PoolsWorld::PoolsWorld(std::uint64_t seed)
    : rng_{Rng::from_number(seed)},
      storage_{rng_},
      relay_secret_{turn::make_stamp_secret(rng_)},
      relay_{turn::ServerConfig{.public_v4 = kRelayAddress, .public_v6 = {}}, relay_secret_, rng_.child("relay")} {
    coalescer_.set_coalescing(false, false);
    for (unsigned i = 0; i < kClients; ++i) {
        const auto name = "client " + std::to_string(i);
        actors_.at(i) = {portal::ActorId::random(rng_), portal::ActorType::kServiceAccount, name, {}};
        groups_.at(i) = {portal::GroupId::random(rng_), name};
        storage_.put(actors_.at(i));
        storage_.put(groups_.at(i));
        storage_.put(portal::Membership{portal::MembershipId::random(rng_), actors_.at(i).id, groups_.at(i).id});
    }
    for (unsigned pool = 0; pool < kPools; ++pool) {
        auto& resource = resources_.at(pool);
        resource.id = ResourceId::random(rng_);
        resource.type = portal::ResourceType::kStaticDevicePool;
        resource.name = "pool " + std::to_string(pool);
        for (unsigned i = 0; i < kClients; ++i) {
            policies_.at(pool).at(i) = {
                .id = portal::PolicyId::random(rng_), .group = groups_.at(i).id, .resource = resource.id};
            if (draw(2) == 0) {
                pools_.at(pool).users.insert(i);
            }
            if (draw(2) == 0) {
                pools_.at(pool).members.insert(i);
            }
        }
        if (draw(3) != 0) {
            pools_.at(pool).ports = {kPorts.at(draw(3)), kPorts.at(draw(3))};
        }
        put_pool(pool);
    }
    judge_.configure(pools_, now_);
    portal_.emplace(storage_, rng_.child("portal"), now_);

    const auto token =
        portal::create_token({.type = portal::TokenType::kRelay}, {}, storage_.token_keys(), rng_, wall());
    storage_.put(token.row);
    const auto session = portal_->connect({.role = portal_api::Role::kRelay,
                                           .parameters = {{"token", token.text},
                                                          {"ipv4", kRelayAddress.to_string()},
                                                          {"port", std::to_string(kRelayPort)}},
                                           .user_agent = "Debian/12.0.0 relay/0.1.0",
                                           .remote_ip = kRelayAddress},
                                          now_, wall());
    relay_session_ = session.value();
    portal_->handle_frame(relay_session_, portal_api::encode_join(portal_api::Role::kRelay, 0, relay_secret_), now_,
                          wall());
    for (unsigned i = 0; i < kClients; ++i) {
        auto& client = clients_.emplace_back(i);
        if (i == kHostile) {
            client.node.emplace(connectivity::Role::kClient, rng_.child("hostile"), now_, wall());
        } else {
            client.state.emplace(rng_.child("client " + std::to_string(i)), now_, wall());
        }
        connect(client);
    }
    run_for(2s);
}

// --- Administrators ---

void PoolsWorld::put_pool(unsigned pool) {
    auto& resource = resources_.at(pool);
    const auto& said = pools_.at(pool);
    resource.members.clear();
    for (const auto member : said.members) {
        resource.members.push_back({actors_.at(member).id, "client-" + std::to_string(member)});
    }
    std::ranges::sort(resource.members);
    resource.filters.clear();
    for (const auto port : said.ports) {
        resource.filters.push_back({portal_api::FilterProtocol::kUdp, {{port, port}}});
        resource.filters.push_back({portal_api::FilterProtocol::kTcp, {{port, port}}});
    }
    storage_.put(resource);
    for (unsigned i = 0; i < kClients; ++i) {
        const auto& policy = policies_.at(pool).at(i);
        said.users.contains(i) ? storage_.put(policy) : storage_.erase(policy.id);
    }
}

void PoolsWorld::announce() {
    judge_.configure(pools_, now_);
    portal_->handle_changes(now_, wall());
    collect_from_portal();
}

void PoolsWorld::change_users(unsigned pool) {
    const auto client = draw(kClients);
    auto& users = pools_.at(pool).users;
    const bool is_added = users.insert(client).second;
    if (!is_added) {
        users.erase(client);
    }
    note("pool " + std::to_string(pool) + (is_added ? ": user " : ": no user ") + std::to_string(client));
    put_pool(pool);
    announce();
}

void PoolsWorld::change_members(unsigned pool) {
    const auto client = draw(kClients);
    auto& members = pools_.at(pool).members;
    const bool is_added = members.insert(client).second;
    if (!is_added) {
        members.erase(client);
    }
    note("pool " + std::to_string(pool) + (is_added ? ": member " : ": no member ") + std::to_string(client));
    put_pool(pool);
    announce();
}

void PoolsWorld::change_ports(unsigned pool) {
    auto& ports = pools_.at(pool).ports;
    ports.clear();
    for (auto left = draw(3); left > 0; --left) {
        ports.insert(kPorts.at(draw(3)));
    }
    std::string text;
    for (const auto port : ports) {
        text += " " + std::to_string(port);
    }
    note("pool " + std::to_string(pool) + ": ports" + text);
    put_pool(pool);
    announce();
}

void PoolsWorld::revoke_token(unsigned number) {
    note("revoke token of " + std::to_string(number));
    storage_.erase(clients_.at(number).token_id);
    announce();
}

// --- Clients and the portal ---

void PoolsWorld::connect(Client& client) {
    if (client.token.empty() || (client.token_ends && *client.token_ends <= now_)) {
        // Some sign in for a while, as people do.
        const auto lifetime = std::chrono::seconds{40 + draw(kLongestToken / 1s - 40)};
        const bool is_short = draw(3) == 0 && !is_settling_;
        const auto expires_at = is_short ? std::optional{wall_seconds() + lifetime} : std::nullopt;
        const auto token = portal::create_token({.type = portal::TokenType::kClient,
                                                 .account = storage_.load_directory().account.id,
                                                 .actor = actors_.at(client.number).id},
                                                expires_at, storage_.token_keys(), rng_, wall());
        storage_.put(token.row);
        client.token = token.text;
        client.token_id = token.row.id;
        client.token_ends = is_short ? std::optional{now_ + lifetime} : std::nullopt;
    }
    const auto session = portal_->connect({.role = portal_api::Role::kClient,
                                           .dialect = client.dialect,
                                           .parameters = {{"token", client.token},
                                                          {"external_id", "client-" + std::to_string(client.number)},
                                                          {"name", "client " + std::to_string(client.number)},
                                                          {"public_key", client.key().to_string()}},
                                           .user_agent = "Ubuntu/24.4.0 headless-client/1.5.12 (x86_64; 6.8.0)",
                                           .remote_ip = client.address},
                                          now_, wall());
    client.next_connect = now_ + kConnectPause;
    if (!session) {
        client.token.clear();  // it has expired, or was revoked
        return;
    }
    client.session = *session;
    portal_->handle_frame(*session, portal_api::encode_join(portal_api::Role::kClient, 0, std::nullopt), now_, wall());
    collect_from_portal();
}

void PoolsWorld::disconnect(Client& client) {
    if (client.session) {
        portal_->disconnect(*std::exchange(client.session, std::nullopt), now_);
        collect_from_portal();
    }
    judge_.is_cut_off(client.number, now_);
    client.next_connect = now_ + kConnectPause;
}

void PoolsWorld::reset(unsigned number) {
    note("reset " + std::to_string(number));
    auto& client = clients_.at(number);
    if (client.state) {
        client.state->reset("history", now_);
    } else {
        client.node->reset(now_);
    }
    disconnect(client);
    drain(client);
}

void PoolsWorld::cut_off(unsigned number) {
    auto& client = clients_.at(number);
    client.is_cut_off = !client.is_cut_off;
    note((client.is_cut_off ? "cut off " : "no longer cut off ") + std::to_string(number));
    if (client.is_cut_off) {
        disconnect(client);
    }
}

void PoolsWorld::send_to_portal(Client& client, const portal_api::FromClient& message) {
    if (!client.session) {
        return;
    }
    later(
        [this, &client, session = *client.session, text = portal_api::encode_from_device(message, client.dialect, 7)] {
            if (client.session == session) {
                portal_->handle_frame(session, text, now_, wall());
                collect_from_portal();
            }
        });
}

void PoolsWorld::collect_from_portal() {
    while (auto output = portal_->poll_output()) {
        std::visit(overloaded{[&](portal::SendFrame& frame) {
                                  for (auto& client : clients_) {
                                      if (client.session == frame.session) {
                                          observe_grant(client, frame.text);
                                          later([this, &client, session = frame.session, text = frame.text] {
                                              if (client.session == session) {
                                                  receive(client, text);
                                              }
                                          });
                                      }
                                  }
                              },
                              [&](portal::CloseSession& closed) {
                                  for (auto& client : clients_) {
                                      if (client.session == closed.session) {
                                          client.session.reset();
                                          client.next_connect = now_ + kConnectPause;
                                          judge_.is_cut_off(client.number, now_);
                                      }
                                  }
                              }},
                   *output);
    }
}

PoolsWorld::Client& PoolsWorld::with_id(const ClientId& id) {
    const auto found = std::ranges::find(clients_, id, &Client::id);
    return found == clients_.end() ? throw std::runtime_error{"unknown client"} : *found;
}

/// What the portal says is the judge's business as well.
void PoolsWorld::observe(Client& client, const portal_api::ToClient& message) {
    std::visit(overloaded{[&](const portal_api::ClientInit& init) {
                              client.ipv4 = init.interface.ipv4;
                              client.ipv6 = init.interface.ipv6;
                              client.id = storage_.ids.at("client-" + std::to_string(client.number));
                              judge_.set_addresses(client.number, client.ipv4, client.ipv6);
                              judge_.hears(client.number, now_);
                          },
                          [&](const portal_api::ClientIceCandidates& passed) {
                              judge_.candidates_passed(with_id(passed.client_id).number, client.number, now_);
                          },
                          [](const auto&) {}},
               message);
}

/// As soon as it is said: what the target does with it is another matter.
void PoolsWorld::observe_grant(const Client& client, const std::string& text) {
    const auto frame = portal_api::decode_to_device(portal_api::Role::kClient, client.dialect, text);
    const auto* message = frame ? std::get_if<portal_api::MessageFrame>(&*frame) : nullptr;
    const auto* to_client = message == nullptr ? nullptr : std::get_if<portal_api::ToClient>(&message->message);
    const auto* told = to_client == nullptr ? nullptr : std::get_if<portal_api::DeviceAccessAuthorized>(to_client);
    if (told == nullptr || !told->resource) {
        return;
    }
    const auto pool = std::ranges::find(resources_, told->resource->id, &portal::Resource::id);
    const auto until = told->expires_at && *told->expires_at < wall_seconds() + std::chrono::hours{24 * 365}
                           ? now_ + (*told->expires_at - wall())
                           : Instant::max();
    judge_.granted(with_id(told->client_id).number, client.number, static_cast<unsigned>(pool - resources_.begin()),
                   until, now_);
}

void PoolsWorld::receive(Client& client, const std::string& text) {
    const auto frame = portal_api::decode_to_device(portal_api::Role::kClient, client.dialect, text);
    judge_.check(frame.has_value(), "POO-4", "a client cannot read what the portal sent", now_);
    const auto* message = frame ? std::get_if<portal_api::MessageFrame>(&*frame) : nullptr;
    if (message == nullptr) {
        return;
    }
    const auto& to_client = std::get<portal_api::ToClient>(message->message);
    observe(client, to_client);
    if (client.state) {
        client.state->apply(to_client, now_, wall_seconds());
    } else {
        handle_hostile(to_client);
    }
    drain(client);
}

void PoolsWorld::handle_hostile(const portal_api::ToClient& message) {
    auto& node = *clients_.at(kHostile).node;
    std::visit(overloaded{[&](const portal_api::ClientInit& init) {
                              node.update_relays({}, tunnel::to_relay_servers(init.relays), now_);
                          },
                          [&](const portal_api::DeviceAccessAuthorized& told) {
                              static_cast<void>(node.upsert_client_connection(
                                  told.client_id.uuid(), told.client_public_key, told.preshared_key,
                                  {told.local_ice_credentials.username, told.local_ice_credentials.password},
                                  {told.remote_ice_credentials.username, told.remote_ice_credentials.password},
                                  told.ice_role == portal_api::IceRole::kControlling ? ice::AgentRole::kControlling
                                                                                     : ice::AgentRole::kControlled,
                                  now_));
                          },
                          [&](const portal_api::ClientIceCandidates& told) {
                              for (const auto& candidate : told.candidates) {
                                  node.add_remote_candidate(told.client_id.uuid(), candidate, now_);
                              }
                          },
                          [](const auto&) {}},
               message);
}

// --- The end ---

void PoolsWorld::settle() {
    note("settle");
    is_settling_ = true;
    direct_from_ = now_;
    for (auto& client : clients_) {
        client.is_cut_off = false;
        if (client.token_ends) {
            client.token.clear();  // and nobody's access ends in the meantime
            disconnect(client);
        }
    }
    run_for(kLongestToken);
    for (int i = 0; i < 2; ++i) {  // whoever was given up, or is told by others only that access has ended, asks again
        try_everything(false);
        run_for(70s);
    }
    try_everything(true);

    note("nobody may do anything");
    for (unsigned pool = 0; pool < kPools; ++pool) {
        pools_.at(pool).users.clear();
        put_pool(pool);
    }
    announce();
    run_for(5s);
    check_states();
}

void PoolsWorld::try_everything(bool is_judged) {
    for (unsigned from = 0; from < kHostile; ++from) {
        for (unsigned to = 0; to < kHostile; ++to) {
            for (const std::uint16_t port : {kPorts[0], kPorts[1], kPorts[2], kOtherPort}) {
                if (from == to) {
                    continue;
                }
                const auto number = send(from, to, packet::kProtocolUdp, fresh_port_++, port, net::Family::kIpv4);
                run_for(4s);
                const bool is_answered = judge_.was_delivered(number) && judge_.was_delivered(number + 1);
                const bool is_permitted = judge_.permits_now(from, to, port);
                judge_.check(!is_judged || is_answered == is_permitted, "POO-4",
                             "packet " + std::to_string(number) + (is_permitted ? " is not answered" : " is answered"),
                             now_);
            }
        }
    }
}

/// All access was taken back: nothing is left of it.
void PoolsWorld::check_states() {
    for (const auto& client : clients_) {
        judge_.check(storage_.find_device_flows(client.id).empty(), "POO-5",
                     "the portal remembers access to " + std::to_string(client.number), now_);
        if (client.state) {
            // Whoever let somebody in waits for him to leave, and the hostile one never does.
            auto connections = client.state->state().connections;
            connections.erase(clients_.at(kHostile).id.uuid());
            judge_.check(connections.empty(), "POO-5", std::to_string(client.number) + " still has connections", now_);
        }
    }
}

// --- Time ---

WallTime PoolsWorld::wall() const {
    return WallTime{std::chrono::floor<std::chrono::milliseconds>(now_.time_since_epoch()) + kWallOffset};
}

void PoolsWorld::later(std::function<void()> action) {
    in_flight_.emplace(now_ + kDelay, std::move(action));
}

Instant PoolsWorld::next_event(Instant end) {
    auto next = std::min(end + 1ns, portal_->poll_timeout().value_or(Instant::max()));
    for (auto& client : clients_) {
        const auto due = client.state ? client.state->poll_timeout() : client.node->poll_timeout();
        next = std::min(next, due.value_or(next));
        if (!client.session && !client.is_cut_off) {
            next = std::min(next, client.next_connect);
        }
    }
    next = std::min(next, relay_.poll_timeout().value_or(next));
    return in_flight_.empty() ? next : std::min(next, in_flight_.begin()->first);
}

void PoolsWorld::run_for(Duration duration) {
    const auto end = now_ + duration;
    int steps_at_one_instant = 0;
    for (auto next = next_event(end); next <= end; next = next_event(end)) {
        steps_at_one_instant = next <= now_ ? steps_at_one_instant + 1 : 0;
        if (steps_at_one_instant > kMaxStepsAtOneInstant) {
            throw std::runtime_error{"time stands still"};
        }
        now_ = std::max(now_, next);
        while (!in_flight_.empty() && in_flight_.begin()->first <= now_) {
            const auto action = std::move(in_flight_.begin()->second);
            in_flight_.erase(in_flight_.begin());
            action();
        }
        if (portal_->poll_timeout() && *portal_->poll_timeout() <= now_) {
            portal_->handle_timeout(now_, wall());
            collect_from_portal();
        }
        relay_.handle_timeout(now_);
        drain_relay();
        for (auto& client : clients_) {
            if (!client.session && !client.is_cut_off && client.next_connect <= now_) {
                connect(client);
            }
            drain(client);
        }
    }
    now_ = end;
}

}  // namespace culvert::model::pools
