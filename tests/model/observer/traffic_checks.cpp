#include "tests/model/observer/traffic_checks.h"

#include <algorithm>

#include "culvert/tunnel/address_ranges.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// A change reaches a connected gateway within 2 s (a promise of the portal), which then has 2 s to act (SEC-2).
constexpr Duration kChangeTakesEffect = 4s;
/// Timers of late drivers go off so much after they are due, at the worst.
constexpr Duration kLateTimers = 5200ms;

std::string describe(const InnerPacket& packet) {
    return packet.source.to_string() + "." + std::to_string(packet.source_port) + " > " +
           packet.destination.to_string() + "." + std::to_string(packet.destination_port) + " protocol " +
           std::to_string(packet.protocol);
}

bool is_control(const InnerPacket& packet) {
    return packet.protocol == kProtocolControl && packet.source.is_unspecified() && packet.destination.is_unspecified();
}

std::optional<std::uint64_t> marker_of_quoted(const InnerPacket& packet) {
    const auto quoted = packet.is_icmp_error() ? read_quoted(packet) : std::nullopt;
    return quoted ? quoted->marker : std::nullopt;
}

}  // namespace

void TrafficChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void TrafficChecks::handle(const PacketSubmitted& event, Instant) {
    opened_.handle(event);
    const auto packet = read_packet(event.packet);
    if (packet && packet->marker) {
        owners_.insert_or_assign(*packet->marker, event.client);
    }
}

void TrafficChecks::handle(const PacketBetrayed& event, Instant) {
    const auto packet = read_packet(event.packet);
    if (const auto marker = !packet ? std::nullopt : packet->marker ? packet->marker : marker_of_quoted(*packet)) {
        betrayed_.insert_or_assign(*marker, Betrayed{event.gateway, event.client});
    }
}

// --- Towards resources ---

void TrafficChecks::handle(const PacketForwarded& event, Instant now) {
    const auto packet = read_packet(event.packet);
    if (!verdict_.check("SEC-3", packet.has_value(), now,
                        [&] { return name(event.gateway) + " forwarded what is no IP packet"; })) {
        return;
    }
    const auto owner = situation_.owner(packet->source);
    const auto* client = owner ? std::get_if<ClientNo>(&*owner) : nullptr;
    check_form(*packet, client != nullptr && situation_.is_hostile(*client), now);
    if (!verdict_.check("SEC-3", client != nullptr, now, [&] {
            return name(event.gateway) + " forwarded a packet that is from no client: " + describe(*packet);
        })) {
        return;
    }
    if (packet->marker) {
        const auto sender = owners_.find(*packet->marker);
        verdict_.check("SEC-4", sender != owners_.end() && sender->second == *client, now,
                       [&] { return name(event.gateway) + " forwarded another client's bytes: " + describe(*packet); });
    }
    check_grant(event.gateway, *client, *packet, now);
}

void TrafficChecks::check_form(const InnerPacket& packet, bool is_from_hostile, Instant now) {
    verdict_.check("SEC-10", !is_control(packet), now, [] { return "a control message left the tunnel"; });
    verdict_.check("SEC-1", !packet.is_fragment, now, [&] { return "a fragment passed: " + describe(packet); });
    verdict_.check("SEC-1", !packet.is_source_routed, now,
                   [&] { return "a source route passed: " + describe(packet); });
    if (!is_from_hostile) {
        verdict_.check("PRO-3", are_checksums_right(packet), now,
                       [&] { return "wrong checksum: " + describe(packet); });
    }
}

Duration TrafficChecks::lateness(GatewayNo gateway) const {
    return situation_.driver(gateway) == Driver::kLate ? kLateTimers : Duration{};
}

template <typename Ask>
Grants::Answer TrafficChecks::best_answer(GatewayNo gateway, Instant now, const Ask& ask) const {
    const auto answer = ask(situation_.wall_time_at(gateway, now));
    return answer != Grants::Answer::kNo
               ? answer
               : ask(situation_.former_wall_time_at(gateway, now, Grants::kExpiryGrace + lateness(gateway)));
}

