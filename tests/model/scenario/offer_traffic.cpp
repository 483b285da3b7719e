#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "tests/model/scenario/offers.h"

namespace culvert::model {

namespace {

template <typename T>
T number(ChoiceSource& source, std::uint64_t lowest, std::uint64_t highest) {
    return static_cast<T>(source.between(lowest, highest));
}

// Few different ones, so that clients often use the same.
std::uint16_t draw_source_port(ChoiceSource& source, const Plan& plan, ClientNo client, Protocol protocol) {
    return plan.unused_port(client, protocol, static_cast<std::uint16_t>(2000 + 1000 * source.below(60)));
}

std::uint16_t draw_service_port(ChoiceSource& source) {
    constexpr std::array<std::uint16_t, 5> kPorts{443, 80, 22, 100, 5000};
    return source.chance(20) ? number<std::uint16_t>(source, 1024, 50'000) : source.pick(kPorts);
}

Protocol draw_protocol(ChoiceSource& source) {
    constexpr std::array kProtocols{Protocol::kIcmp, Protocol::kUdp, Protocol::kTcp};
    return source.pick(kProtocols);
}

// Mostly one the client may reach. Deleted ones are aimed at as well.
const Plan::Resource* draw_target(ChoiceSource& source, const Plan& plan, ClientNo client,
                                  const std::vector<Plan::Resource>& resources) {
    std::vector<const Plan::Resource*> allowed;
    std::vector<const Plan::Resource*> others;
    for (const auto& resource : resources) {
        (plan.is_allowed(client, resource.number) ? allowed : others).push_back(&resource);
    }
    if (allowed.empty() && others.empty()) {
        return nullptr;
    }
    const bool wants_other = source.chance(15);
    return source.pick(allowed.empty() || (wants_other && !others.empty()) ? others : allowed);
}

struct Service {
    Protocol protocol = Protocol::kIcmp;
    std::uint16_t port = 1;
};

Service draw_service(ChoiceSource& source) {
    const auto protocol = draw_protocol(source);
    return {protocol, protocol == Protocol::kIcmp ? std::uint16_t{1} : draw_service_port(source)};
}

Service draw_allowed_service(ChoiceSource& source, const portal_api::Filter& filter) {
    switch (filter.protocol) {
        case portal_api::FilterProtocol::kIcmp:
            return {Protocol::kIcmp, 1};
        case portal_api::FilterProtocol::kUdp:
            return {Protocol::kUdp, number<std::uint16_t>(source, filter.port_range_start, filter.port_range_end)};
        case portal_api::FilterProtocol::kTcp:
            return {Protocol::kTcp, number<std::uint16_t>(source, filter.port_range_start, filter.port_range_end)};
    }
    std::unreachable();
}

std::uint16_t draw_tcp_port(ChoiceSource& source, const std::vector<portal_api::Filter>& filters) {
    auto tcp = filters;
    std::erase_if(tcp, [](const auto& filter) { return filter.protocol != portal_api::FilterProtocol::kTcp; });
    if (tcp.empty() || source.chance(20)) {
        return draw_service_port(source);
    }
    return draw_allowed_service(source, source.pick(tcp)).port;
}

struct Burst {
    std::uint16_t count;
    milliseconds interval;
};

Burst draw_burst(ChoiceSource& source) {
    constexpr std::array kIntervals{milliseconds{0}, milliseconds{1}, milliseconds{20}, milliseconds{100}};
    switch (source.weighted(std::array<unsigned, 4>{50, 30, 15, 5})) {
        case 0:
            return {1, milliseconds{0}};
        case 1:
            return {number<std::uint16_t>(source, 2, 10), source.chance(30) ? seconds{1} : source.pick(kIntervals)};
        case 2:
            return {number<std::uint16_t>(source, 11, 100), source.pick(kIntervals)};
        default:
            return {number<std::uint16_t>(source, 101, 500), source.pick(kIntervals)};
    }
}

// Neither a resource nor (mostly) part of one.
Destination draw_elsewhere(ChoiceSource& source, const Plan& plan) {
    switch (source.below(3)) {
        case 0:
            return net::IpAddress{std::array<std::uint8_t, 4>{10, number<std::uint8_t>(source, 20, 21), 0, 7}};
        case 1:
            if (const auto gateways = plan.gateways(); !gateways.empty()) {
                return TunnelOf{source.pick(gateways), source.chance(50)};
            }
            [[fallthrough]];
        default:
            return TunnelOf{source.pick(plan.clients()), source.chance(50)};
    }
}

HostOf draw_host(ChoiceSource& source, ResourceNo resource) {
    return {resource, number<std::uint32_t>(source, 1, 8)};
}

void draw_header(ChoiceSource& source, Probe& probe) {
    if (source.chance(5)) {
        probe.source = static_cast<Source>(source.between(1, std::to_underlying(Source::kUnspecified)));
    }
    if (source.chance(25)) {
        // Without DSCP and with two of them, in all combinations with ECN.
        constexpr std::array<std::uint8_t, 3> kDscp{0, 0x28, 0xb8};
        probe.traffic_class = static_cast<std::uint8_t>(source.pick(kDscp) | source.below(4));
    }
    if (source.chance(10)) {
        constexpr std::array<std::uint8_t, 4> kTtls{1, 2, 128, 255};
        probe.ttl = source.pick(kTtls);
    }
    probe.without_checksum = probe.protocol == Protocol::kUdp && source.chance(10);
}

Probe draw_probe(ChoiceSource& source, const Plan& plan, ClientNo client) {
    Probe probe{.client = client, .to = net::IpAddress{}};
    Service service;
    const auto resources = plan.resources();
    const auto* target = draw_target(source, plan, client, resources);
    if (target == nullptr || source.chance(10)) {
        probe.to = draw_elsewhere(source, plan);
        service = draw_service(source);
    } else {
        probe.to = draw_host(source, target->number);
        const bool steer = !target->filters.empty() && !source.chance(20);
        service = steer ? draw_allowed_service(source, source.pick(target->filters)) : draw_service(source);
    }
    probe.protocol = service.protocol;
    probe.destination_port = service.port;
    probe.source_port = draw_source_port(source, plan, client, service.protocol);
    const auto burst = draw_burst(source);
    probe.count = burst.count;
    probe.interval = burst.interval;
    draw_header(source, probe);
    probe.payload = source.chance(30) ? number<std::uint16_t>(source, 16, 1200) : std::uint16_t{32};
    return probe;
}

Transfer draw_transfer(ChoiceSource& source, const Plan& plan, ClientNo client,
                       const std::vector<Plan::Resource>& resources) {
    const auto* target = draw_target(source, plan, client, resources);
    return {.client = client,
            .to = draw_host(source, target->number),
            .source_port = draw_source_port(source, plan, client, Protocol::kTcp),
            .destination_port = draw_tcp_port(source, target->filters),
            .bytes = source.chance(50) ? 1000U * number<std::uint32_t>(source, 1, 250) : 10'000U,
            .is_upload = source.chance(40)};
}

}  // namespace

void offer_traffic(const Plan& plan, Offers& offers) {
    offers.about(50, plan.clients(),
                 [&plan](ChoiceSource& source, ClientNo client) { return draw_probe(source, plan, client); });
    const auto resources = plan.resources();
    if (resources.empty()) {
        return;
    }
    offers.about(8, plan.clients(), [&plan, resources](ChoiceSource& source, ClientNo client) {
        return draw_transfer(source, plan, client, resources);
    });
    if (!plan.clients().empty()) {
        offers.about(3, plan.gateways(), [&plan, resources](ChoiceSource& source, GatewayNo gateway) {
            const auto client = source.pick(plan.clients());
            const auto resource = source.pick(resources).number;
            return Unsolicited{gateway, client, draw_host(source, resource), number<std::uint16_t>(source, 1, 3)};
        });
    }
}

std::optional<Probe> draw_lasting_flow(ChoiceSource& source, const Plan& plan, milliseconds duration) {
    const auto clients = plan.clients();
    if (clients.empty() || !source.chance(50)) {
        return std::nullopt;
    }
    auto probe = draw_probe(source, plan, source.pick(clients));
    // Below and above WireGuard's keep-alive (10 s), NATs' timers (30 s), idle connections (1 min) and sessions (3
    // min).
    constexpr std::array<seconds, 5> kIntervals{seconds{5}, seconds{20}, seconds{45}, seconds{100}, seconds{200}};
    probe.interval = source.pick(kIntervals);
    probe.count = static_cast<std::uint16_t>(duration / probe.interval);
    return probe;
}

}  // namespace culvert::model
