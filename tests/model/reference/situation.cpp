#include "tests/model/reference/situation.h"

#include <algorithm>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/turn/constants.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/message.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

const ToldResources kNothingTold;
const Grants kNothingGranted;

/// A session that has carried data is renewed when it is 120 s old; over one that has not, the initiator sends nothing
/// from 170 s on, so no goodbye either (spec/connectivity.md section 7.2).
constexpr Duration kSessionLasts = wireguard::kInitiatorStopsSending - std::chrono::seconds{10};

constexpr auto kTransportData = std::uint32_t{std::to_underlying(wireguard::PacketKind::kData)};

/// Whether a NAT in front of the host forgets mappings sooner than keep-alives are promised to renew them
/// (spec/testing.md section 7.2, item 8).
bool forgets_too_soon(const std::optional<NatBox>& nat) {
    constexpr std::chrono::seconds kShortestNatTimer{30};
    return nat && nat->idle_timeout < kShortestNatTimer;
}

bool has_dependent_mapping(const std::optional<NatBox>& nat) {
    return nat && nat->mapping != Dependence::kIndependent;
}

}  // namespace

Situation::Situation(const Setup& setup) : setup_{setup}, access_{setup, kCaseBegin}, calm_{setup} {}

void Situation::observe(const Observation& observation, Instant now) {
    if (const auto* changed = std::get_if<ProcessChanged>(&observation)) {
        note_goodbyes(*changed, now);  // by what held until now
    }
    calm_.observe(observation, now);
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void Situation::handle(const ActionTaken& event, Instant now) {
    if (!event.is_effective) {
        return;
    }
    access_.apply(event.step.action, now);
    if (const auto* reset = std::get_if<Reset>(&event.step.action)) {
        told_[reset->client].reset();
    } else if (const auto* roam = std::get_if<Roam>(&event.step.action)) {
        roaming_.insert(roam->client);
    } else if (const auto* clock = std::get_if<SetClock>(&event.step.action)) {
        const auto former = clock_error(clock->gateway);
        clocks_set_.insert_or_assign(clock->gateway, ClockSet{now, clock->ahead - clock->behind, former});
    }
}

void Situation::handle(const ProcessChanged& event, Instant now) {
    if (event.state != ProcessState::kStopped) {
        return;
    }
    if (const auto* client = std::get_if<ClientNo>(&event.process)) {
        told_[*client].clear(now);
    } else if (const auto* gateway = std::get_if<GatewayNo>(&event.process)) {
        grants_[*gateway].clear();
        gateway_interfaces_.erase(*gateway);
    }
}

void Situation::note_goodbyes(const ProcessChanged& event, Instant now) {
    const auto* client = std::get_if<ClientNo>(&event.process);
    if (client == nullptr || event.state != ProcessState::kStopped || event.is_crash) {
        return;
    }
    for (const auto gateway : gateways()) {
        const auto worked = answers_.last(*client, gateway);
        if (worked && *worked + kSessionLasts >= now && is_connected(*client, gateway, now)) {
            goodbyes_.insert_or_assign({*client, gateway}, now);
        }
    }
}

void Situation::handle(const HostAttached& event, Instant) {
    for (auto& [number, lan] : lans_) {
        lan.members.erase(event.host);
    }
    nats_[event.host] = event.access.nat;
    if (event.access.lan != 0) {
        auto& lan = lans_[event.access.lan];
        if (lan.members.empty()) {
            lan.nat = event.access.nat;
        }
        lan.members.insert(event.host);
        nats_[event.host] = lan.nat;
    }
    if (const auto* relay = std::get_if<RelayNo>(&event.host);
        relay != nullptr && setup_.relays.at(relay->value - 1U).is_hostile) {
        liars_.insert(event.addresses.begin(), event.addresses.end());
    }
    accesses_.insert_or_assign(event.host, event.access);
    if (const auto* client = std::get_if<ClientNo>(&event.host)) {
        if (roaming_.erase(*client) > 0) {
            told_[*client].reset();  // who moves otherwise keeps what it has
        }
    }
}

void Situation::handle(const NatReplaced& event, Instant) {
    nats_[event.host] = event.nat;
    for (auto& [number, lan] : lans_) {
        if (lan.members.contains(event.host)) {
            lan.nat = event.nat;
        }
    }
}

void Situation::handle(const SessionOpened& event, Instant) {
    if (const auto* client = std::get_if<ClientNo>(&event.device); client != nullptr) {
        const auto [key, is_first] = keys_.try_emplace(*client, event.public_key);
        if (!is_first && std::exchange(key->second, event.public_key) != event.public_key) {
            told_[*client].reset();  // it has stood still for longer than its peers wait
        }
    }
    ids_.insert_or_assign(event.device, event.id);
}

void Situation::handle(const MessageToDevice& event, Instant now) {
    if (const auto* to_client = std::get_if<portal_api::ToClient>(&event.message)) {
        const auto client = std::get<ClientNo>(event.device);
        told_[client].handle(*to_client, now);
        if (const auto& interface = told_[client].interface()) {
            learn(client, *interface);
        }
    } else if (const auto* to_gateway = std::get_if<portal_api::ToGateway>(&event.message)) {
        const auto gateway = std::get<GatewayNo>(event.device);
        grants_[gateway].handle(*to_gateway, now, wall_time_at(gateway, now));
        if (const auto* init = std::get_if<portal_api::GatewayInit>(to_gateway)) {
            gateway_interfaces_[gateway] = init->interface;
            learn(gateway, init->interface);
        }
    }
}

void Situation::handle(const MessageToPortal& event, Instant now) {
    if (const auto* from_client = std::get_if<portal_api::FromClient>(&event.message)) {
        told_[std::get<ClientNo>(event.device)].handle(*from_client, now);
    }
}

void Situation::handle(const PacketReturned& event, Instant) {
    answers_.handle(event);
}

void Situation::handle(const PacketDelivered& event, Instant now) {
    answers_.handle(event, now);
}

/// Whether a connection has worked since nothing happened that ends one: no fault, no goodbye for want of resources at
/// one end or of grants at the other (spec/connectivity.md section 8.6). A flow reuses it then.
bool Situation::is_connected(ClientNo client, GatewayNo gateway, Instant now) const {
    const auto worked = answers_.last(client, gateway);
    if (!worked || nats_forget(client, gateway) || calm_.disturbed_at(client) >= *worked ||
        calm_.disturbed_at(gateway) >= *worked) {
        return false;
    }
    const auto wall = std::chrono::floor<std::chrono::seconds>(wall_time_at(gateway, now));
    const auto& granted = grants(gateway).of(id_of(client).value_or(ClientId{}));
    return std::ranges::any_of(told(client).flows(), [&](const auto& entry) {
        const auto grant = granted.find(entry.first);
        return find(entry.second.gateway) == gateway && entry.second.created_at <= *worked && grant != granted.end() &&
               grant->second.since <= *worked && (!grant->second.expires_at || *grant->second.expires_at > wall);
    });
}

void Situation::learn(const Owner& owner, const portal_api::Interface& interface) {
    owners_.insert_or_assign(interface.ipv4, owner);
    owners_.insert_or_assign(interface.ipv6, owner);
}

void Situation::handle(const DatagramSent& event, Instant now) {
    auto payload = event.payload;
    std::uint16_t channel = 0;
    if (payload.size() > turn::kChannelDataHeaderSize && (std::to_integer<unsigned>(payload[0]) & 0xc0U) == 0x40U) {
        channel = load_be<std::uint16_t>(payload);
        payload = payload.subspan(turn::kChannelDataHeaderSize);
    }
    if (payload.size() < 32 || load_le<std::uint32_t>(payload) != kTransportData) {
        return;
    }
    if (is_liar(event.to.ip)) {
        users_of_liars_.insert(event.host);
    }
    const Path path{event.to, channel};
    const auto [entry, is_new] = paths_.try_emplace({event.host, load_le<std::uint32_t>(payload.subspan(4))}, path);
    if (is_new || entry->second != path) {
        entry->second = path;
        path_switches_.insert_or_assign(event.host, now);
    }
}

bool Situation::may_be_denied(ClientNo client, GatewayNo gateway, Instant at) const {
    constexpr Duration kInUse = std::chrono::seconds{20};
    if (calm_.lied_since() > at + kInUse) {
        return false;
    }
    const auto worked = answers_.last(client, gateway);
    const bool goes_another_way = !users_of_liars_.contains(client) && !users_of_liars_.contains(gateway);
    return !(goes_another_way && worked && *worked + kInUse >= at && calm_.disturbed_at(client) < *worked &&
             calm_.disturbed_at(gateway) < *worked);
}

const ToldResources& Situation::told(ClientNo client) const {
    const auto found = told_.find(client);
    return found == told_.end() ? kNothingTold : found->second;
}

const Grants& Situation::grants(GatewayNo gateway) const {
    const auto found = grants_.find(gateway);
    return found == grants_.end() ? kNothingGranted : found->second;
}

bool Situation::is_hostile(ClientNo client) const {
    return setup_.clients.at(client.value - 1U).is_hostile;
}

bool Situation::is_hostile(GatewayNo gateway) const {
    return setup_.gateways.at(gateway.value - 1U).is_hostile;
}

const Access& Situation::access_of(const std::variant<ClientNo, GatewayNo>& device) const {
    return std::visit(
        overloaded{[&](ClientNo client) -> const Access& {
                       const auto found = accesses_.find(client);
                       return found == accesses_.end() ? setup_.clients.at(client.value - 1U).access : found->second;
                   },
                   [&](GatewayNo gateway) -> const Access& {
                       const auto found = accesses_.find(gateway);
                       return found == accesses_.end() ? setup_.gateways.at(gateway.value - 1U).access : found->second;
                   }},
        device);
}

const std::optional<NatBox>& Situation::nat_of(const Device& host) const {
    static const std::optional<NatBox> kNoNat;
    const auto found = nats_.find(host);
    return found == nats_.end() ? kNoNat : found->second;
}

bool Situation::nats_forget(ClientNo client, GatewayNo gateway) const {
    const auto& nat = nat_of(gateway);
    const auto& client_nat = nat_of(client);
    // With two of those, idle keep-alives of one side do not renew the mappings that the other's packets come in
    // through.
    return forgets_too_soon(nat) || forgets_too_soon(client_nat) ||
           (has_dependent_mapping(nat) && has_dependent_mapping(client_nat));
}

bool Situation::may_lack_relays(const Device& device) const {
    const auto* client = std::get_if<ClientNo>(&device);
    const auto* gateway = std::get_if<GatewayNo>(&device);
    if (client == nullptr && gateway == nullptr) {
        return false;
    }
    const auto& access = client != nullptr ? access_of(*client) : access_of(*gateway);
    for (std::size_t i = 0; i < setup_.relays.size(); ++i) {
        const auto& relay = setup_.relays[i];
        const bool is_unreachable = !(access.has_v4 && relay.has_v4) && !(access.has_v6 && relay.has_v6);
        const RelayNo number{static_cast<std::uint8_t>(i + 1)};
        if (is_unreachable || access_.is_revoked(number) || !calm().is_running(number)) {
            return true;
        }
    }
    return setup_.relays.empty();
}

Driver Situation::driver(const Device& device) const {
    if (const auto* client = std::get_if<ClientNo>(&device)) {
        return setup_.clients.at(client->value - 1U).driver;
    }
    const auto* gateway = std::get_if<GatewayNo>(&device);
    return gateway == nullptr ? Driver::kExact : setup_.gateways.at(gateway->value - 1U).driver;
}

WallTime Situation::wall_time_at(GatewayNo gateway, Instant now) const {
    return wall_time(now) + clock_error(gateway);
}

WallTime Situation::former_wall_time_at(GatewayNo gateway, Instant now, Duration within) const {
    const auto set = clocks_set_.find(gateway);
    return set == clocks_set_.end() || set->second.at + within < now ? wall_time_at(gateway, now)
                                                                     : wall_time(now) + set->second.former_error;
}

seconds Situation::clock_error(GatewayNo gateway) const {
    if (const auto set = clocks_set_.find(gateway); set != clocks_set_.end()) {
        return set->second.error;
    }
    const auto& setup = setup_.gateways.at(gateway.value - 1U);
    return setup.clock_ahead - setup.clock_behind;
}

std::optional<Instant> Situation::token_expiry_at(GatewayNo gateway, ClientNo client) const {
    const auto expiry = access_.token_expiry(client);
    return expiry ? std::optional{*expiry - clock_error(gateway)} : std::nullopt;
}

std::optional<Instant> Situation::goodbye_at(ClientNo client, GatewayNo gateway) const {
    const auto found = goodbyes_.find({client, gateway});
    return found == goodbyes_.end() ? std::nullopt : std::optional{found->second};
}

std::optional<ClientId> Situation::id_of(ClientNo client) const {
    const auto found = ids_.find(client);
    return found == ids_.end() ? std::nullopt : std::optional{ClientId{found->second}};
}

std::optional<GatewayNo> Situation::find(const GatewayId& id) const {
    for (const auto& [device, uuid] : ids_) {
        if (const auto* gateway = std::get_if<GatewayNo>(&device); gateway != nullptr && uuid == id.uuid()) {
            return *gateway;
        }
    }
    return std::nullopt;
}

std::optional<Situation::Owner> Situation::owner(const net::IpAddress& address) const {
    const auto found = owners_.find(address);
    return found == owners_.end() ? std::nullopt : std::optional{found->second};
}

std::optional<portal_api::Interface> Situation::gateway_interface(GatewayNo gateway) const {
    const auto found = gateway_interfaces_.find(gateway);
    return found == gateway_interfaces_.end() ? std::nullopt : std::optional{found->second};
}

std::vector<GatewayNo> Situation::gateways_of(const AccessModel::Resource& resource) const {
    auto result = gateways();
    std::erase_if(result, [&](GatewayNo gateway) {
        return !resource.sites.contains(setup_.gateways.at(gateway.value - 1U).site);
    });
    return result;
}

std::optional<Instant> Situation::path_switched_at(const Device& host) const {
    const auto found = path_switches_.find(host);
    return found == path_switches_.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace culvert::model
