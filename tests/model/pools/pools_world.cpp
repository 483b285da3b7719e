#include "tests/model/pools/pools_world.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/portal/token.h"
#include "culvert/portal_api/codec.h"
#include "culvert/tunnel/device/relay_servers.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/credentials.h"

namespace culvert::model::pools {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDelay = 10ms;
constexpr std::uint16_t kUdpPort = 52625;
constexpr std::uint16_t kRelayPort = 3478;
constexpr std::size_t kHeadroom = 64;
constexpr int kMaxStepsAtOneInstant = 20'000;
constexpr std::chrono::milliseconds kWallOffset{1'763'000'000'000};
constexpr std::chrono::seconds kLongestToken{440};
/// How long a client lies low before it connects to the portal again.
constexpr Duration kConnectPause = 1s;

net::IpAddress ip(const std::string& text) {
    return *net::IpAddress::parse(text);
}
const net::IpAddress kRelayAddress = ip("203.0.113.21");

Bytes with_number(std::uint64_t number) {
    Bytes payload;
    append_be(payload, number);
    return payload;
}

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

// --- Traffic ---

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

// --- The wire ---

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
