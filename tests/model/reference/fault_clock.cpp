#include "tests/model/reference/fault_clock.h"

#include <algorithm>
#include <ranges>

#include "culvert/base/overloaded.h"
#include "tests/model/reference/relay_answer.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Detection of a dead peer, and a new connection (LIV-4, LIV-5).
constexpr Duration kDeadPeer = 25s;
/// A goodbye was said (LIV-4).
constexpr Duration kGraceful = 3s;
/// A client that moved, counted from when the portal can be reached (LIV-2).
constexpr Duration kRoaming = 5s;
/// After the portal is back: join, `init`, a flow (LIV-6).
constexpr Duration kPortalBack = 3s;
/// The window of the handshake limit and the case that somebody honest is among those refused.
constexpr Duration kHandshakeWindow = 2s;
constexpr unsigned kManyHandshakes = 80;
/// A handshake is repeated after 5 s, whether or not a cookie came (spec/connectivity.md 7.2), plus jitter and trip.
constexpr Duration kCookieDetour = 7s;
/// From a client's request for a flow to its answer, and from there to a path.
constexpr Duration kFlowTakes = 2s;
/// A gateway that still has its half of a connection answers there, until the client's handshake is repeated after 5 s.
constexpr Duration kHalfOpen = 7s;
constexpr std::string_view kNoSession = "no session with the portal";
constexpr std::string_view kFullRelay = "a relay has no port left";
/// All honest devices of a case need fewer ports than the share of one of two sources of these.
constexpr unsigned kEnoughPorts = 64;
/// How long after an excuse a loss is blamed on its rule.
constexpr Duration kAftermath = 30s;

template <typename Key>
std::optional<Excuse> overlap(const std::map<Key, std::vector<Excuse>>& excuses, const Key& key, Instant from,
                              Instant until) {
    const auto found = excuses.find(key);
    if (found == excuses.end()) {
        return std::nullopt;
    }
    const auto excuse = std::ranges::find_if(
        found->second, [&](const Excuse& each) { return each.from <= until && each.until >= from; });
    return excuse == found->second.end() ? std::nullopt : std::optional{*excuse};
}

}  // namespace

FaultClock::FaultClock(const Setup& setup) : relay_setups_{setup.relays} {
    const auto add_kind = [&]<typename No>(No, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            devices_.emplace_back(No{static_cast<std::uint8_t>(i + 1)});
        }
    };
    add_kind(ClientNo{}, setup.clients.size());
    add_kind(GatewayNo{}, setup.gateways.size());
    add_kind(RelayNo{}, setup.relays.size());
    for (const auto& device : devices_) {
        begin(data_[as_process(device)], "not started yet", "LIV-1", kCaseBegin);
        begin(portal_[as_process(device)], kNoSession, "LIV-6", kCaseBegin);
    }
}

void FaultClock::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void FaultClock::begin(Excuses& excuses, std::string_view reason, std::string_view rule, Instant now) {
    const bool is_open = std::ranges::any_of(
        excuses, [&](const Excuse& each) { return each.reason == reason && each.until == Instant::max(); });
    if (!is_open) {
        excuses.push_back({reason, rule, now, Instant::max()});
    }
}

void FaultClock::end(Excuses& excuses, std::string_view reason, Instant now, Duration recovery) {
    for (auto& each : excuses) {
        if (each.reason == reason && each.until == Instant::max()) {
            each.until = now + recovery;
            each.ended = now;
        }
    }
}

void FaultClock::add(Excuses& excuses, std::string_view reason, std::string_view rule, Instant now, Duration recovery) {
    excuses.push_back({reason, rule, now, now + recovery, now});
}

void FaultClock::handle(const ProcessChanged& event, Instant now) {
    if (event.state == ProcessState::kRunning) {
        running_[event.process] = event.state;
    } else {
        running_.erase(event.process);
    }
    if (std::holds_alternative<PortalNo>(event.process)) {
        handle_portal(event, now);
        return;
    }
    auto& data = data_[event.process];
    auto& portal = portal_[event.process];
    switch (event.state) {
        case ProcessState::kStopped:
            end(data, "hung", now, 0s);
            end(data, "suspended", now, 0s);
            end(data, kFullRelay, now, 0s);
            full_relays_.erase(event.process);
            relays_.erase(event.process);
            end(portal, "process does not run", now, 0s);
            begin(data, event.is_crash ? "crashed" : "stopped", "LIV-4", now);
            begin(portal, "process does not run", "LIV-6", now);
            break;
        case ProcessState::kHung:
            begin(data, "hung", "LIV-5", now);
            begin(portal, "process does not run", "LIV-6", now);
            break;
        case ProcessState::kSuspended:
            begin(data, "suspended", "LIV-5", now);
            begin(portal, "process does not run", "LIV-6", now);
            break;
        case ProcessState::kRunning:
            end(data, "not started yet", now, kGraceful);
            end(data, "stopped", now, kGraceful);
            end(data, "crashed", now, kDeadPeer);
            end(data, "hung", now, kDeadPeer);
            end(data, "suspended", now, kDeadPeer);
            end(portal, "process does not run", now, kPortalBack);
            break;
    }
}

