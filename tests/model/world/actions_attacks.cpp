#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "culvert/packet/builder.h"
#include "culvert/portal_api/codec.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "tests/model/scenario/ids.h"
#include "tests/model/world/actions.h"
#include "tests/model/world/forged_packets.h"
#include "tests/model/world/hostile_client.h"
#include "tests/model/world/relay_process.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

constexpr net::SocketAddress kAttackerPort{{}, 6666};

}  // namespace

/// What the hostile client knows of the addresses it plays with; all of one family.
struct Actions::ForgeTargets {
    net::IpAddress own;
    net::IpAddress victim;
    net::IpAddress gateway;
    net::IpAddress resource;
};

Bytes Actions::forge(const Forge& action, const ForgeTargets& at) {
    auto& rng = forge_rng_;
    const bool is_v4 = at.own.is_v4();
    const net::SocketAddress own{at.own, kPort};
    const auto payload = Bytes(32, std::byte{0x66});
    switch (action.forgery) {
        case Forgery::kForeignSource:
            return packet::make_udp({ip(is_v4 ? "10.99.99.99" : "fd99::99"), kPort}, {at.resource, kPort}, payload);
        case Forgery::kOtherClientSource:
            return packet::make_udp({at.victim, kPort}, {at.resource, kPort}, payload);
        case Forgery::kUnauthorizedResource:
            return packet::make_udp(own, {at.resource, kPort}, payload);
        case Forgery::kFilteredPort:
            return packet::make_udp(own, {at.resource, static_cast<std::uint16_t>(1 + rng.below(65535))}, payload);
        case Forgery::kOtherClient:
            return packet::make_udp(own, {at.victim, kPort}, payload);
        case Forgery::kGatewayItself:
            return packet::make_icmp_echo_request(at.own, at.gateway, 1, 1, payload);
        case Forgery::kGatewayPorts:
            return make_unasked(at.own, at.gateway, payload, std::array<std::uint64_t, 4>{0, 1, 3, 4}.at(rng.below(4)));
        case Forgery::kSourceRoute:
            return with_source_route(packet::make_udp(own, {at.resource, kPort}, payload), at.gateway);
        case Forgery::kReservedDestination:
            return packet::make_udp(own, {reserved_address(rng.next_u32(), is_v4), kPort}, payload);
        case Forgery::kFragment:
            return make_fragment(at.own, at.resource);
        case Forgery::kExtensionHeaders:
            return make_extension_chain(at.own, at.resource);
        case Forgery::kMalformed: {
            Bytes bytes(1 + rng.below(200));
            rng.fill(bytes);
            bytes[0] = std::byte{is_v4 ? std::uint8_t{0x45} : std::uint8_t{0x60}};
            return bytes;
        }
        case Forgery::kControlGarbage:
            return *tunnel::p2p::make_control_packet(tunnel::p2p::EventType::kAssignedIps, as_bytes("{\"resource\":1"));
        case Forgery::kControlWrongWay:
            return *tunnel::p2p::make_control_packet(
                tunnel::p2p::EventType::kDomainStatus,
                as_bytes(R"({"resource":"4e010000-0000-4000-8000-000000000000","domain":"x","status":"active"})"));
        case Forgery::kIcmpForeignFlow:
            return make_foreign_error(at.own, at.resource, at.victim);
        case Forgery::kForeignCreateFlow:
        case Forgery::kManyCandidates:
        case Forgery::kPortalGarbage:
        case Forgery::kPortalFlood:
            break;  // not packets
    }
    return {};
}

