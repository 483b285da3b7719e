#pragma once

#include <string_view>

#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"
#include "culvert/portal_api/messages.h"

/// Short spellings of values for the tests of this folder.
namespace culvert::tunnel::test {

/// Ids compare like their numbers.
template <typename IdType>
IdType id(std::uint8_t number) {
    std::array<std::uint8_t, 16> bytes{};
    bytes.back() = number;
    return IdType{Uuid{bytes}};
}

inline net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}
inline net::IpNetwork network(std::string_view text) {
    return net::IpNetwork::parse(text).value();
}
inline net::SocketAddress socket(std::string_view text) {
    return net::SocketAddress::parse(text).value();
}

inline portal_api::Filter tcp(std::uint16_t first, std::uint16_t last) {
    return {portal_api::FilterProtocol::kTcp, first, last};
}
inline portal_api::Filter udp(std::uint16_t first, std::uint16_t last) {
    return {portal_api::FilterProtocol::kUdp, first, last};
}
inline portal_api::Filter icmp() {
    return {portal_api::FilterProtocol::kIcmp, 0, 0};
}

inline const SiteId kSite = id<SiteId>(200);

inline portal_api::ClientCidrResource cidr(std::uint8_t number, std::string_view address) {
    return {.id = id<ResourceId>(number),
            .name = "resource " + std::to_string(number),
            .address = network(address),
            .address_description = {},
            .sites = {{kSite, "site"}},
            .filters = {}};
}

inline portal_api::ClientDnsResource dns(std::uint8_t number, std::string_view address) {
    return {.id = id<ResourceId>(number),
            .name = "resource " + std::to_string(number),
            .address = std::string{address},
            .address_description = {},
            .sites = {{kSite, "site"}},
            .ip_stack = portal_api::IpStack::kDual,
            .filters = {}};
}

inline portal_api::ClientInternetResource internet(std::uint8_t number) {
    return {.id = id<ResourceId>(number), .sites = {{kSite, "site"}}};
}

inline portal_api::GatewayCidrResource gateway_cidr(std::uint8_t number, std::string_view address,
                                                    std::vector<portal_api::Filter> filters = {}) {
    return {.id = id<ResourceId>(number),
            .name = "resource " + std::to_string(number),
            .address = network(address),
            .filters = std::move(filters)};
}

}  // namespace culvert::tunnel::test