void TrafficChecks::check_grant(GatewayNo gateway, ClientNo client, const InnerPacket& packet, Instant now) {
    const auto id = situation_.id_of(client);
    const auto& grants = situation_.grants(gateway);
    const auto own = situation_.gateway_interface(gateway);
    const bool is_own = own && (packet.destination == own->ipv4 || packet.destination == own->ipv6);
    if (!verdict_.check("SEC-3", is_own || !tunnel::is_peer_address(packet.destination), now, [&] {
            return name(gateway) + " forwarded from one tunnel address to another: " + describe(packet);
        })) {
        return;
    }
    verdict_.check("SEC-1", !is_own || packet.is_echo_request(), now, [&] {
        return name(gateway) + " lets clients at more than the echo of its own address: " + describe(packet);
    });
    const auto answer = best_answer(gateway, now, [&](WallTime wall) {
        if (!id) {
            return Grants::Answer::kNo;
        }
        return is_own
                   ? grants.is_known(*id, now, wall, lateness(gateway))
                   : grants.may_pass(*id, packet.destination, requested_service(packet), now, wall, lateness(gateway));
    });
    const auto wall = situation_.wall_time_at(gateway, now);
    if (wall != wall_time(now) && situation_.access().token_expiry(client)) {
        verdict_.count("expiry judged by a clock that is wrong");
    }
    // What was never granted is another matter than what may be something that is not granted any more.
    const bool has_lost = id && grants.has_lost(*id, wall);
    verdict_.check(has_lost ? "SEC-2" : "SEC-1", answer != Grants::Answer::kNo, now, [&] {
        return name(gateway) + " forwarded without a grant for " + name(client) + ": " + describe(packet);
    });
    if (!is_own) {
        check_access(gateway, client, packet, now);
    }
}

bool TrafficChecks::is_permitted(GatewayNo gateway, ClientNo client, const InnerPacket& packet, Instant now) const {
    const auto site = situation_.setup().gateways.at(gateway.value - 1U).site;
    return std::ranges::any_of(situation_.access().resources(), [&](const auto& entry) {
        const auto& resource = entry.second;
        return resource.address.contains(packet.destination) && resource.sites.contains(site) &&
               permits(resource.filters, requested_service(packet)) &&
               situation_.access().may_reach(client, resource.id, now).holds;
    });
}

void TrafficChecks::check_access(GatewayNo gateway, ClientNo client, const InnerPacket& packet, Instant now) {
    if (is_permitted(gateway, client, packet, now)) {
        verdict_.check("SEC-1", true, now, [] { return ""; });
        return;
    }
    const auto expiry = situation_.access().token_expiry(client);
    if (expiry && *expiry <= now) {
        return;  // told to the gateway beforehand, so its grants were checked already
    }
    const auto changed_at = situation_.access().changed_at(client);
    const auto signed_in = situation_.access().may_sign_in(client, now);
    const auto since = signed_in.holds ? changed_at : std::max(changed_at, signed_in.since);
    const bool is_unreachable = situation_.calm().was_unreachable(gateway, std::max(since, now - kChangeTakesEffect));
    if (is_unreachable) {
        verdict_.tolerate(Excuse::kUnreachable);
    }
    verdict_.check("SEC-2", is_unreachable || since + kChangeTakesEffect >= now, now, [&] {
        return name(gateway) + " forwards what the portal has long forbidden " + name(client) + ": " + describe(packet);
    });
}

// --- Towards applications ---

void TrafficChecks::handle(const PacketReturned& event, Instant now) {
    const auto packet = read_packet(event.packet);
    const auto owner = packet ? situation_.owner(packet->destination) : std::nullopt;
    const auto* client = owner ? std::get_if<ClientNo>(&*owner) : nullptr;
    if (client == nullptr || !packet->marker) {
        return;
    }
    owners_.try_emplace(*packet->marker, *client);
    const auto id = situation_.id_of(*client);
    const auto own = situation_.gateway_interface(event.gateway);
    const bool is_own = own && (packet->source == own->ipv4 || packet->source == own->ipv6);
    const auto answer = best_answer(event.gateway, now, [&](WallTime wall) {
        return id ? situation_.grants(event.gateway)
                        .may_pass(*id, packet->source, answering_service(*packet), now, wall, kLateTimers)
                  : Grants::Answer::kNo;
    });
    if (!is_own && answer == Grants::Answer::kNo) {
        refused_.insert(*packet->marker);
    }
}