bool Actions::apply(const Forge& action) {
    auto* machine = find(action.client);
    auto* hostile = machine == nullptr ? nullptr : dynamic_cast<HostileClient*>(machine->process());
    const auto gateway = world_.ids_.find(action.gateway);
    if (hostile == nullptr || !machine->is_running() || !hostile->interface() || gateway == world_.ids_.end()) {
        return false;
    }
    const auto finish = [&] {
        machine->step(world_.now_);
        world_.touch(action.client);
        return true;
    };
    switch (action.forgery) {
        case Forgery::kForeignCreateFlow:
            if (const auto id = current_id(action.resource)) {
                hostile->ask_for(*id);
            }
            return finish();
        case Forgery::kManyCandidates:
            hostile->flood_candidates(gateway->second, 10'000);
            return finish();
        case Forgery::kPortalGarbage:
            machine->link().send_garbage(world_.now_);
            return finish();
        case Forgery::kPortalFlood:
            flood_portal(machine->link(), GatewayId{gateway->second}, action.count);
            return finish();
        default:
            break;
    }
    const auto resource = resolve(HostOf{action.resource, 1});
    const auto* gateway_interface = world_.interface_of(action.gateway);
    if (!hostile->has_tunnel(gateway->second) || !resource || gateway_interface == nullptr) {
        return false;
    }
    const bool is_v4 = resource->is_v4();
    const auto& own = *hostile->interface();
    const auto* victim = world_.interface_of(action.victim);
    const ForgeTargets targets{.own = is_v4 ? own.ipv4 : own.ipv6,
                               .victim = victim == nullptr ? ip(is_v4 ? "100.64.200.200" : "fd00:2021:1111::ffff")
                                         : is_v4           ? victim->ipv4
                                                           : victim->ipv6,
                               .gateway = is_v4 ? gateway_interface->ipv4 : gateway_interface->ipv6,
                               .resource = *resource};
    for (unsigned i = 0; i < action.count; ++i) {
        const auto packet = forge(action, targets);
        world_.observe(PacketForged{action.client, action.gateway, packet});
        hostile->send_inside(gateway->second, packet, machine->local(world_.now_));
    }
    return finish();
}

/// Round by round: access to every resource that there is, a candidate for a gateway, a login as a device that nobody
/// has seen before; and at last a channel that is joined over and over.
void Actions::flood_portal(PortalLink& link, const GatewayId& gateway, unsigned rounds) {
    std::vector<std::string> frames;
    for (unsigned i = 0; i < rounds; ++i) {
        for (const auto& [id, resource] : world_.portal_.storage().load_directory().resources) {
            frames.push_back(portal_api::encode_from_device(portal_api::FromClient{portal_api::CreateFlow{id, {}}},
                                                            link.dialect(), i));
        }
        const auto candidate =
            "candidate:" + std::to_string(i) + " 1 UDP 2130706431 10.66.6.6 " + std::to_string(1024 + i) + " typ host";
        frames.push_back(portal_api::encode_from_device(
            portal_api::FromClient{portal_api::BroadcastGatewayIceCandidates{{gateway}, {candidate}}}, link.dialect(),
            i));
    }
    for (unsigned i = 0; i < rounds; ++i) {
        frames.push_back(portal_api::encode_join(portal_api::Role::kClient, i, std::nullopt));
    }
    link.send_frames(frames, world_.now_);
    link.log_in_as_others(rounds, world_.now_);
}

bool Actions::apply(const Attack& action) {
    auto* machine = find(action.target);
    if (machine == nullptr) {
        return false;
    }
    const auto targets = world_.network_.public_endpoints(action.target, machine->access().port, world_.now_);
    if (targets.empty()) {
        return false;
    }
    for (unsigned i = 0; i < action.count; ++i) {
        const auto& target = targets[i % targets.size()];
        const auto forged = world_.attacker_.make(action);
        auto from = forged.from.value_or(kAttackerPort);
        if (!forged.from || from.family() != target.family()) {
            from = {ip(target.is_v4() ? "198.51.100.66" : "2001:db8:66::66"), kAttackerPort.port};
        }
        world_.network_.inject(from, target, forged.payload, world_.now_);
    }
    return true;
}

bool Actions::apply(const AbuseRelay& action) {
    auto* machine = find(action.relay);
    if (machine == nullptr || !machine->is_running()) {
        return false;
    }
    if (action.abuse == RelayAbuse::kGreed) {
        take_what_is_given(action, *machine);
        return true;
    }
    bool is_effective = false;
    for (unsigned i = 0; i < action.count; ++i) {
        const auto& addresses = machine->addresses();
        const net::SocketAddress relay{addresses[i % addresses.size()], machine->access().port};
        for (const auto& datagram : world_.relay_abuser_.make(action, relay)) {
            const auto from_family = datagram.from.family();
            const auto to = std::ranges::find(addresses, from_family, &net::IpAddress::family);
            if (to != addresses.end()) {
                world_.network_.inject(datagram.from, {*to, relay.port}, datagram.payload, world_.now_,
                                       datagram.is_authentic);
                is_effective = true;
            }
        }
    }
    return is_effective;
}

void Actions::take_what_is_given(const AbuseRelay& action, Machine& machine) {
    const auto& process = dynamic_cast<const RelayProcess&>(*machine.process());
    for (unsigned i = 0; i < action.count; ++i) {
        const auto& addresses = machine.addresses();
        const net::SocketAddress relay{addresses[i % addresses.size()], machine.access().port};
        const auto admit = [&](std::string_view salt, const net::SocketAddress& client) {
            return process.admit(salt, client, machine.local(world_.now_));
        };
        for (const auto& datagram : world_.relay_abuser_.take_everything(relay, admit)) {
            world_.network_.inject(datagram.from, relay, datagram.payload, world_.now_, datagram.is_authentic);
        }
    }
}

bool Actions::apply(const Deceive& action) {
    auto* machine = find(action.relay);
    if (machine == nullptr || !machine->is_running() || !is_hostile(action.relay)) {
        return false;
    }
    world_.observe(FaultChanged{"deceit", action.relay, true});
    dynamic_cast<RelayProcess&>(*machine->process())
        .deceive(action.deceit, machine->local(world_.now_) + action.duration);
    return true;
}

}  // namespace culvert::model
