// The part of the client's tunnel that is about names: its resolver, and what gateways are told of names.

#include <map>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/packet/segmenter.h"
#include "culvert/tunnel/address_ranges.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/service.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

}  // namespace

// --- Resolvers ---

void ClientTunnel::set_system_resolvers(std::vector<net::IpAddress> servers, Instant now) {
    system_resolvers_ = std::move(servers);
    if (core_.tun_config()) {
        update_resolvers(now);
    }
    settle_names(now);
    core_.note_input(now);
}

void ClientTunnel::update_resolvers(Instant now) {
    dns_.set_resolvers(portal_resolvers_, system_resolvers_, now);
    update_routing(now);
}

void ClientTunnel::handle_dns_response(dns::AskId id, ByteSpan message, Instant now) {
    dns_.handle_response(id, message, now);
    settle_names(now);
}

void ClientTunnel::handle_dns_failure(dns::AskId id, Instant now) {
    dns_.handle_failure(id, now);
    settle_names(now);
}

// --- Packets to names ---

bool ClientTunnel::wait_for_name(const GatewayId& gateway, const Target& target, packet::Segmenter& segments,
                                 Instant now) {
    const NameSetups::NameOf name{id_of(*target.resource), target.name->domain()};
    if (!names_.is_told(gateway, name)) {
        names_.update(gateway, setup_of(target), {}, now);
    }
    const bool waits = names_.holds(gateway, name);
    while (waits) {
        const auto packet = segments.next_to_keep();
        if (!packet) {
            break;
        }
        if (names_.handle_outgoing(gateway, name, *packet, now) == NameSetups::Outcome::kDropped) {
            kLog.debug("Dropped packet: too many wait for names", log::field("gid", gateway),
                       log::field("rid", name.resource));
        }
    }
    settle_names(now);
    return waits;
}

NameSetups::Assignment ClientTunnel::setup_of(const Target& target) const {
    const auto stack = stack_of(std::get<portal_api::ClientDnsResource>(*target.resource));
    NameSetups::Assignment setup{
        .domain = target.name->domain(), .resource = id_of(*target.resource), .proxy_ips = target.name->addresses()};
    // the resource may have lost a family since
    std::erase_if(setup.proxy_ips,
                  [&](const net::IpAddress& address) { return !dns::has_family(stack, address.family()); });
    return setup;
}

void ClientTunnel::tell_names(const ResourceId& resource, const GatewayId& gateway, const PacketBuffer& packets,
                              Instant now) {
    std::map<const dns::ProxyAddresses::Assignment*, std::vector<Bytes>> waiting;
    for (std::size_t i = 0; i < packets.size(); ++i) {
        auto copy = to_bytes(packets[i]);
        const auto packet = packet::IpPacket::parse(copy, packet::kMaxSuperPacket);
        if (const auto* name = packet ? named_target(packet->destination()).name : nullptr) {
            waiting[name].push_back(to_bytes(packets[i]));
        }
    }
    names_.recreate(resource);
    for (const auto& name : dns_.proxies().assignments()) {
        const auto addresses = name.resource() == resource ? name.addresses() : std::vector<net::IpAddress>{};
        for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
            const auto* known = addresses.empty() ? nullptr : resources_.find_name(resource, name.domain(), family);
            if (known != nullptr && name.addresses(family)) {
                names_.update(gateway, setup_of({.resource = known, .name = &name}), std::move(waiting[&name]), now);
                break;
            }
        }
    }
}

void ClientTunnel::handle_name_answered(const dns::Name& name, Instant now) {
    const auto match = dns_.resources().match(name);
    const auto* resource = match ? resources_.find(match->id) : nullptr;
    const auto* assignment = resource == nullptr ? nullptr : dns_.proxies().find(name, match->id);
    const auto gateway = assignment == nullptr ? std::nullopt : peers_.gateway_of(match->id);
    if (!gateway) {
        return;
    }
    if (names_.recreate(*gateway, {match->id, name})) {
        flows_.invalidate();
    }
    auto setup = setup_of({.resource = resource, .name = assignment});
    if (!setup.proxy_ips.empty()) {
        names_.update(*gateway, setup, {}, now);
    }
}

// --- Queries through the tunnel ---

void ClientTunnel::send_query(Bytes bytes, Instant now) {
    const auto packet = packet::IpPacket::parse(bytes);
    if (!packet) {
        return;
    }
    const auto destination = packet->destination();
    if (is_peer_address(destination)) {
        if (const auto gateway = peers_.find_by_address(destination)) {
            core_.send(gateway->uuid(), bytes, now);
        }
        return;
    }
    const auto* resource = resources_.match(destination, requested_service(*packet)).resource;
    if (resource == nullptr) {
        kLog.debug("Dropped query to a resolver that is no resource", log::field("destination", destination));
        return;
    }
    const auto& id = id_of(*resource);
    if (const auto gateway = peers_.gateway_of(id)) {
        core_.send(gateway->uuid(), bytes, now);
        return;
    }
    request_access(id, "dns-query-for-resource", now);
    access_requests_.waiting(id)->queries.push(bytes);
}

void ClientTunnel::settle_names(Instant now) {
    while (const auto event = dns_.poll_event()) {
        std::visit(overloaded{
                       [&](const dns::Ask& ask) {
                           if (dns_events_.size() < ClientDns::kMaxEvents) {
                               dns_events_.emplace_back(ask);
                           } else {
                               dns_.handle_failure(ask.id, now);
                           }
                       },
                       [&](const dns::StopAsking& stop) { dns_events_.emplace_back(stop); },
                       [&](const dns::ConnectSite& site) {
                           if (resources_.find(site.resource) != nullptr && !peers_.gateway_of(site.resource)) {
                               request_access(site.resource, "dns-query-for-site", now);
                           }
                       },
                       [&](const dns::NameAnswered& answered) { handle_name_answered(answered.name, now); },
                   },
                   *event);
    }
    while (auto packet = dns_.poll_to_tunnel()) {
        send_query(std::move(*packet), now);
    }
    while (const auto output = names_.poll_output()) {
        send_waiting(output->gateway, output->packet, now);
    }
    if (dns_.take_records_changed() && !due_.is_set(Due::kRecords)) {
        due_.set(Due::kRecords, now + kRecordsInterval);
    }
}

}  // namespace culvert::tunnel