void FaultClock::handle_portal(const ProcessChanged& event, Instant now) {
    for (const auto& device : devices_) {
        auto& excuses = portal_[as_process(device)];
        if (event.state == ProcessState::kRunning) {
            end(excuses, "portal does not run", now, kPortalBack);
        } else {
            begin(excuses, "portal does not run", "LIV-6", now);
        }
    }
}

void FaultClock::handle(const FaultChanged& event, Instant now) {
    const auto disturb = [&](Excuses& excuses, std::string_view reason, std::string_view rule, Duration recovery) {
        if (event.is_active) {
            begin(excuses, reason, rule, now);
        } else {
            end(excuses, reason, now, recovery);
        }
    };
    if (event.name == "deceit") {
        lied_since_ = std::min(lied_since_, now);
    } else if (event.name == "link") {
        disturb(data_[event.process], "link impaired", "LIV-5", kDeadPeer);
    } else if (event.name == "direct") {
        disturb(data_[event.process], "direct path blocked", "LIV-3", kDeadPeer);
    } else if (event.name == "relay") {
        disturb(data_[event.process], "relay blocked", "LIV-3", kDeadPeer);
    } else if (event.name == "family") {
        disturb(data_[event.process], "one IP family lost", "LIV-3", kDeadPeer);
    } else if (event.name == "nat") {
        disturb(data_[event.process], "NAT forgot", "LIV-5", kDeadPeer);
    } else if (event.name == "portal") {
        disturb(portal_[event.process], "portal out of reach", "LIV-6", kPortalBack);
    }
}

void FaultClock::handle(const ActionTaken& event, Instant now) {
    if (!event.is_effective) {
        return;
    }
    if (const auto* roam = std::get_if<Roam>(&event.step.action)) {
        begin(data_[roam->client], "roaming", "LIV-2", now);
        begin(portal_[roam->client], "roaming", "LIV-2", now);
        begin(portal_[roam->client], kNoSession, "LIV-6", now);  // the portal may not notice for long
    } else if (const auto* reset = std::get_if<Reset>(&event.step.action)) {
        add(data_[reset->client], "reset", "LIV-2", now, kRoaming);
        add(portal_[reset->client], "reset", "LIV-2", now, kRoaming);
        begin(portal_[reset->client], kNoSession, "LIV-6", now);
    } else if (const auto* attack = std::get_if<Attack>(&event.step.action)) {
        handle(*attack, now);
    }
}

/// Beyond a hundred handshakes a second, honest ones are repeated with a cookie (spec/connectivity.md 7.4).
void FaultClock::handle(const Attack& attack, Instant now) {
    if (attack.spoof != Spoof::kHandshakeGoodMac) {
        return;
    }
    auto& flood = floods_[attack.target];
    if (now - flood.since >= kHandshakeWindow) {
        flood = {now, 0};
    }
    flood.handshakes += attack.count;
    if (flood.handshakes >= kManyHandshakes) {
        add(data_[as_process(attack.target)], "flooded with handshakes", "LIV-1", now, kCookieDetour);
    }
}

void FaultClock::handle(const HostAttached& event, Instant now) {
    if (const auto* relay = std::get_if<RelayNo>(&event.host);
        relay != nullptr && relay_setups_.at(relay->value - 1U).ports >= kEnoughPorts) {
        roomy_relays_.insert(event.addresses.begin(), event.addresses.end());
    }
    end(data_[as_process(event.host)], "roaming", now, kRoaming);
    end(portal_[as_process(event.host)], "roaming", now, kRoaming);
}

