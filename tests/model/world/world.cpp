#include "tests/model/world/world.h"

#include <algorithm>
#include <utility>

#include "culvert/base/deadlines.h"
#include "culvert/base/overloaded.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/turn/constants.h"
#include "tests/model/world/actions.h"
#include "tests/model/world/client_process.h"
#include "tests/model/world/event_loop_process.h"
#include "tests/model/world/gateway_process.h"
#include "tests/model/world/hostile_client.h"
#include "tests/model/world/hostile_gateway.h"
#include "tests/model/world/relay_process.h"
#include "tests/model/world/resource_hosts.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Processes have started and found their portal by then: the scenario's zero.
constexpr Duration kStartUp = 3s;
constexpr Duration kResourceLatency = 1ms;
/// After one turn of so many the portal gets a timeout that is not due.
constexpr unsigned kTurnsPerInspection = 32;

/// FNV-1a: names become seeds.
std::uint64_t hash(std::string_view text, std::uint64_t seed) {
    std::uint64_t value = 0xcbf29ce484222325ULL ^ (seed * 0x9e3779b97f4a7c15ULL);
    for (const char c : text) {
        value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return value;
}

bool is_routed(const tunnel::TunConfig& interface, const net::IpAddress& to) {
    const auto& routes = to.is_v4() ? interface.ipv4_routes : interface.ipv6_routes;
    return std::ranges::any_of(routes, [&](const net::IpNetwork& route) { return route.contains(to); });
}

portal_api::Role role_of(const Device& device) {
    return std::visit(overloaded{[](ClientNo) { return portal_api::Role::kClient; },
                                 [](GatewayNo) { return portal_api::Role::kGateway; },
                                 [](RelayNo) { return portal_api::Role::kRelay; }},
                      device);
}

}  // namespace

World::World(const Scenario& scenario, std::vector<Observer*> observers, log::Level log_level)
    : scenario_{scenario},
      observers_{std::move(observers)},
      now_{kCaseBegin},
      network_{rng("network")},
      portal_{scenario.setup, *this},
      attacker_{rng("attacker")},
      relay_abuser_{rng("relay abuser")},
      transfers_{*this,
                 verdict_,
                 {.to_tun = [this](ClientNo client, Bytes packet) { submit_if_routed(client, packet); },
                  .from_resource =
                      [this](GatewayNo gateway, Bytes packet) {
                          at(now_ + kResourceLatency, [this, gateway, bytes = std::move(packet)]() mutable {
                              return_packet(gateway, std::move(bytes));
                          });
                      }}},
      log_capture_{log_level, [this](log::Level level, std::string_view target, std::string_view message,
                                     const std::vector<log::TextField>& fields) {
                       observe(LogLine{speaker(), level, target, message, fields});
                   }} {
    add_hosts();
}

World::~World() = default;

void World::add_hosts() {
    const auto& setup = scenario_.setup;
    const auto add = [&](Device device, Driver driver, const Access& access, Machine::Factory factory) {
        auto made = std::make_unique<Machine>(device, driver, access, role_of(device), portal_, *this, verdict_,
                                              std::move(factory));
        machines_.emplace(device, Entry{std::move(made), std::nullopt, false});
    };
    for (std::size_t i = 0; i < setup.clients.size(); ++i) {
        const auto client = number<ClientNo>(i);
        add(client, setup.clients[i].driver, setup.clients[i].access,
            [this, client](Machine& machine, const Rng& rng, Instant now) -> std::unique_ptr<DeviceProcess> {
                return make_client(client, machine, rng, now);
            });
    }
    for (std::size_t i = 0; i < setup.gateways.size(); ++i) {
        const auto gateway = number<GatewayNo>(i);
        add(gateway, setup.gateways[i].driver, setup.gateways[i].access,
            [this, gateway](Machine& machine, const Rng& rng, Instant now) {
                return make_gateway(gateway, machine, rng, now);
            });
    }
    for (std::size_t i = 0; i < setup.relays.size(); ++i) {
        const auto relay = number<RelayNo>(i);
        const auto& relay_setup = setup.relays[i];
        const Access access{.has_v4 = relay_setup.has_v4,
                            .has_v6 = relay_setup.has_v6,
                            .nat = std::nullopt,
                            .latency = relay_setup.latency,
                            .port = turn::kRelayPort};
        add(relay, Driver::kExact, access, [this, relay, &relay_setup](Machine& machine, const Rng& rng, Instant) {
            return std::make_unique<RelayProcess>(relay, machine.addresses(), relay_setup, *this, rng);
        });
    }
}

