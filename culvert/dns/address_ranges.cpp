#include "culvert/dns/address_ranges.h"

#include <string_view>

namespace culvert::dns {

namespace {

net::IpNetwork network(std::string_view text) {
    return net::IpNetwork::parse(text).value();  // the texts below are constants of this file
}

}  // namespace

const net::IpNetwork& proxy_range(net::Family family) {
    static const auto kV4 = network("100.96.0.0/11");
    static const auto kV6 = network("fd00:2021:1111:8000::/107");
    return family == net::Family::kIpv4 ? kV4 : kV6;
}

const net::IpNetwork& sentinel_range(net::Family family) {
    static const auto kV4 = network("100.100.111.0/24");
    static const auto kV6 = network("fd00:2021:1111:8000:100:100:111:0/120");
    return family == net::Family::kIpv4 ? kV4 : kV6;
}

bool is_llmnr_group(const net::IpAddress& address) {
    static const auto kV4 = network("224.0.0.252/32").address();
    static const auto kV6 = network("ff02::1:3/128").address();
    return address == (address.is_v4() ? kV4 : kV6);
}

}  // namespace culvert::dns