/// A full relay is not asked again before something else happens, so the device goes without it until then.
void FaultClock::handle(const DatagramReceived& event, Instant now) {
    const auto answer = event.is_attack ? std::nullopt : read_relay_answer(event.payload);
    if (!answer || (*answer == RelayAnswer::kNoPortLeft && roomy_relays_.contains(event.from.ip))) {
        return;
    }
    const auto process = as_process(event.host);
    auto& excuses = data_[process];
    auto& full = full_relays_[process];
    if (*answer == RelayAnswer::kNoPortLeft) {
        full.insert(event.from);
        begin(excuses, kFullRelay, "LIV-6", now);
    } else if (full.erase(event.from) > 0 && full.empty()) {
        end(excuses, kFullRelay, now, kDeadPeer);
    }
}

void FaultClock::begin_connection(ClientNo client, GatewayNo gateway, Instant now) {
    connections_[{client, gateway}].push_back({.began = now});
}

void FaultClock::complete_connection(ClientNo client, GatewayNo gateway, Instant now) {
    const auto found = connections_.find({client, gateway});
    if (found == connections_.end()) {
        return;
    }
    for (auto& connection : std::views::reverse(found->second)) {
        if (connection.completed != Instant::max()) {
            return;
        }
        connection.completed = now;
    }
}

void FaultClock::handle(const MessageToDevice& event, Instant now) {
    const auto handle_one = overloaded{
        [&](const portal_api::ClientInit& init) { learn_relays(event.device, {}, init.relays, now); },
        [&](const portal_api::GatewayInit& init) { learn_relays(event.device, {}, init.relays, now); },
        [&](const portal_api::RelaysPresence& message) {
            learn_relays(event.device, message.disconnected_ids, message.connected, now);
        },
        [](const auto&) {},
    };
    if (const auto* to_client = std::get_if<portal_api::ToClient>(&event.message)) {
        std::visit(handle_one, *to_client);
    } else if (const auto* to_gateway = std::get_if<portal_api::ToGateway>(&event.message)) {
        std::visit(handle_one, *to_gateway);
    }
}

/// A relay that is not listed stays one (spec/connectivity.md section 9.1); one that is gone, or has another address,
/// is nothing the device could go without.
void FaultClock::learn_relays(const Device& device, const std::vector<RelayId>& gone,
                              const std::vector<portal_api::Relay>& listed, Instant now) {
    const auto process = as_process(device);
    auto& known = relays_[process];
    std::erase_if(known, [&](const auto& relay) {
        return std::ranges::count(gone, relay.second) > 0 ||
               std::ranges::count(listed, relay.second, &portal_api::Relay::id) > 0;
    });
    for (const auto& relay : listed) {
        known.insert_or_assign(relay.addr, relay.id);
    }
    auto& full = full_relays_[process];
    if (std::erase_if(full, [&](const auto& address) { return !known.contains(address); }) > 0 && full.empty()) {
        end(data_[process], kFullRelay, now, kDeadPeer);
    }
}

/// A flow that was answered late, because one of the two was not in touch with the portal meanwhile, may find a gateway
/// that has given up waiting; and where the portal goes away just after the answer, candidates get lost. Both are then
/// noticed as if the gateway had died (LIV-5).
std::optional<Excuse> FaultClock::connection_without_portal(ClientNo client, GatewayNo gateway, Instant from,
                                                            Instant until) const {
    const auto connections = connections_.find({client, gateway});
    if (connections == connections_.end()) {
        return std::nullopt;
    }
    const auto end_of = [](const Connection& each) { return std::min(each.began + kDeadPeer, each.completed); };
    const auto found = std::ranges::find_if(connections->second, [&](const Connection& each) {
        return each.began <= until && end_of(each) >= from &&
               (portal_path(gateway, each.began - kFlowTakes, each.began + kFlowTakes) ||
                portal_path(client, each.began - kFlowTakes, each.began + kFlowTakes));
    });
    if (found == connections->second.end()) {
        return std::nullopt;
    }
    return Excuse{"portal was out of reach while a connection began", "LIV-5", found->began, end_of(*found),
                  found->began};
}

void FaultClock::handle(const SessionOpened& event, Instant now) {
    const auto process = as_process(event.device);
    ++sessions_[event.device];
    end(portal_[process], kNoSession, now, kPortalBack);
    const auto known = keys_.find(event.device);
    if (known != keys_.end() && known->second != event.public_key) {
        add(data_[process], "new key pair", "LIV-2", now, kRoaming);
    }
    keys_.insert_or_assign(event.device, event.public_key);
    if (std::holds_alternative<RelayNo>(event.device)) {
        add(data_[process], "relay (re)appeared", "LIV-6", now, kRoaming);
    }
}

