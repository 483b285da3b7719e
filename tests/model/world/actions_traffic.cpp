#include <algorithm>

#include "culvert/base/overloaded.h"
#include "culvert/packet/builder.h"
#include "tests/model/scenario/ids.h"
#include "tests/model/world/actions.h"
#include "tests/model/world/forged_packets.h"
#include "tests/model/world/header_fields.h"
#include "tests/model/world/marked_payload.h"
#include "tests/model/world/world.h"

namespace culvert::model {
namespace {

/// The address `offset` after the network's first, modulo its size.
net::IpAddress host_of(const net::IpNetwork& network, std::uint32_t offset) {
    const auto host_bits = network.address().bit_length() - network.prefix();
    if (host_bits < 32) {
        offset &= (1U << host_bits) - 1U;
    }
    auto bytes = to_bytes(network.address().bytes());
    const auto tail = MutableByteSpan{bytes}.last(4);
    store_be(tail, load_be<std::uint32_t>(tail) | offset);
    return net::IpAddress::from_bytes(bytes);
}

}  // namespace

std::optional<net::IpAddress> Actions::resolve(const Destination& to) const {
    return std::visit(overloaded{[](const net::IpAddress& address) { return std::optional{address}; },
                                 [&](const TunnelOf& tunnel) -> std::optional<net::IpAddress> {
                                     const auto device =
                                         std::visit([](auto number) { return Device{number}; }, tunnel.owner);
                                     const auto* interface = world_.interface_of(device);
                                     if (interface == nullptr) {
                                         return std::nullopt;
                                     }
                                     return tunnel.is_v6 ? interface->ipv6 : interface->ipv4;
                                 },
                                 [&](const HostOf& host) -> std::optional<net::IpAddress> {
                                     const auto id = current_id(host.resource);
                                     if (!id) {
                                         return std::nullopt;
                                     }
                                     const auto resource = world_.portal_.storage().load_directory().resources.at(*id);
                                     return host_of(*net::IpNetwork::parse(resource.address), host.host);
                                 }},
                      to);
}

bool Actions::apply(const Probe& action) {
    const auto destination = resolve(action.to);
    if (!destination || find(action.client) == nullptr || is_hostile(action.client)) {
        return false;
    }
    for (unsigned i = 0; i < action.count; ++i) {
        world_.at(world_.now_ + i * Duration{action.interval},
                  [this, action, to = *destination, i] { send_probe(action, to, i); });
    }
    return true;
}

bool Actions::apply(const Expect& action) {
    constexpr std::chrono::milliseconds kInterval{200};
    return apply(Probe{.client = action.client,
                       .to = action.to,
                       .source_port = action.source_port,
                       .count = static_cast<std::uint16_t>(action.within / kInterval + 1),
                       .interval = kInterval});
}

net::IpAddress Actions::source_address(const Probe& probe, bool is_v4) const {
    const auto& own = *world_.interface_of(probe.client);
    switch (probe.source) {
        case Source::kOwn:
            break;
        case Source::kLan:
            return ip(is_v4 ? "192.168.77.7" : "fe80::7");
        case Source::kOtherClient:
            for (const auto& [device, interface] : world_.interfaces_) {
                if (std::holds_alternative<ClientNo>(device) && device != Device{probe.client}) {
                    return is_v4 ? interface.ipv4 : interface.ipv6;
                }
            }
            return ip(is_v4 ? "100.64.200.200" : "fd00:2021:1111::ffff");
        case Source::kLoopback:
            return ip(is_v4 ? "127.0.0.1" : "::1");
        case Source::kUnspecified:
            return ip(is_v4 ? "0.0.0.0" : "::");
    }
    return is_v4 ? own.ipv4 : own.ipv6;
}

void Actions::send_probe(const Probe& probe, const net::IpAddress& destination, unsigned index) {
    const auto* interface = world_.interface_of(probe.client);
    if (interface == nullptr) {
        return;
    }
    const auto source = source_address(probe, destination.is_v4());
    const auto number = world_.next_packet_++;
    const auto payload = make_marked_payload(number, probe.payload);
    Bytes packet;
    switch (probe.protocol) {
        case Protocol::kIcmp:
            packet =
                packet::make_icmp_echo_request(source, destination, probe.source_port,
                                               static_cast<std::uint16_t>(probe.destination_port + index), payload);
            break;
        case Protocol::kUdp:
            packet = packet::make_udp({source, probe.source_port}, {destination, probe.destination_port}, payload);
            break;
        case Protocol::kTcp:
            packet = packet::make_tcp({source, probe.source_port}, {destination, probe.destination_port},
                                      {.sequence = static_cast<std::uint32_t>(number), .flags = packet::kTcpSyn}, {});
            break;
    }
    set_header_fields(packet, {probe.traffic_class, probe.ttl, probe.without_checksum});
    world_.submit_if_routed(probe.client, packet);
}

bool Actions::apply(const Transfer& action) {
    const auto destination = resolve(action.to);
    const auto* interface = world_.interface_of(action.client);
    if (!destination || interface == nullptr || is_hostile(action.client)) {
        return false;
    }
    const auto& source = destination->is_v4() ? interface->ipv4 : interface->ipv6;
    return world_.transfers_.start(action, source, *destination, world_.now_);
}

bool Actions::apply(const Unsolicited& action) {
    const auto source = resolve(action.from);
    const auto* interface = world_.interface_of(action.client);
    auto* gateway = find(action.gateway);
    if (!source || interface == nullptr || gateway == nullptr || !gateway->is_running()) {
        return false;
    }
    const auto& destination = source->is_v4() ? interface->ipv4 : interface->ipv6;
    for (unsigned i = 0; i < action.count; ++i) {
        const auto number = world_.next_packet_++;
        world_.return_packet(action.gateway,
                             make_unasked(*source, destination, make_marked_payload(number, 32), number));
    }
    return true;
}

}  // namespace culvert::model
