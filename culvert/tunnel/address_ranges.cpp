#include "culvert/tunnel/address_ranges.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace culvert::tunnel {
namespace {

struct Range {
    net::IpNetwork v4;
    net::IpNetwork v6;

    [[nodiscard]] const net::IpNetwork& of(net::Family family) const { return family == net::Family::kIpv4 ? v4 : v6; }
};

Range range(const char* v4, const char* v6) {
    // value(): the texts below are constants of this file
    return {net::IpNetwork::parse(v4).value(), net::IpNetwork::parse(v6).value()};
}

std::vector<net::IpNetwork> networks(std::initializer_list<const char*> texts) {
    std::vector<net::IpNetwork> all;
    for (const auto* text : texts) {
        all.push_back(net::IpNetwork::parse(text).value());
    }
    return all;
}

}  // namespace

const net::IpNetwork& peer_range(net::Family family) {
    static const Range kRange = range("100.64.0.0/11", "fd00:2021:1111::/107");
    return kRange.of(family);
}

bool is_tunnel_address(const net::IpAddress& address) {
    static const Range kRange = range("100.64.0.0/10", "fd00:2021:1111::/48");
    return kRange.of(address.family()).contains(address);
}

bool is_reserved(const net::IpAddress& address) {
    static const Range kThisNetworkAndMapped = range("0.0.0.0/8", "::ffff:0:0/96");
    return kThisNetworkAndMapped.of(address.family()).contains(address) || address.is_unspecified() ||
           address.is_loopback() || address.is_multicast() || address.is_broadcast() ||
           (address.is_v6() && address.is_link_local());
}

const net::IpNetwork* platform_range(const net::IpAddress& address) {
    // Link-local; Azure's "wire server"; the metadata of Amazon's and Google's machines over IPv6.
    static const std::vector<net::IpNetwork> kRanges =
        networks({"169.254.0.0/16", "168.63.129.16/32", "fd00:ec2::/32", "fd20:ce::/64"});
    const auto found =
        std::ranges::find_if(kRanges, [&](const net::IpNetwork& network) { return network.contains(address); });
    return found == kRanges.end() ? nullptr : &*found;
}

bool is_private(const net::IpAddress& address) {
    static const std::vector<net::IpNetwork> kV4 =
        networks({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "240.0.0.0/4"});
    static const std::vector<net::IpNetwork> kV6 = networks({"fc00::/7", "fe80::/10", "fec0::/10"});
    return std::ranges::any_of(address.is_v4() ? kV4 : kV6,
                               [&](const net::IpNetwork& network) { return network.contains(address); });
}

bool is_always_dropped(const net::IpAddress& destination) {
    static const net::IpAddress kIgmpV3 = net::IpAddress::parse("224.0.0.22").value();
    static const net::IpAddress kAllRouters = net::IpAddress::parse("ff02::2").value();
    return destination == kIgmpV3 || destination == kAllRouters;
}

}  // namespace culvert::tunnel