void FaultClock::handle(const SessionClosed& event, Instant now) {
    auto& count = sessions_[event.device];
    count = std::max(0, count - 1);
    if (count == 0) {
        begin(portal_[as_process(event.device)], kNoSession, "LIV-6", now);
    }
}

std::optional<Excuse> FaultClock::data_path(ClientNo client, GatewayNo gateway, Instant from, Instant until,
                                            const std::vector<Instant>& attempts) const {
    std::vector<Process> processes{client, gateway};
    for (const auto& device : devices_) {
        if (std::holds_alternative<RelayNo>(device)) {
            processes.push_back(as_process(device));
        }
    }
    for (const auto& process : processes) {
        auto excuse = overlap(data_, process, from, until);
        if (!excuse) {
            excuse = unnoticed(process, from, attempts);
        }
        if (excuse && std::holds_alternative<RelayNo>(process)) {
            excuse->reason = "relay in trouble";
        }
        if (excuse) {
            return excuse;
        }
    }
    return connection_without_portal(client, gateway, from, until);
}

std::optional<Excuse> FaultClock::unnoticed(const Process& process, Instant at,
                                            const std::vector<Instant>& attempts) const {
    const auto found = data_.find(process);
    if (found == data_.end()) {
        return std::nullopt;
    }
    const auto excuse = std::ranges::find_if(found->second, [&](const Excuse& each) {
        if (each.until - each.ended != kDeadPeer || each.ended > at) {
            return false;
        }
        const auto first = std::ranges::lower_bound(attempts, each.ended);
        if (first == attempts.end() || at <= *first + kDeadPeer) {
            return first != attempts.end();
        }
        // The client has found out; a gateway that none of its packets reached has not, if nothing was sent since.
        const auto next = std::ranges::lower_bound(attempts, *first + kDeadPeer);
        return next != attempts.end() && *std::prev(next) + kHalfOpen < *next && at <= *next + kHalfOpen;
    });
    if (excuse == found->second.end()) {
        return std::nullopt;
    }
    auto result = *excuse;
    result.reason = "fault was not noticed while idle";
    return result;
}

std::optional<Excuse> FaultClock::relays(Instant from, Instant until) const {
    if (until >= lied_since_) {
        return Excuse{"a relay lies", "LIV-1", lied_since_, Instant::max()};
    }
    return any_relay(data_, from, until);
}

std::optional<Excuse> FaultClock::relays_portal(Instant from, Instant until) const {
    return any_relay(portal_, from, until);
}

std::optional<Excuse> FaultClock::any_relay(const ByProcess& excuses, Instant from, Instant until) const {
    for (const auto& device : devices_) {
        if (std::holds_alternative<RelayNo>(device)) {
            if (auto excuse = overlap(excuses, as_process(device), from, until)) {
                return excuse;
            }
        }
    }
    return std::nullopt;
}

std::optional<Excuse> FaultClock::host(const Device& device, Instant from, Instant until) const {
    return overlap(data_, as_process(device), from, until);
}

std::optional<Excuse> FaultClock::portal_path(const Device& device, Instant from, Instant until) const {
    return overlap(portal_, as_process(device), from, until);
}

std::optional<Excuse> FaultClock::portal_fault(const Device& device, Instant from, Instant until) const {
    const auto found = portal_.find(as_process(device));
    if (found == portal_.end()) {
        return std::nullopt;
    }
    const auto excuse = std::ranges::find_if(found->second, [&](const Excuse& each) {
        return each.reason != kNoSession && each.from <= until && each.until >= from;
    });
    return excuse == found->second.end() ? std::nullopt : std::optional{*excuse};
}

std::optional<Excuse> FaultClock::process(const Device& device, Instant from, Instant until) const {
    const auto found = data_.find(as_process(device));
    if (found == data_.end()) {
        return std::nullopt;
    }
    const auto excuse = std::ranges::find_if(found->second, [&](const Excuse& each) {
        return (each.reason == "hung" || each.reason == "suspended") && each.from <= until && each.until >= from;
    });
    return excuse == found->second.end() ? std::nullopt : std::optional{*excuse};
}

std::optional<Excuse> FaultClock::latest(ClientNo client, GatewayNo gateway, Instant at) const {
    std::optional<Excuse> latest;
    const auto consider = [&](const Process& process) {
        const auto found = data_.find(process);
        if (found == data_.end()) {
            return;
        }
        for (const auto& each : found->second) {
            if (each.until < at && each.until + kAftermath >= at && (!latest || latest->until < each.until)) {
                latest = each;
            }
        }
    };
    consider(client);
    consider(gateway);
    return latest;
}

}  // namespace culvert::model
