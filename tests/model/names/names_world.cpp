#include "tests/model/names/names_world.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "culvert/dns/test_messages.h"
#include "culvert/packet/builder.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "culvert/tunnel/p2p/messages.h"
#include "culvert/tunnel/testing/test_values.h"

namespace culvert::model::names {
namespace {

using namespace std::chrono_literals;
using tunnel::test::id;
using tunnel::test::ip;

constexpr std::uint8_t kGenerations = 8;
/// No client ever sent anything there.
constexpr std::uint16_t kStrangerPort = 82;
/// At these two a gateway has no choice but to tell flows apart by their ports.
constexpr unsigned kSharing = kNames - 2;

const auto kNamesOfClient = id<ResourceId>(1);
const auto kInternet = id<ResourceId>(2);
const auto kNamesOfHostile = id<ResourceId>(3);

portal_api::GatewayDnsResource names_of_hostile() {
    return {.id = kNamesOfHostile, .name = "names", .address = "*.example", .filters = {}};
}

net::IpAddress v4(unsigned a, unsigned b, unsigned c, unsigned d) {
    const auto byte = [](unsigned value) { return static_cast<std::uint8_t>(value); };
    return net::IpAddress{std::array<std::uint8_t, 4>{byte(a), byte(b), byte(c), byte(d)}};
}

const auto kResolver = ip("100.100.111.1");

bool is_from_resolver(ByteSpan packet) {
    auto copy = to_bytes(packet);
    const auto parsed = packet::IpPacket::parse(copy);
    return parsed && parsed->source() == kResolver;
}

std::string hex(unsigned value) {
    std::array<char, 8> text{};
    const auto end = std::to_chars(text.begin(), text.end(), value, 16).ptr;
    return {text.begin(), end};
}

}  // namespace

// --- names.h ---

std::string domain_of(unsigned name) {
    return "n" + std::to_string(name) + ".example";
}

std::vector<net::IpAddress> addresses_of(unsigned name, unsigned moves) {
    const auto place = std::min(name, kSharing);
    const auto generation = moves % kGenerations;
    std::vector<net::IpAddress> addresses;
    if (name == 0 && generation % 4 == 3) {
        return addresses;
    }
    const auto count = 1 + (name + generation) % 3;
    for (unsigned i = 1; i <= count; ++i) {
        if (name != 1) {
            addresses.push_back(v4(10, 50 + place, generation, i));
        }
        if (name != 2) {
            addresses.push_back(ip("fd50:" + hex(place) + ":" + hex(generation) + "::" + hex(i)));
        }
    }
    return addresses;
}

bool may_be_at(unsigned name, const net::IpAddress& address) {
    for (unsigned generation = 0; generation < kGenerations; ++generation) {
        const auto addresses = addresses_of(name, generation);
        if (std::ranges::find(addresses, address) != addresses.end()) {
            return true;
        }
    }
    return false;
}

std::vector<net::IpAddress> proxies_of(unsigned name) {
    const auto group = kNames - 1 - name;
    std::vector<net::IpAddress> proxies;
    for (unsigned i = 0; i < 4; ++i) {
        const auto number = group * 4 + i;  // as the product counts, see dns/proxy_addresses.h
        proxies.push_back(v4(100, 96, 0, 1 + number));
        proxies.push_back(ip("fd00:2021:1111:8000::" + hex(number)));
    }
    return proxies;
}

std::vector<net::IpAddress> lies() {
    return {ip("127.0.0.1"),
            ip("100.64.0.1"),
            ip("100.64.0.67"),
            ip("100.64.1.1"),
            ip("100.96.0.1"),
            ip("169.254.1.1"),
            ip("224.0.0.1"),
            ip("0.0.0.0"),
            ip("::1"),
            ip("fe80::1"),
            ip("ff02::1"),
            ip("fd00:2021:1111::67"),
            ip("fd00:2021:1111:8000::1")};
}

// --- World ---

NamesWorld::NamesWorld(std::uint64_t seed)
    : rng_{Rng::from_number(seed)},
      network_{seed},
      gateway_{network_.add_gateway(1)},
      judge_{std::array<NamesJudge::OwnAddresses, kPeers>{
          NamesJudge::OwnAddresses{ip("100.64.0.1"), ip("fd00:2021:1111::1")},
          NamesJudge::OwnAddresses{ip("100.64.0.67"), ip("fd00:2021:1111::67")}}} {
    network_.add_resource(
        portal_api::ClientInternetResource{.id = kInternet, .sites = {{tunnel::test::kSite, "site"}}});
    network_.client.state.apply(tunnel::SetSystemResolvers{{ip("192.0.2.53")}}, network_.now, network_.wall_now());
    network_.init_client();
    network_.run_for(1s);
    connect_hostile();
    allow(kClient);
    allow(kHostile);
}

/// Its other resource is for the connection to stay while the names are taken
/// away.
void NamesWorld::connect_hostile() {
    network_.connect_other_rogue(gateway_, tunnel::test::gateway_cidr(10, "192.0.2.0/24"));
    is_allowed_.at(kHostile) = false;
}

void NamesWorld::encapsulate(unsigned peer, ByteSpan packet) {
    peer == kClient ? network_.send(packet) : network_.send_from_other_rogue(gateway_, packet);
}

void NamesWorld::step() {
    const auto peer = draw(kPeers);
    const auto name = draw(kNames);
    switch (draw(24)) {
        case 0:
        case 1:
            return ask(name, draw_family());
        case 2:
        case 3:
            return set_up(name);
        case 4:
            return claim();
        case 5:
            ++moves_.at(name);
            return note("move " + domain_of(name));
        case 6:
            resolver_ = static_cast<Resolver>(draw(4));
            return note("resolver " + std::to_string(static_cast<unsigned>(resolver_)));
        case 7:
            resolver_ = Resolver::kHonest;
            return note("resolver 0");
        case 8:
            return is_allowed_.at(peer) && draw(2) == 0 ? revoke(peer) : allow(peer);
        case 9:
            return answer_again();
        case 10:
            return send_from_stranger();
        case 11:
            return run_for(std::chrono::seconds{draw(200)});
        case 12:
            return run_for(std::chrono::milliseconds{draw(3000)});
        case 13:
            return toggle_internet();
        case 14:
            return send_to_internet();
        case 15:
            return draw(4) == 0 ? restart_gateway() : draw(2) == 0 ? restart_client() : run_for(10ms);
        default:
            return send(peer, name, draw_family());
    }
}

void NamesWorld::ask(unsigned name, net::Family family) {
    const auto type = family == net::Family::kIpv4 ? dns::RecordType::kA : dns::RecordType::kAaaa;
    note("ask " + domain_of(name) + (type == dns::RecordType::kA ? " A" : " AAAA"));
    collect();
    network_.send(
        packet::make_udp({network_.client.ipv4, 40'000}, {kResolver, 53}, dns::test::query(domain_of(name), type)));
    for (auto& bytes : std::exchange(network_.client.received, {})) {
        if (!is_from_resolver(bytes)) {
            judge_.handle_delivered(kClient, bytes, network_.now);
            continue;
        }
        const auto packet = packet::IpPacket::parse(bytes);
        std::vector<net::IpAddress> proxies;
        const auto summary = dns::test::summary(packet->payload());
        for (std::size_t at = summary.find(' '); at != std::string::npos;) {
            const auto end = summary.find(' ', at + 1);
            if (const auto address = net::IpAddress::parse(summary.substr(at + 1, end - at - 1))) {
                proxies.push_back(*address);
            }
            at = end;
        }
        judge_.check(is_allowed_.at(kClient) ? !proxies.empty() : proxies.empty(), "NAM-6",
                     "the client's resolver says: " + summary, network_.now);
        judge_.answer(name, proxies, network_.now);
    }
    run_for(50ms);
}

void NamesWorld::set_up(unsigned name) {
    note("set up " + domain_of(name));
    const tunnel::p2p::AssignedIps message{kNamesOfHostile, domain_of(name), proxies_of(name)};
    if (is_allowed_.at(kHostile)) {
        judge_.ask(kHostile, name);
    }
    encapsulate(kHostile, *tunnel::p2p::make_control_packet(tunnel::p2p::EventType::kAssignedIps,
                                                            as_bytes(tunnel::p2p::encode(message))));
    run_for(100ms);
}

/// A name, or a resource, that the client was not given: nobody is to be asked
/// for it.
void NamesWorld::claim() {
    note("claim");
    const bool is_foreign_resource = draw(2) == 0;
    const tunnel::p2p::AssignedIps message{is_foreign_resource ? kNamesOfClient : kNamesOfHostile,
                                           is_foreign_resource ? "foreign.example" : "n0.test",
                                           {ip("100.96.200.1"), ip("100.96.200.2")}};
    encapsulate(kHostile, *tunnel::p2p::make_control_packet(tunnel::p2p::EventType::kAssignedIps,
                                                            as_bytes(tunnel::p2p::encode(message))));
    run_for(50ms);
}

void NamesWorld::send(unsigned peer, unsigned name, net::Family family) {
    auto proxies = peer == kClient ? judge_.proxies_of_client(name) : proxies_of(name);
    std::erase_if(proxies, [&](const auto& proxy) { return proxy.family() != family; });
    if (proxies.empty()) {
        return ask(name, family);
    }
    const auto proxy = proxies.at(draw(static_cast<unsigned>(proxies.size())));
    constexpr std::array kProtocols{packet::kProtocolUdp, packet::kProtocolTcp, packet::kProtocolIcmp};
    submit({.peer = peer,
            .name = name,
            .protocol = kProtocols.at(draw(3)),
            .source = {},
            .proxy = proxy,
            .source_value = static_cast<std::uint16_t>(1000 + draw(3)),
            .destination_value = static_cast<std::uint16_t>(80 + draw(2))});
}

void NamesWorld::send_to_internet() {
    submit({.peer = kClient,
            .name = kNoName,
            .protocol = packet::kProtocolUdp,
            .source = {},
            .proxy = ip(draw(2) == 0 ? "198.51.100.200" : "2001:db8:1:2::3"),
            .source_value = static_cast<std::uint16_t>(1000 + draw(3)),
            .destination_value = 80});
}

void NamesWorld::submit(const Sent& request) {
    auto sent = request;
    if (sent.protocol == packet::kProtocolIcmp) {
        sent.destination_value = 0;  // echoes have one number only
    }
    const auto& hostile = *network_.other_rogue;
    const auto is_v4 = sent.proxy.is_v4();
    sent.source = sent.peer == kClient ? (is_v4 ? network_.client.ipv4 : network_.client.ipv6)
                                       : (is_v4 ? hostile.ipv4 : hostile.ipv6);
    note("send client" + std::to_string(sent.peer) + " " + (sent.name == kNoName ? "Internet" : domain_of(sent.name)) +
         " " + sent.proxy.to_string() + " protocol " + std::to_string(sent.protocol) + " " +
         std::to_string(sent.source_value) + " > " + std::to_string(sent.destination_value));
    Bytes payload;
    append_be(payload, number_);
    judge_.send(number_++, sent);
    const net::SocketAddress from{sent.source, sent.source_value};
    const net::SocketAddress to{sent.proxy, sent.destination_value};
    encapsulate(sent.peer, sent.protocol == packet::kProtocolIcmp
                               ? packet::make_icmp_echo_request(from.ip, to.ip, sent.source_value, 1, payload)
                           : sent.protocol == packet::kProtocolUdp
                               ? packet::make_udp(from, to, payload)
                               : packet::make_tcp(from, to, {.flags = packet::kTcpSyn}, payload));
    run_for(50ms);
}

void NamesWorld::answer_again() {
    const auto answers = judge_.repeatable_answers(network_.now);
    if (answers.empty()) {
        return;
    }
    note("answer again");
    network_.send(gateway_, answers.at(draw(static_cast<unsigned>(answers.size()))));
    run_for(50ms);
}

void NamesWorld::send_from_stranger() {
    const auto addresses = addresses_of(draw(kNames), draw(kGenerations));
    if (addresses.empty()) {
        return;
    }
    note("stranger");
    const auto from = addresses.at(draw(static_cast<unsigned>(addresses.size())));
    const auto& client = network_.client;
    Bytes payload;
    append_be(payload, std::uint64_t{0});  // nobody sent this
    const net::SocketAddress to{from.is_v4() ? client.ipv4 : client.ipv6,
                                static_cast<std::uint16_t>(30'000 + draw(100))};
    network_.send(gateway_, packet::make_udp({from, kStrangerPort}, to, payload));
    run_for(50ms);
}

void NamesWorld::allow(unsigned peer) {
    note("allow client" + std::to_string(peer));
    is_allowed_.at(peer) = true;
    judge_.allow(peer);
    if (peer == kClient) {
        network_.add_resource(tunnel::test::dns(1, "*.example"));
    } else {
        auto message = network_.other_rogue_authorization;
        message.resource = names_of_hostile();
        network_.to_gateway(gateway_, message);
    }
    run_for(50ms);
}

void NamesWorld::revoke(unsigned peer) {
    note("revoke client" + std::to_string(peer));
    run_for(50ms);  // what is on its way may pass
    if (peer == kClient) {
        network_.remove_resource(kNamesOfClient);
    }
    const auto client = peer == kClient ? network_.client.id : network_.other_rogue->id;
    network_.to_gateway(gateway_, portal_api::RejectAccess{client, peer == kClient ? kNamesOfClient : kNamesOfHostile});
    is_allowed_.at(peer) = false;
    judge_.revoke(peer);
    run_for(50ms);
}

void NamesWorld::toggle_internet() {
    is_internet_wanted_ = !is_internet_wanted_;
    note(is_internet_wanted_ ? "Internet on" : "Internet off");
    run_for(50ms);
    network_.client.state.apply(tunnel::SetInternetResource{is_internet_wanted_}, network_.now, network_.wall_now());
    network_.drain();
    judge_.set_internet(is_internet_wanted_);
    run_for(50ms);
}

/// Its user signs out and in again: what applications were told goes on to
/// hold.
void NamesWorld::restart_client() {
    note("restart client");
    auto& state = network_.client.state;
    state.shut_down(network_.now);
    network_.drain();
    run_for(50ms);
    const tunnel::ClientOptions options{.dns_records = network_.client.dns_records,
                                        .wants_internet = is_internet_wanted_};
    std::destroy_at(&state);
    std::construct_at(&state, Rng::from_number(1000 + ++sessions_), network_.now, WallTime{network_.wall_now()},
                      options);
    state.apply(tunnel::SetSystemResolvers{{ip("192.0.2.53")}}, network_.now, network_.wall_now());
    network_.init_client();
    run_for(1s);
}

void NamesWorld::restart_gateway() {
    note("restart gateway");
    run_for(10ms);
    network_.restart(gateway_);
    judge_.restart_gateway();
    judge_.revoke(kHostile);
    connect_hostile();
    run_for(1s);
}

void NamesWorld::run_for(Duration duration) {
    const auto end = network_.now + duration;
    do {
        collect();
        resolve();
        network_.run_for(std::min<Duration>(end - network_.now, 25ms + duration / 20));
    } while (network_.now < end);
    collect();
}

void NamesWorld::resolve() {
    for (auto& wanted : std::exchange(gateway_.look_ups, {})) {
        const auto text = wanted.domain.to_string();
        unsigned name = 0;
        const bool is_known = text.size() > 1 && text.starts_with('n') && text.ends_with(".example") &&
                              std::from_chars(text.data() + 1, text.data() + text.size(), name).ec == std::errc{} &&
                              name < kNames;
        judge_.check(is_known, "NAM-2", "a gateway looks for " + text, network_.now);
        if (!is_known || resolver_ == Resolver::kDead) {
            continue;
        }
        auto addresses = addresses_of(name, moves_.at(name));
        if (resolver_ == Resolver::kFails) {
            network_.command(gateway_, tunnel::NameLookUpFailed{wanted.id});
            continue;
        }
        if (resolver_ == Resolver::kLies) {
            auto all = lies();
            if (draw(2) == 0) {
                std::ranges::copy(addresses, std::back_inserter(all));
            }
            addresses = std::move(all);
        }
        network_.command(gateway_, tunnel::NameFound{wanted.id, std::move(addresses), std::chrono::seconds{draw(60)}});
    }
}

/// Whatever came out of the gateway and the tunnel. Hosts answer at once.
void NamesWorld::collect() {
    for (const auto& packet : std::exchange(gateway_.received, {})) {
        if (const auto answer = judge_.handle_forwarded(packet, network_.now)) {
            network_.send(gateway_, *answer);
        }
    }
    const auto judge_all = [&](unsigned peer, std::vector<Bytes>& received) {
        for (const auto& packet : std::exchange(received, {})) {
            if (!tunnel::p2p::parse_control_packet(packet) && !is_from_resolver(packet)) {
                judge_.handle_delivered(peer, packet, network_.now);
            }
        }
    };
    judge_all(kClient, network_.client.received);
    judge_all(kHostile, network_.other_rogue->received);
}

void NamesWorld::settle() {
    resolver_ = Resolver::kHonest;
    note("settle");
    run_for(5min);  // longer than anything that was resolved, or waits to be, lasts
    for (unsigned peer = 0; peer < kPeers; ++peer) {
        allow(peer);
        for (unsigned name = 0; name < kNames; ++name) {
            const auto addresses = addresses_of(name, moves_.at(name));
            if (addresses.empty()) {
                continue;
            }
            const auto family = addresses.front().family();  // names are not translated from one to the other
            peer == kClient ? ask(name, family) : set_up(name);
            run_for(1s);
            const auto before = judge_.delivered();
            // The refusal of the first packet tells the client that a new gateway knows nothing of it yet.
            for (unsigned attempt = 0; attempt < 2 && judge_.delivered() == before; ++attempt) {
                send(peer, name, family);
                run_for(8s);
            }
            judge_.check(judge_.delivered() == before + 1, "NAM-5",
                         "client" + std::to_string(peer) + " and " + domain_of(name) + " do not work", network_.now);
        }
    }
}

}  // namespace culvert::model::names
