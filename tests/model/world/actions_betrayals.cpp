#include "culvert/packet/builder.h"
#include "culvert/tunnel/p2p/control_packet.h"
#include "tests/model/world/actions.h"
#include "tests/model/world/forged_packets.h"
#include "tests/model/world/hostile_gateway.h"
#include "tests/model/world/marked_payload.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

/// An ICMP error from a gateway's own address: nobody reaches `quoted_destination` for `quoted_source`.
Bytes make_error(const net::IpAddress& source, const net::IpAddress& destination, const net::IpAddress& quoted_source,
                 const net::IpAddress& quoted_destination, ByteSpan payload) {
    const auto quoted = packet::make_udp({quoted_source, kPort}, {quoted_destination, kPort}, payload);
    return source.is_v4() ? packet::make_icmp(source, destination, 3, 13, 0, quoted)
                          : packet::make_icmp(source, destination, 1, 1, 0, quoted);
}

}  // namespace

/// What the hostile gateway knows of the addresses it plays with; all of one family.
struct Actions::BetrayTargets {
    net::IpAddress own;
    net::IpAddress client;
    net::IpAddress victim;
    net::IpAddress resource;
    /// What the client sent last through the tunnel; empty if nothing.
    ByteSpan request;
};

Bytes Actions::make_betrayal(const Betray& action, const BetrayTargets& at) {
    auto& rng = forge_rng_;
    const bool is_v4 = at.own.is_v4();
    const auto payload = make_marked_payload(world_.next_packet_++, 32);
    const auto udp = [&](const net::IpAddress& source, const net::IpAddress& destination) {
        return packet::make_udp({source, kPort}, {destination, kPort}, payload);
    };
    switch (action.betrayal) {
        case Betrayal::kForeignSource:
            return udp(ip(is_v4 ? "10.99.99.99" : "fd99::99"), at.client);
        case Betrayal::kForeignResource:
            return udp(at.resource, at.client);
        case Betrayal::kOtherClient:
            return udp(at.own, at.victim);
        case Betrayal::kForeignDestination:
            return udp(at.own, rng.below(2) == 0 ? at.resource : ip(is_v4 ? "192.168.1.1" : "fd99::1"));
        case Betrayal::kReservedSource:
            return udp(reserved_address(rng.next_u32(), is_v4), at.client);
        case Betrayal::kFragment:
            return make_fragment(at.own, at.client);
        case Betrayal::kMalformed: {
            Bytes bytes(1 + rng.below(200));
            rng.fill(bytes);
            bytes[0] = std::byte{is_v4 ? std::uint8_t{0x45} : std::uint8_t{0x60}};
            return bytes;
        }
        case Betrayal::kControlGarbage:
            return *tunnel::p2p::make_control_packet(tunnel::p2p::EventType::kDomainStatus,
                                                     as_bytes("{\"resource\":1"));
        case Betrayal::kControlWrongWay:
            return *tunnel::p2p::make_control_packet(
                tunnel::p2p::EventType::kAssignedIps,
                as_bytes(R"({"resource":"4e010000-0000-4000-8000-000000000000","domain":"x","proxy_ips":[]})"));
        case Betrayal::kIcmpForeignFlow:
            return make_error(at.own, at.client, at.victim, at.resource, payload);
        case Betrayal::kIcmpForeignResource:
            return make_error(at.own, at.client, at.client, at.resource, payload);
        case Betrayal::kUnasked:
            return make_unasked(rng.below(2) == 0 ? at.own : at.resource, at.client, payload, rng.next_u32());
        case Betrayal::kConnectsBack:
            return make_near_answer(at.request, payload, rng.next_u32()).value_or(Bytes{});
        case Betrayal::kSourceRoute: {
            const auto answer = make_answer(at.request, payload);
            return answer ? with_source_route(
                                *answer,
                                ip((std::to_integer<unsigned>((*answer)[0]) >> 4U) == 4U ? "10.99.99.99" : "fd99::99"))
                          : Bytes{};
        }
        case Betrayal::kReplay:
        case Betrayal::kBogusData:
            return make_answer(at.request, payload).value_or(udp(at.own, at.client));
        case Betrayal::kWrongHandshake:
        case Betrayal::kManyCandidates:
        case Betrayal::kBadCandidates:
        case Betrayal::kBogusAnswer:
        case Betrayal::kPortalGarbage:
            break;  // not packets
    }
    return {};
}

bool Actions::apply(const Betray& action) {
    auto* machine = find(action.gateway);
    auto* hostile = machine == nullptr ? nullptr : dynamic_cast<HostileGateway*>(machine->process());
    const auto client = world_.ids_.find(action.client);
    if (hostile == nullptr || !machine->is_running() || !hostile->interface() || client == world_.ids_.end()) {
        return false;
    }
    const auto is_done = [&] {
        switch (action.betrayal) {
            case Betrayal::kManyCandidates:
                hostile->flood_candidates(client->second, 10'000);
                return true;
            case Betrayal::kBadCandidates:
                hostile->send_bad_candidates(client->second);
                return true;
            case Betrayal::kBogusAnswer:
                hostile->send_bogus_answers();
                return true;
            case Betrayal::kPortalGarbage:
                machine->link().send_garbage(world_.now_);
                return true;
            default:
                return betray_in_tunnel(action, *hostile, client->second, *machine);
        }
    }();
    if (is_done) {
        machine->step(world_.now_);
        world_.touch(action.gateway);
    }
    return is_done;
}

bool Actions::betray_in_tunnel(const Betray& action, HostileGateway& hostile, const Uuid& client, Machine& machine) {
    const auto resource = resolve(HostOf{action.resource, 1});
    const auto* interface = world_.interface_of(action.client);
    if (!hostile.has_tunnel(client) || !resource || interface == nullptr) {
        return false;
    }
    const auto now = machine.local(world_.now_);
    if (action.betrayal == Betrayal::kWrongHandshake) {
        hostile.answer_wrongly(client, action.count);
        return true;
    }
    const bool is_v4 = resource->is_v4();
    const auto& own = *hostile.interface();
    const auto* victim = action.victim == action.client ? nullptr : world_.interface_of(action.victim);
    const BetrayTargets targets{.own = is_v4 ? own.ipv4 : own.ipv6,
                                .client = is_v4 ? interface->ipv4 : interface->ipv6,
                                .victim = victim == nullptr ? ip(is_v4 ? "100.64.200.200" : "fd00:2021:1111::ffff")
                                          : is_v4           ? victim->ipv4
                                                            : victim->ipv6,
                                .resource = *resource,
                                .request = hostile.last_request(client)};
    for (unsigned i = 0; i < action.count; ++i) {
        const auto packet = make_betrayal(action, targets);
        if (packet.empty()) {
            return false;  // nothing was sent that it could be an answer to
        }
        world_.observe(PacketBetrayed{action.gateway, action.client, packet});
        if (action.betrayal == Betrayal::kReplay) {
            hostile.send_twice(client, packet, now);
        } else if (action.betrayal == Betrayal::kBogusData) {
            hostile.send_bogus_data(client, packet, now);
        } else {
            hostile.send_inside(client, packet, now);
        }
    }
    return true;
}

}  // namespace culvert::model