std::unique_ptr<DeviceProcess> World::make_client(ClientNo client, Machine& machine, const Rng& rng, Instant now) {
    const auto port = machine.access().port;
    if (scenario_.setup.clients[client.value - 1U].is_hostile) {
        return std::make_unique<HostileClient>(client, port, machine.link(), *this, rng, now);
    }
    return make_program<ClientProcess>(client, machine, rng, now);
}

std::unique_ptr<DeviceProcess> World::make_gateway(GatewayNo gateway, Machine& machine, const Rng& rng, Instant now) {
    if (scenario_.setup.gateways[gateway.value - 1U].is_hostile) {
        return std::make_unique<HostileGateway>(gateway, machine.access().port, machine.link(), *this, rng, now);
    }
    return make_program<GatewayProcess>(gateway, machine, rng, now);
}

template <typename Program, typename Number>
std::unique_ptr<DeviceProcess> World::make_program(Number number, Machine& machine, const Rng& rng, Instant now) {
    const auto port = machine.access().port;
    if (machine.driver() != Driver::kEventLoop) {
        return std::make_unique<Program>(number, port, machine.link(), *this, rng, now);
    }
    const auto kernel = "kernel/" + std::to_string(Device{number}.index()) + "/" + std::to_string(number.value);
    return std::make_unique<EventLoopProcess<Program>>(number, port, *this, World::rng(kernel), now, number, port,
                                                       machine.link(), *this, rng, now);
}

void World::attach(Machine& machine, const Access& access) {
    machine.set_access(access);
    const auto device = machine.device();
    if (const auto* relay = std::get_if<RelayNo>(&device)) {
        machine.set_addresses(network_.attach_public(*relay, access.has_v4, access.has_v6, access.latency, now_));
    } else {
        machine.set_addresses(network_.attach(device, access, now_));
    }
    machine.link().set_latency(access.latency + scenario_.setup.portal_latency);
    observe(HostAttached{device, machine.addresses(), machine.access()});
}

void World::start_all() {
    portal_.start(now_);
    observe(ProcessChanged{PortalNo{}, ProcessState::kRunning});
    for_each_machine([&](Machine& machine) { attach(machine, machine.access()); });
    // Relays first, so that the others are told of them at once; clients last.
    Duration delay{};
    const auto start_kind = [&]<typename No>(No) {
        for_each_machine([&](Machine& machine) {
            if (std::holds_alternative<No>(machine.device())) {
                at(now_ + delay, [this, &machine] {
                    machine.start(now_);
                    touch(machine.device());
                });
                delay += 7ms;
            }
        });
        delay += 300ms;
    };
    start_kind(RelayNo{});
    start_kind(GatewayNo{});
    start_kind(ClientNo{});
    run_until(now_ + kStartUp);
}

void World::run(std::function<bool()> keep_going) {
    keep_going_ = std::move(keep_going);
    Actions actions{*this};
    start_all();
    auto zero = now_;
    for (const auto& step : scenario_.steps) {
        if (!run_until(zero + step.at)) {
            return;
        }
        const auto before = now_;
        actions.take(step);
        zero += now_ - before;  // settling takes time that the script does not count
    }
    if (run_until(now_ + scenario_.tail)) {
        actions.take_leave();
    }
}

// --- Time ---

std::optional<Instant> World::next_event() {
    auto next = earliest(transfers_.poll_timeout(), network_.poll_timeout(), portal_.poll_timeout());
    if (!agenda_.empty()) {
        next = earliest(next, agenda_.begin()->first);
    }
    for (auto& [device, entry] : machines_) {
        if (!entry.is_due_known) {
            entry.due = entry.machine->poll_timeout();
            entry.is_due_known = true;
        }
        next = earliest(next, entry.due);
    }
    return next;
}

