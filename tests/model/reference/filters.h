#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "culvert/portal_api/messages.h"
#include "tests/model/reference/inner_packet.h"

namespace culvert::model {

/// What filters look at: a protocol and, for UDP and TCP, a port at the resource's side.
struct Service {
    std::uint8_t protocol = 0;
    std::uint16_t port = 0;

    friend bool operator==(const Service&, const Service&) = default;
};

/// As requests and as answers show it: gateways look at the destination of the former and the source of the latter.
[[nodiscard]] inline Service requested_service(const InnerPacket& packet) {
    return {packet.protocol, packet.destination_port};
}
[[nodiscard]] inline Service answering_service(const InnerPacket& packet) {
    return {packet.protocol, packet.source_port};
}

/// No filters permit everything (spec/tunnel.md section 6.3). One with start > end matches nothing (section 10, D-12).
[[nodiscard]] inline bool permits(const std::vector<portal_api::Filter>& filters, const Service& service) {
    using portal_api::FilterProtocol;
    return filters.empty() || std::ranges::any_of(filters, [&](const portal_api::Filter& filter) {
               const bool is_in_range =
                   filter.port_range_start <= service.port && service.port <= filter.port_range_end;
               switch (filter.protocol) {
                   case FilterProtocol::kTcp:
                       return service.protocol == kProtocolTcp && is_in_range;
                   case FilterProtocol::kUdp:
                       return service.protocol == kProtocolUdp && is_in_range;
                   case FilterProtocol::kIcmp:
                       return service.protocol == kProtocolIcmp || service.protocol == kProtocolIcmpv6;
               }
               return false;
           });
}

}  // namespace culvert::model
