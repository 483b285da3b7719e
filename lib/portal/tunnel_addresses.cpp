#include "culvert/portal/tunnel_addresses.h"

#include <array>

namespace culvert::portal {
namespace {

constexpr std::uint32_t kHostBits = 21;
constexpr std::uint32_t kFirstOffset = 2;
constexpr std::uint32_t kLastOffset = (1U << kHostBits) - 2;  // the one after it is the broadcast address

net::IpAddress address_at(net::Family family, std::uint32_t offset) {
    const auto network = device_range(family).address();
    std::array<std::byte, 16> bytes{};
    const auto size = network.bytes().size();
    std::memcpy(bytes.data(), network.bytes().data(), size);
    const auto low = MutableByteSpan{bytes}.subspan(size - 4, 4);
    store_be(low, load_be<std::uint32_t>(low) | offset);
    return net::IpAddress::from_bytes(ByteSpan{bytes}.first(size));
}

}  // namespace

net::IpNetwork device_range(net::Family family) {
    return family == net::Family::kIpv4 ? net::IpNetwork{*net::IpAddress::parse("100.64.0.0"), 11}
                                        : net::IpNetwork{*net::IpAddress::parse("fd00:2021:1111::"), 107};
}

net::IpNetwork reserved_range(net::Family family) {
    return family == net::Family::kIpv4 ? net::IpNetwork{*net::IpAddress::parse("100.64.0.0"), 10}
                                        : net::IpNetwork{*net::IpAddress::parse("fd00:2021:1111::"), 48};
}

std::optional<net::IpAddress> allocate_tunnel_address(net::Family family, Rng& rng,
                                                      const std::function<bool(const net::IpAddress&)>& is_taken) {
    const auto start = kFirstOffset + static_cast<std::uint32_t>(rng.below(kLastOffset - kFirstOffset + 1));
    for (auto offset = start; offset <= kLastOffset; ++offset) {
        if (const auto address = address_at(family, offset); !is_taken(address)) {
            return address;
        }
    }
    for (auto offset = start; offset > kFirstOffset;) {
        if (const auto address = address_at(family, --offset); !is_taken(address)) {
            return address;
        }
    }
    return std::nullopt;
}

}  // namespace culvert::portal
