#include "culvert/portal/tunnel_addresses.h"

#include <array>
#include <cstring>

#include "culvert/base/bytes.h"

namespace culvert::portal {

net::IpNetwork device_range(net::Family family) {
    return family == net::Family::kIpv4 ? net::IpNetwork{*net::IpAddress::parse("100.64.0.0"), 11}
                                        : net::IpNetwork{*net::IpAddress::parse("fd00:2021:1111::"), 107};
}

net::IpNetwork reserved_range(net::Family family) {
    return family == net::Family::kIpv4 ? net::IpNetwork{*net::IpAddress::parse("100.64.0.0"), 10}
                                        : net::IpNetwork{*net::IpAddress::parse("fd00:2021:1111::"), 48};
}

net::IpAddress tunnel_address(net::Family family, std::uint32_t offset) {
    const auto network = device_range(family).address();
    std::array<std::byte, 16> bytes{};
    const auto size = network.bytes().size();
    std::memcpy(bytes.data(), network.bytes().data(), size);
    const auto low = MutableByteSpan{bytes}.subspan(size - 4, 4);
    store_be(low, load_be<std::uint32_t>(low) | offset);
    return net::IpAddress::from_bytes(ByteSpan{bytes}.first(size));
}

std::optional<std::uint32_t> tunnel_offset(const net::IpAddress& address) {
    if (!device_range(address.family()).contains(address)) {
        return std::nullopt;
    }
    const auto bytes = address.bytes();
    const auto offset = load_be<std::uint32_t>(bytes.subspan(bytes.size() - 4)) & ((1U << 21U) - 1);
    return offset >= kFirstTunnelOffset && offset <= kLastTunnelOffset ? std::optional{offset} : std::nullopt;
}

}  // namespace culvert::portal
