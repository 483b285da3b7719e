#include "tests/model/scenario/draw_setup.h"

#include <algorithm>
#include <array>
#include <span>

#include "culvert/turn/constants.h"

namespace culvert::model {

namespace {

constexpr std::uint8_t kMostSites = 3;

template <typename T = std::uint8_t>
T small(ChoiceSource& source, std::uint64_t lowest, std::uint64_t highest) {
    return static_cast<T>(source.between(lowest, highest));
}

milliseconds draw_latency(ChoiceSource& source) {
    return source.chance(60) ? milliseconds{source.between(1, 120)} : milliseconds{10};
}

Driver draw_driver(ChoiceSource& source) {
    constexpr std::array kDrivers{Driver::kExact, Driver::kLate, Driver::kSpurious, Driver::kEventLoop};
    return kDrivers.at(source.weighted(std::array<unsigned, 4>{66, 12, 12, 10}));
}

std::uint16_t draw_port(ChoiceSource& source) {
    switch (source.weighted(std::array<unsigned, 3>{70, 10, 20})) {
        case 0:
            return io::kPreferredPort;
        case 1:
            return turn::kRelayPort;
        default:
            return small<std::uint16_t>(source, 1024, 65535);
    }
}

struct AccessWeights {
    std::array<unsigned, 3> stack;  // dual, only IPv4, only IPv6
    unsigned nat_percent;
};
constexpr AccessWeights kClientAccess{{50, 30, 20}, 60};
constexpr AccessWeights kGatewayAccess{{70, 20, 10}, 35};

Access draw_access(ChoiceSource& source, const AccessWeights& weights) {
    const auto stack = source.weighted(weights.stack);
    Access access;
    access.has_v4 = stack != 2;
    access.has_v6 = stack != 1;
    if (source.chance(weights.nat_percent)) {
        access.nat = draw_nat(source);
    }
    access.interfaces = source.chance(8) ? 2 : 1;
    access.latency = draw_latency(source);
    access.port = draw_port(source);
    return access;
}

std::vector<GroupNo> draw_memberships(ChoiceSource& source, std::uint8_t groups) {
    std::vector<GroupNo> memberships;
    for (std::uint8_t group = 1; group <= groups; ++group) {
        if (!source.chance(20)) {
            memberships.push_back({group});
        }
    }
    if (memberships.empty()) {
        memberships.push_back({1});
    }
    return memberships;
}

void draw_clients(ChoiceSource& source, const DecodeOptions& options, Setup& setup) {
    const bool has_hostile = options.attacks && source.chance(25);
    const auto honest = 1 + source.weighted(std::array<unsigned, 3>{50, 35, has_hostile ? 0U : 15U});
    for (std::size_t i = 0; i < honest; ++i) {
        ClientSetup client;
        client.access = draw_access(source, kClientAccess);
        client.driver = draw_driver(source);
        client.groups = draw_memberships(source, setup.groups);
        if (options.admin && source.chance(5)) {
            client.token_lifetime = seconds{source.between(5, 255)};
        }
        setup.clients.push_back(std::move(client));
    }
    if (has_hostile) {
        ClientSetup hostile;
        hostile.access = draw_access(source, kClientAccess);
        hostile.groups = draw_memberships(source, setup.groups);
        hostile.is_hostile = true;
        setup.clients.push_back(std::move(hostile));
    }
}

// Where something expires, which gateways judge by their own clocks, these are often wrong.
void draw_clock(ChoiceSource& source, const Setup& setup, GatewaySetup& gateway) {
    const bool may_matter =
        std::ranges::any_of(setup.clients, [](const ClientSetup& client) { return client.token_lifetime.has_value(); });
    if (!source.chance(may_matter ? 50 : 3)) {
        return;
    }
    constexpr std::array kErrors{seconds{5}, seconds{60}, seconds{600}};
    (source.chance(50) ? gateway.clock_ahead : gateway.clock_behind) = source.pick(kErrors);
}

// The gateway moves into the client's LAN, behind its NAT.
void share_lan(ClientSetup& client, GatewaySetup& gateway, std::uint8_t& lans) {
    if (client.access.lan == 0) {
        client.access.lan = ++lans;
    }
    gateway.access.lan = client.access.lan;
    gateway.access.nat.reset();
    gateway.access.has_v4 = client.access.has_v4;
    gateway.access.has_v6 = client.access.has_v6;
}

// One more gateway, mostly in a site of its own, so that clients with a resource there must come to it.
void draw_hostile_gateway(ChoiceSource& source, Setup& setup) {
    GatewaySetup hostile;
    hostile.is_hostile = true;
    hostile.access = draw_access(source, kGatewayAccess);
    const bool has_own_site = setup.sites < kMostSites + 1 && source.chance(80);
    hostile.site = {has_own_site ? ++setup.sites : small(source, 1, setup.sites)};
    setup.gateways.push_back(std::move(hostile));
}

void draw_gateways(ChoiceSource& source, const DecodeOptions& options, Setup& setup) {
    std::uint8_t lans = 0;
    for (std::uint8_t site = 1; site <= setup.sites; ++site) {
        const auto count = 1 + source.weighted(std::array<unsigned, 2>{70, 30});
        for (std::size_t i = 0; i < count; ++i) {
            GatewaySetup gateway;
            gateway.access = draw_access(source, kGatewayAccess);
            gateway.driver = draw_driver(source);
            gateway.site = {site};
            draw_clock(source, setup, gateway);
            if (source.chance(8)) {
                share_lan(setup.clients[source.below(setup.clients.size())], gateway, lans);
            }
            setup.gateways.push_back(std::move(gateway));
        }
    }
    if (options.attacks && source.chance(15)) {
        draw_hostile_gateway(source, setup);
    }
}

void draw_relays(ChoiceSource& source, const DecodeOptions& options, Setup& setup) {
    constexpr std::array<std::size_t, 4> kCounts{1, 2, 3, 0};
    const auto count = kCounts.at(source.weighted(std::array<unsigned, 4>{55, 30, 10, 5}));
    for (std::size_t i = 0; i < count; ++i) {
        const auto stack = source.weighted(std::array<unsigned, 3>{85, 10, 5});
        RelaySetup relay{.has_v4 = stack != 2, .has_v6 = stack != 1, .latency = draw_latency(source)};
        if (source.chance(4)) {
            relay.ports = small<std::uint16_t>(source, 1, 3);
        } else if (source.chance(10)) {
            relay.ports = 64;  // enough for everybody but somebody greedy
        }
        relay.is_hostile = options.attacks && source.chance(10);
        setup.relays.push_back(relay);
    }
}

void draw_resources(ChoiceSource& source, Setup& setup) {
    const auto count = source.between(1, 5);
    std::vector<net::IpNetwork> networks;
    for (std::uint64_t i = 0; i < count; ++i) {
        networks.push_back(draw_network(source, networks));
        setup.resources.push_back({networks.back(), draw_sites(source, setup.sites), draw_filters(source)});
    }
}

// About four of five pairs of client and resource are allowed.
void draw_policies(ChoiceSource& source, Setup& setup) {
    for (std::uint8_t resource = 1; resource <= setup.resources.size(); ++resource) {
        if (source.chance(8)) {
            continue;
        }
        const auto main_group = small(source, 1, setup.groups);
        for (std::uint8_t group = 1; group <= setup.groups; ++group) {
            if (group == main_group || source.chance(30)) {
                setup.policies.push_back({{group}, {resource}, source.chance(8)});
            }
        }
    }
}

// One of 16 networks of 4096 addresses, so that resources often overlap by chance, too.
net::IpNetwork fresh_v4(ChoiceSource& source) {
    const auto block = static_cast<unsigned>(small(source, 0, 15));
    const auto prefix = static_cast<unsigned>(source.between(20, 32));
    const auto low = source.below(4096);
    return {net::IpAddress{std::array<std::uint8_t, 4>{10, 20, static_cast<std::uint8_t>(block << 4U | low >> 8U),
                                                       static_cast<std::uint8_t>(low)}},
            prefix};
}

net::IpNetwork fresh_v6(ChoiceSource& source) {
    std::array<std::uint8_t, 16> bytes{0xfd, 0x10};
    bytes[13] = small(source, 0, 15);
    const auto prefix = static_cast<unsigned>(source.between(112, 128));
    const auto low = source.below(65536);
    bytes[14] = static_cast<std::uint8_t>(low >> 8U);
    bytes[15] = static_cast<std::uint8_t>(low);
    return {net::IpAddress{bytes}, prefix};
}

// `network` itself, or a part of it.
net::IpNetwork within(ChoiceSource& source, const net::IpNetwork& network) {
    const auto longer = static_cast<unsigned>(source.below(5));
    const auto prefix = std::min(network.prefix() + longer, network.address().bit_length());
    const auto offset = source.below(std::uint64_t{1} << (prefix - network.prefix()));
    std::array<std::uint8_t, 16> bytes{};
    const auto base = network.address().bytes();
    std::ranges::transform(base, bytes.begin(), [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    for (unsigned bit = network.prefix(); bit < prefix; ++bit) {
        const auto value = offset >> (prefix - 1 - bit) & 1U;
        bytes.at(bit / 8) |= static_cast<std::uint8_t>(value << (7 - bit % 8));
    }
    return {net::IpAddress::from_bytes(std::as_bytes(std::span{bytes}).first(base.size())), prefix};
}

portal_api::Filter draw_filter(ChoiceSource& source) {
    using portal_api::FilterProtocol;
    constexpr std::array kProtocols{FilterProtocol::kTcp, FilterProtocol::kUdp, FilterProtocol::kIcmp};
    portal_api::Filter filter;
    filter.protocol = kProtocols.at(source.weighted(std::array<unsigned, 3>{40, 35, 25}));
    if (filter.protocol != FilterProtocol::kIcmp) {
        constexpr std::array<std::uint16_t, 5> kStarts{80, 443, 22, 100, 5000};
        filter.port_range_start = source.pick(kStarts);
        filter.port_range_end = static_cast<std::uint16_t>(filter.port_range_start + source.below(200) / 2);
    }
    return filter;
}

}  // namespace

Setup draw_setup(ChoiceSource& source, const DecodeOptions& options) {
    Setup setup;
    setup.seed = source.next_u64();
    setup.sites = small(source, 1, kMostSites);
    setup.groups = small(source, 1, 3);
    setup.portal_latency = source.chance(50) ? milliseconds{source.between(1, 120)} : milliseconds{20};
    draw_clients(source, options, setup);
    draw_gateways(source, options, setup);
    draw_relays(source, options, setup);
    draw_resources(source, setup);
    draw_policies(source, setup);
    return setup;
}

NatBox draw_nat(ChoiceSource& source) {
    constexpr std::array kDependences{Dependence::kIndependent, Dependence::kAddress, Dependence::kAddressAndPort};
    // From what routers do by default up to RFC 4787's recommendation. Less than 30 s, which the product's keep-alives
    // are made for (spec/testing.md section 7.2), would cut every idle connection.
    constexpr std::array kTimeouts{seconds{30}, seconds{60}, seconds{120}, seconds{300}};
    NatBox nat;
    nat.mapping = source.pick(kDependences);
    nat.filtering = source.pick(kDependences);
    nat.keeps_port = !source.chance(40);
    nat.hairpins = source.chance(30);
    nat.inbound_refreshes = !source.chance(30);
    nat.idle_timeout = source.pick(kTimeouts);
    nat.maps_to_3478 = source.chance(8);
    return nat;
}

Access draw_access(ChoiceSource& source) {
    return draw_access(source, kClientAccess);
}

net::IpNetwork draw_network(ChoiceSource& source, const std::vector<net::IpNetwork>& others) {
    if (!others.empty() && source.chance(50)) {
        return within(source, others[source.below(others.size())]);
    }
    return source.chance(40) ? fresh_v6(source) : fresh_v4(source);
}

std::vector<portal_api::Filter> draw_filters(ChoiceSource& source) {
    std::vector<portal_api::Filter> filters(source.weighted(std::array<unsigned, 4>{60, 20, 12, 8}));
    std::ranges::generate(filters, [&] { return draw_filter(source); });
    return filters;
}

std::vector<SiteNo> draw_sites(ChoiceSource& source, std::uint8_t count) {
    const auto main_site = small(source, 1, count);
    std::vector<SiteNo> sites;
    for (std::uint8_t site = 1; site <= count; ++site) {
        if (site == main_site || source.chance(25)) {
            sites.push_back({site});
        }
    }
    return sites;
}

}  // namespace culvert::model
