#include "tests/model/network/network.h"

#include <algorithm>
#include <cassert>
#include <expected>
#include <iterator>
#include <utility>
#include <variant>

#include "tests/model/network/mix.h"

namespace culvert::model {
namespace {

/// A number for each device, other than 0.
std::uint16_t code_of(const Device& device) {
    const auto number = std::visit([](const auto& no) { return no.value; }, device);
    return static_cast<std::uint16_t>((device.index() + 1) << 8 | number);
}

/// Unordered.
std::pair<Device, Device> pair_of(const Device& a, const Device& b) {
    return std::minmax(a, b);
}

/// The address that a host sends from.
std::expected<net::SocketAddress, DropReason> bind(const Host& host, const net::SocketAddress& from,
                                                   net::Family family) {
    if (!host.is_attached()) {
        return std::unexpected{DropReason::kNotAttached};
    }
    if (!from.ip.is_unspecified()) {
        if (std::ranges::find(host.addresses, from.ip) == host.addresses.end()) {
            return std::unexpected{DropReason::kForeignSource};
        }
        return from.family() == family ? std::expected<net::SocketAddress, DropReason>{from}
                                       : std::unexpected{DropReason::kNoSourceAddress};
    }
    const auto first = std::ranges::find(host.addresses, family, &net::IpAddress::family);
    if (first == host.addresses.end()) {
        return std::unexpected{DropReason::kNoSourceAddress};
    }
    return net::SocketAddress{*first, from.port};
}

bool share_lan(const Host& a, const Host& b) {
    return &a == &b || (a.segment && a.segment == b.segment);
}

}  // namespace

Network::Network(Rng rng) : seed_{rng.array<32>()}, salt_{rng.next_u64()} {}

// --- Hosts ---

std::vector<net::IpAddress> Network::attach(const Device& device, const Access& access, Instant now) {
    advance(now);
    detach(device);

    auto& joining = host(device);
    joining.latency = access.latency;
    joining.up.replace();
    joining.down.replace();
    join_segment(joining, access);

    const auto v4_range = joining.nat() != nullptr ? AddressRange::kPrivateV4 : AddressRange::kPublicV4;
    for (unsigned i = 0; access.has_v4 && i < access.interfaces; ++i) {
        joining.addresses.push_back(book_.issue(v4_range, joining));
    }
    for (unsigned i = 0; access.has_v6 && i < access.interfaces; ++i) {
        joining.addresses.push_back(book_.issue(AddressRange::kPublicV6, joining));
    }
    return joining.addresses;
}

std::vector<net::IpAddress> Network::attach_public(RelayNo relay, bool has_v4, bool has_v6, milliseconds latency,
                                                   Instant now) {
    advance(now);
    detach(relay);

    auto& joining = host(relay);
    joining.latency = latency;
    joining.up.replace();
    joining.down.replace();
    if (has_v4) {
        joining.addresses.push_back(book_.issue(AddressRange::kRelayV4, joining));
    }
    if (has_v6) {
        joining.addresses.push_back(book_.issue(AddressRange::kRelayV6, joining));
    }
    return joining.addresses;
}

void Network::detach(const Device& device) {
    auto& leaving = host(device);
    for (const auto& address : leaving.addresses) {
        book_.retire(address);
    }
    leaving.addresses.clear();
    leave_segment(leaving);
}

void Network::join_segment(Host& joining, const Access& access) {
    if (access.lan == 0 && !access.nat) {
        return;
    }
    if (const auto lan = lans_.find(access.lan); lan != lans_.end()) {
        joining.segment = lan->second;
    } else {
        joining.segment = std::make_shared<Segment>();
        if (access.nat) {
            const auto address = book_.issue_for_nat(*joining.segment);
            joining.segment->nat.emplace(*access.nat, address, mix(salt_, std::hash<net::IpAddress>{}(address)));
        }
        if (access.lan != 0) {
            lans_.emplace(access.lan, joining.segment);
        }
    }
    joining.segment->members.push_back(&joining);
}

void Network::leave_segment(Host& leaving) {
    const auto segment = std::exchange(leaving.segment, nullptr);
    if (!segment) {
        return;
    }
    std::erase(segment->members, &leaving);
    if (!segment->members.empty()) {
        return;
    }
    if (segment->nat) {
        book_.retire(segment->nat->public_address());
    }
    std::erase_if(lans_, [&](const auto& lan) { return lan.second == segment; });
}

Host& Network::host(const Device& device) {
    const auto known = hosts_.find(device);
    if (known != hosts_.end()) {
        return known->second;
    }
    return hosts_
        .emplace(device, Host{.device = device,
                              .up = Link{rng_of_link(device, true)},
                              .down = Link{rng_of_link(device, false)},
                              .latency = {},
                              .addresses = {},
                              .segment = {}})
        .first->second;
}

const Host* Network::find_host(const Device& device) const {
    const auto known = hosts_.find(device);
    return known == hosts_.end() ? nullptr : &known->second;
}

/// Does not depend on which hosts were there before.
Rng Network::rng_of_link(const Device& device, bool is_up) const {
    auto seed = seed_;
    const auto code = code_of(device);
    seed[0] ^= static_cast<std::byte>(code >> 8);
    seed[1] ^= static_cast<std::byte>(code & 0xff);
    seed[2] ^= static_cast<std::byte>(is_up);
    return Rng{seed};
}

// --- The way of a datagram ---

void Network::send(const Device& device, const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                   ByteSpan payload, Instant now) {
    advance(now);
    auto& sender = host(device);
    send(sender,
         {.ecn = ecn,
          .sender = &sender,
          .from = from,
          .to = to,
          .place = book_.find(to.ip),
          .payload = to_bytes(payload)},
         now);
}

void Network::send_forged(const Device& device, const net::SocketAddress& from, const net::SocketAddress& to,
                          ByteSpan payload, Instant now) {
    advance(now);
    auto& sender = host(device);
    send(sender,
         {.is_attack = true,
          .sender = &sender,
          .from = from,
          .to = to,
          .place = book_.find(to.ip),
          .payload = to_bytes(payload)},
         now);
}

void Network::send(Host& sender, Datagram datagram, Instant now) {
    const auto to = datagram.to;
    if (has_lost(sender, to.family())) {
        return drop(DropReason::kFamilyLost);
    }
    const auto source = bind(sender, datagram.from, to.family());
    if (!source) {
        return drop(source.error());
    }
    datagram.from = *source;

    if (datagram.place != nullptr && datagram.place->host != nullptr && share_lan(sender, *datagram.place->host)) {
        datagram.receiver = datagram.place->host;
        return send_to_neighbour(std::move(datagram), now);
    }
    if (auto* nat = sender.nat()) {
        datagram.from = nat->outbound(datagram.from, to, now);
        if (to.ip == nat->public_address()) {
            return send_through_own_nat(std::move(datagram), now);
        }
    }
    send_to_internet(sender, std::move(datagram), now);
}

void Network::inject(const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan payload, Instant now,
                     bool is_authentic) {
    advance(now);
    enter_core({.is_attack = true,
                .is_authentic = is_authentic,
                .from = from,
                .to = to,
                .place = book_.find(to.ip),
                .payload = to_bytes(payload)},
               now);
}

void Network::send_to_neighbour(Datagram datagram, Instant now) {
    if (ip_length(datagram.payload.size(), datagram.to.family()) > kLargestMtu) {
        return drop(DropReason::kTooBig);
    }
    schedule(std::move(datagram), Stage::kLan, now + kLanLatency);
}

/// Hairpinning, with the outer source address (RFC 4787 section 6).
void Network::send_through_own_nat(Datagram datagram, Instant now) {
    if (!datagram.sender->nat()->box().hairpins) {
        return drop(DropReason::kNatNoHairpin);
    }
    if (ip_length(datagram.payload.size(), datagram.to.family()) > kLargestMtu) {
        return drop(DropReason::kTooBig);
    }
    schedule(std::move(datagram), Stage::kNat, now + 2 * kLanLatency);
}

void Network::send_to_internet(Host& sender, Datagram datagram, Instant now) {
    const auto exits = sender.up.pass(datagram.payload, datagram.ecn, datagram.to.family(), now);
    if (!exits) {
        return drop(exits.error());
    }
    if (exits->duplicate) {
        enter_core(datagram, *exits->duplicate + sender.latency);
    }
    enter_core(std::move(datagram), exits->first + sender.latency);
}

/// `at` may lie in the future: whom an address leads to does not change, but for addresses that lead nowhere any more.
void Network::enter_core(Datagram datagram, Instant at) {
    const auto* place = datagram.place;
    if (place == nullptr) {
        return drop(DropReason::kNoSuchAddress);
    }
    if (place->is_stale()) {
        return drop(DropReason::kStaleAddress);
    }
    if (place->is_private) {
        return drop(DropReason::kPrivateUnreachable);
    }
    datagram.receiver = place->host != nullptr ? place->host : &behind_nat(*place->nat_of, datagram.to);
    // A link that never was impaired delays nothing: one stop less.
    if (datagram.receiver->down.was_ever_impaired()) {
        return schedule(std::move(datagram), Stage::kDownlink, at);
    }
    const auto latency = datagram.receiver->latency;
    schedule(std::move(datagram), Stage::kNat, at + latency);
}

/// Whose access link leads to this port of a NAT. Without a mapping it does not matter much: the datagram is lost,
/// unless the port gets mapped while it is under way.
Host& Network::behind_nat(const Segment& segment, const net::SocketAddress& outer) const {
    if (segment.members.size() > 1) {
        if (const auto inner = segment.nat->mapped_to(outer, now_)) {
            const auto* place = book_.find(inner->ip);
            if (place != nullptr && place->host != nullptr) {
                return *place->host;
            }
        }
    }
    return *segment.members.front();
}

void Network::pass_downlink(Datagram datagram, Instant now) {
    auto& receiver = *datagram.receiver;
    const auto exits = receiver.down.pass(datagram.payload, datagram.ecn, datagram.to.family(), now);
    if (!exits) {
        return drop(exits.error());
    }
    if (exits->duplicate) {
        schedule(datagram, Stage::kNat, *exits->duplicate + receiver.latency);
    }
    schedule(std::move(datagram), Stage::kNat, exits->first + receiver.latency);
}

void Network::enter_nat(Datagram datagram, Instant now) {
    const auto* place = datagram.place;
    if (place->is_stale()) {
        return drop(DropReason::kStaleAddress);
    }
    auto* segment = place->host != nullptr ? place->host->segment.get() : place->nat_of;
    if (segment != nullptr && segment->nat) {
        const auto inner = segment->nat->inbound(datagram.from, datagram.to, now);
        if (!inner) {
            return drop(inner.error());
        }
        datagram.to = *inner;
        datagram.place = book_.find(inner->ip);
    }
    deliver(std::move(datagram));
}

void Network::deliver(Datagram datagram) {
    const auto* place = datagram.place;
    if (place->is_stale()) {
        return drop(DropReason::kStaleAddress);
    }
    const auto& receiver = *place->host;
    if (datagram.sender != nullptr && is_blocked(*datagram.sender, receiver)) {
        return drop(DropReason::kBlocked);
    }
    if (has_lost(receiver, datagram.to.family())) {
        return drop(DropReason::kFamilyLost);
    }
    arrived_.push_back({.host = receiver.device,
                        .from = datagram.from,
                        .to = datagram.to,
                        .ecn = datagram.ecn,
                        .payload = std::move(datagram.payload),
                        .is_attack = datagram.is_attack,
                        .is_authentic = datagram.is_authentic});
}

std::optional<Instant> Network::poll_timeout() const {
    return arrived_.empty() ? in_flight_.next_time() : now_;
}

std::optional<Delivery> Network::poll_delivery(Instant now) {
    advance(now);
    if (arrived_.empty()) {
        return std::nullopt;
    }
    auto delivery = std::move(arrived_.front());
    arrived_.pop_front();
    return delivery;
}

void Network::schedule(Datagram datagram, Stage stage, Instant at) {
    datagram.stage = stage;
    const auto sender = datagram.sender != nullptr ? code_of(datagram.sender->device) : 0;
    const auto receiver = datagram.receiver != nullptr ? code_of(datagram.receiver->device) : 0;
    const auto pair = static_cast<std::uint64_t>(sender) << 16 | static_cast<std::uint64_t>(receiver);
    const auto instant = static_cast<std::uint64_t>(at.time_since_epoch().count());
    in_flight_.push(at, mix(mix(salt_, pair), instant), std::move(datagram));
}

void Network::advance(Instant now) {
    assert(now >= now_);
    while (const auto next = in_flight_.next_time()) {
        if (*next > now) {
            break;
        }
        now_ = *next;
        auto datagram = in_flight_.pop();
        switch (datagram.stage) {
            case Stage::kDownlink:
                pass_downlink(std::move(datagram), now_);
                break;
            case Stage::kNat:
                enter_nat(std::move(datagram), now_);
                break;
            case Stage::kLan:
                deliver(std::move(datagram));
                break;
        }
    }
    now_ = now;
}

// --- Faults ---

void Network::impair(const Device& device, bool up, bool down, const Impairment& impairment) {
    auto& impaired = host(device);
    if (up) {
        impaired.up.impair(impairment);
    }
    if (down) {
        impaired.down.impair(impairment);
    }
}

void Network::heal(const Device& device) {
    auto& healed = host(device);
    healed.up.heal();
    healed.down.heal();
}

void Network::block(const Device& a, const Device& b) {
    blocked_.insert(pair_of(a, b));
}

void Network::unblock(const Device& a, const Device& b) {
    blocked_.erase(pair_of(a, b));
}

void Network::lose_family(const Device& device, net::Family family) {
    lost_families_.emplace(device, family);
}

void Network::restore_family(const Device& device, net::Family family) {
    lost_families_.erase({device, family});
}

void Network::reboot_nat(const Device& device) {
    if (auto* nat = host(device).nat()) {
        nat->reboot();
    }
}

void Network::renumber_nat(const Device& device) {
    auto& inside = host(device);
    if (auto* nat = inside.nat()) {
        book_.retire(nat->public_address());
        nat->renumber(book_.issue_for_nat(*inside.segment));
    }
}

void Network::replace_nat(const Device& device, const NatBox& box) {
    if (auto* nat = host(device).nat()) {
        nat->replace(box);
    }
}

// --- Observers ---

std::vector<net::SocketAddress> Network::public_endpoints(const Device& device, std::uint16_t port, Instant now) const {
    std::vector<net::SocketAddress> endpoints;
    const auto* inside = find_host(device);
    if (inside == nullptr) {
        return endpoints;
    }
    const auto* nat = inside->nat();
    for (const auto& address : inside->addresses) {
        const net::SocketAddress own{address, port};
        if (nat == nullptr || address.is_v6()) {
            endpoints.push_back(own);
        } else {
            std::ranges::copy(nat->outer_endpoints(own, now), std::back_inserter(endpoints));
        }
    }
    return endpoints;
}

bool Network::are_neighbours(const Device& a, const Device& b) const {
    const auto* first = find_host(a);
    const auto* second = find_host(b);
    return first != nullptr && second != nullptr && share_lan(*first, *second);
}

bool Network::has_lost(const Host& host, net::Family family) const {
    return !lost_families_.empty() && lost_families_.contains({host.device, family});
}

bool Network::is_blocked(const Host& a, const Host& b) const {
    return !blocked_.empty() && blocked_.contains(pair_of(a.device, b.device));
}

}  // namespace culvert::model