bool World::run_until(Instant end) {
    constexpr unsigned kMaxTurnsAtOneInstant = 20'000;
    unsigned turns = 0;
    bool is_going_on = keep_going_();
    for (auto next = next_event(); is_going_on && next && *next <= end; next = next_event()) {
        turns = *next <= now_ ? turns + 1 : 0;
        if (!verdict_.check("DET-4", turns < kMaxTurnsAtOneInstant, now_, [] { return "time stands still"; })) {
            break;
        }
        now_ = std::max(now_, *next);
        turn();
        is_going_on = keep_going_();
    }
    if (is_going_on) {
        now_ = std::max(now_, end);
    }
    return is_going_on;
}

void World::turn() {
    // Who goes first at one instant is arbitrary in reality; here the seed says.
    if (hash("turn", scenario_.setup.seed ^ static_cast<std::uint64_t>(now_.time_since_epoch().count())) % 2 == 0) {
        run_network();
        run_agenda();
        run_portal();
        run_hosts();
    } else {
        run_hosts();
        run_portal();
        run_agenda();
        run_network();
    }
}

void World::run_agenda() {
    transfers_.handle_timeout(now_);
    route_portal_outputs();  // what it hands to a client may take a frame along that had just arrived at the portal
    while (!agenda_.empty() && agenda_.begin()->first <= now_) {
        const auto what = std::move(agenda_.begin()->second);
        agenda_.erase(agenda_.begin());
        what();
        route_portal_outputs();
    }
}

void World::run_network() {
    attacked_.reset();
    while (auto delivery = network_.poll_delivery(now_)) {
        const auto host = delivery->host;
        observe(DatagramReceived{host, delivery->from, delivery->to, delivery->payload, delivery->is_attack,
                                 delivery->is_authentic});
        if (delivery->is_attack) {
            deliver_attack(std::move(*delivery));
        } else {
            attacked_.reset();
            machine(host).handle_datagram(delivery->to, delivery->from, delivery->ecn, std::move(delivery->payload),
                                          now_);
        }
        touch(host);
        route_portal_outputs();
    }
}

void World::deliver_attack(Delivery delivery) {
    auto& target = machine(delivery.host);
    // In a flood, what one attack left is what the next finds.
    const bool is_same = attacked_ && attacked_->first == delivery.host;
    const auto before = is_same ? std::move(attacked_->second) : target.show();
    target.handle_datagram(delivery.to, delivery.from, delivery.ecn, std::move(delivery.payload), now_);
    attacked_.emplace(delivery.host, target.show());
    observe(AttackHandled{delivery.host, before, attacked_->second, target.local(now_)});
}

void World::run_portal() {
    if (const auto due = portal_.poll_timeout(); due && *due <= now_) {
        portal_.handle_timeout(now_);
        route_portal_outputs();
    }
    if (++turns_ % kTurnsPerInspection == 0) {
        route_portal_outputs();  // of what was just done to it
        const auto work = portal_.find_hidden_work(now_);
        verdict_.check("DET-5", work.empty(), now_, [&] { return "the portal " + std::string{work}; });
    }
}

void World::run_hosts() {
    for (auto& [device, entry] : machines_) {
        if (!entry.is_due_known || (entry.due && *entry.due <= now_)) {
            entry.machine->step(now_);
            entry.is_due_known = false;
            route_portal_outputs();
        }
    }
}

void World::route_portal_outputs() {
    while (const auto output = portal_.poll_output()) {
        for (auto& [device, entry] : machines_) {
            if (entry.machine->link().handle_output(*output, now_)) {
                entry.is_due_known = false;
                break;
            }
        }
    }
}

void World::for_each_machine(const std::function<void(Machine&)>& visit) {
    for (auto& [device, entry] : machines_) {
        visit(*entry.machine);
        entry.is_due_known = false;
    }
}

// --- Environment ---

WallTime World::wall_now() const {
    return wall_time(now_);
}