void TrafficChecks::handle(const PacketDelivered& event, Instant now) {
    if (situation_.is_hostile(event.client)) {
        return;
    }
    const auto packet = read_packet(event.packet);
    if (!verdict_.check("SEC-6", packet.has_value(), now,
                        [&] { return name(event.client) + " delivered what is no IP packet"; })) {
        return;
    }
    check_form(*packet, false, now);
    const auto& told = situation_.told(event.client);
    const auto& own = told.interface();
    verdict_.check("SEC-3", own && (packet->destination == own->ipv4 || packet->destination == own->ipv6), now,
                   [&] { return name(event.client) + " delivered a packet that is not for it: " + describe(*packet); });
    verdict_.check("SEC-6", told.is_gateway(packet->source) || !told.covering(packet->source).empty(), now, [&] {
        return name(event.client) + " delivered a packet from elsewhere than its resources: " + describe(*packet);
    });
    if (const auto marker = packet->marker ? packet->marker : marker_of_quoted(*packet);
        marker && betrayed_.contains(*marker)) {
        check_betrayal(event.client, betrayed_.at(*marker), *packet, now);
    } else if (packet->marker) {
        const auto owner = owners_.find(*packet->marker);
        verdict_.check("SEC-4", owner != owners_.end() && owner->second == event.client, now,
                       [&] { return name(event.client) + " delivered another client's bytes: " + describe(*packet); });
        verdict_.check("SEC-1", !refused_.contains(*packet->marker), now,
                       [&] { return "a packet from a resource passed without a grant: " + describe(*packet); });
    }
    verdict_.check("SEC-11",
                   packet->is_icmp_error() ? opened_.is_about_one(event.client, *packet)
                                           : opened_.is_answer(event.client, *packet),
                   now, [&] { return name(event.client) + " delivered what answers nothing: " + describe(*packet); });
    if (packet->is_icmp_error()) {
        check_error(event.client, *packet, now);
    }
}

/// Whether the gateway is where the packet goes: by the narrowest of the client's resources that permit it.
bool TrafficChecks::is_reached_through(ClientNo client, GatewayNo gateway, const InnerPacket& packet) const {
    const auto& address = packet.destination;
    const auto own = situation_.gateway_interface(gateway);
    const auto& told = situation_.told(client);
    return (own && (address == own->ipv4 || address == own->ipv6)) ||
           std::ranges::any_of(told.candidates(address, requested_service(packet)), [&](const auto* resource) {
               const auto* flow = told.flow(resource->id);
               return flow != nullptr && situation_.find(flow->gateway) == gateway;
           });
}

void TrafficChecks::check_betrayal(ClientNo client, Betrayed& betrayed, const InnerPacket& packet, Instant now) {
    const auto& told = situation_.told(client);
    const auto serves = [&](const net::IpAddress& address) {
        const auto own = situation_.gateway_interface(betrayed.gateway);
        return (own && (address == own->ipv4 || address == own->ipv6)) ||
               std::ranges::any_of(told.covering(address), [&](const auto* resource) {
                   const auto* flow = told.flow(resource->id);
                   return flow != nullptr && situation_.find(flow->gateway) == betrayed.gateway;
               });
    };
    const auto say = [&](std::string_view what) {
        return [&, what] {
            return name(client) + " delivered " + std::string{what} + ", from " + name(betrayed.gateway) + ": " +
                   describe(packet);
        };
    };
    verdict_.check("SEC-4", betrayed.client == client, now, say("what was sent to another client"));
    verdict_.check("CON-2", ++betrayed.delivered == 1, now, say("a packet twice"));
    verdict_.check("SEC-3", serves(packet.source), now, say("a packet from what the gateway does not serve"));
    if (const auto quoted = packet.is_icmp_error() ? read_quoted(packet) : std::nullopt) {
        verdict_.check("SEC-4", is_reached_through(client, betrayed.gateway, *quoted), now,
                       say("an error about what the gateway does not serve"));
    }
}

void TrafficChecks::check_error(ClientNo client, const InnerPacket& error, Instant now) {
    const auto quoted = read_quoted(error);
    const auto& own = situation_.told(client).interface();
    verdict_.check("SEC-6", quoted && own && (quoted->source == own->ipv4 || quoted->source == own->ipv6), now, [&] {
        return name(client) + " delivered an ICMP error about somebody else's packet: " + describe(error);
    });
}

// --- On the wire ---

void TrafficChecks::handle(const DatagramSent& event, Instant now) {
    const bool is_sealed = as_text(event.payload).find(kMarker) == std::string_view::npos;
    verdict_.check("SEC-6", is_sealed, now,
                   [&] { return "an application's bytes in the clear, to " + event.to.to_string(); });
}

}  // namespace culvert::model