WallTime World::wall_now(const Device& host) const {
    const auto* gateway = std::get_if<GatewayNo>(&host);
    if (gateway == nullptr) {
        return wall_now();
    }
    if (const auto set = clock_errors_.find(*gateway); set != clock_errors_.end()) {
        return wall_now() + set->second;
    }
    const auto& setup = scenario_.setup.gateways.at(gateway->value - 1U);
    return wall_now() + setup.clock_ahead - setup.clock_behind;
}

Rng World::rng(std::string_view name) const {
    return Rng::from_number(hash(name, scenario_.setup.seed));
}

void World::observe(const Observation& observation) {
    if (const auto* configured = std::get_if<InterfaceConfigured>(&observation)) {
        interfaces_.insert_or_assign(configured->device, configured->config);
    } else if (const auto* session = std::get_if<SessionOpened>(&observation)) {
        ids_.insert_or_assign(session->device, session->id);
    }
    attacker_.watch(observation);
    relay_abuser_.watch(observation);
    for (auto* observer : observers_) {
        observer->observe(observation, now_);
    }
}

void World::send(const Device& device, const std::optional<net::IpAddress>& source, std::uint16_t port,
                 const net::SocketAddress& to, net::Ecn ecn, ByteSpan payload) {
    const auto& addresses = machine(device).addresses();
    const auto own = std::ranges::find(addresses, to.family(), &net::IpAddress::family);
    if (!source && own == addresses.end()) {
        return;  // the host has no such address family: the operating system refuses
    }
    const net::SocketAddress from{source.value_or(own == addresses.end() ? to.ip : *own), port};
    observe(DatagramSent{device, from, to, ecn, payload});
    if (std::ranges::find(addresses, from.ip) == addresses.end()) {
        return;  // so it does for addresses that the host does not have (any more)
    }
    ++datagrams_;
    network_.send(device, from, to, ecn, payload, now_);
}

void World::send_forged(const Device& device, std::uint16_t port, const net::SocketAddress& to, ByteSpan payload) {
    const auto& addresses = machine(device).addresses();
    const auto own = std::ranges::find(addresses, to.family(), &net::IpAddress::family);
    if (own != addresses.end()) {
        ++datagrams_;
        network_.send_forged(device, {*own, port}, to, payload, now_);
    }
}

void World::deliver(ClientNo client, ByteSpan packet) {
    observe(PacketDelivered{client, packet});
    // Later, because the application's answer must not reenter the process that delivers.
    at(now_, [this, client, bytes = to_bytes(packet)] { transfers_.handle_at_client(client, bytes, now_); });
}

void World::forward(GatewayNo gateway, ByteSpan packet) {
    observe(PacketForwarded{gateway, packet});
    if (transfers_.handle_at_resource(gateway, packet, now_)) {
        return;
    }
    if (auto answer = answer_of_resource(packet)) {
        at(now_ + kResourceLatency,
           [this, gateway, bytes = std::move(*answer)]() mutable { return_packet(gateway, std::move(bytes)); });
    }
}

void World::return_packet(GatewayNo gateway, Bytes packet) {
    observe(PacketReturned{gateway, packet});
    machine(gateway).handle_packet(packet, now_);
    touch(gateway);
}

void World::submit(ClientNo client, ByteSpan packet) {
    observe(PacketSubmitted{client, packet});
    machine(client).handle_packet(packet, now_);
    touch(client);
}

void World::submit_if_routed(ClientNo client, ByteSpan packet) {
    auto copy = to_bytes(packet);
    const auto parsed = packet::IpPacket::parse(copy);
    const auto* interface = interface_of(client);
    if (parsed && interface != nullptr && machine(client).is_running() &&
        is_routed(*interface, parsed->destination())) {
        submit(client, packet);
    }
}

const tunnel::TunConfig* World::interface_of(const Device& device) const {
    const auto found = interfaces_.find(device);
    return found == interfaces_.end() ? nullptr : &found->second;
}

std::string World::snapshot() const {
    std::string text;
    if (const auto* plane = portal_.plane()) {
        text += "--- portal\n" + plane->debug_snapshot(now_);
    }
    for (const auto& [device, entry] : machines_) {
        text += "--- " + entry.machine->name() + "\n" + entry.machine->snapshot(now_);
    }
    return text;
}

}  // namespace culvert::model
