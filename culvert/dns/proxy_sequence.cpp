#include "culvert/dns/proxy_sequence.h"

#include <algorithm>

#include "culvert/base/bytes.h"
#include "culvert/dns/address_ranges.h"

namespace culvert::dns {

namespace {

constexpr std::uint32_t kRangeSize = 1U << 21;
constexpr std::uint32_t kNetworkAddress = 1;
constexpr std::uint32_t kBroadcastAddress = 1;
constexpr std::uint32_t kSentinels = 256;
/// 100.100.111.0, counted from 100.96.0.0.
constexpr std::uint32_t kFirstSentinel = 4U << 16 | 111U << 8;

constexpr std::uint32_t kCountV4 = kRangeSize - kNetworkAddress - kBroadcastAddress - kSentinels;
constexpr std::uint32_t kCountV6 = kRangeSize;

/// Both ranges begin at a multiple of their size: the lowest 21 bits count their addresses.
net::IpAddress address_at(net::Family family, std::uint32_t offset) {
    const auto base = proxy_range(family).address().bytes();
    std::array<std::byte, 16> bytes{};
    std::ranges::copy(base, bytes.begin());
    const auto last_four = MutableByteSpan{bytes}.subspan(base.size() - 4, 4);
    store_be(last_four, load_be<std::uint32_t>(last_four) | offset);
    return net::IpAddress::from_bytes(ByteSpan{bytes}.first(base.size()));
}

std::uint32_t offset_of(const net::IpAddress& address) {
    return load_be<std::uint32_t>(address.bytes().last(4)) & (kRangeSize - 1);
}

std::uint32_t count(net::Family family) {
    return family == net::Family::kIpv4 ? kCountV4 : kCountV6;
}

std::uint32_t offset_at(net::Family family, std::uint32_t position) {
    if (family == net::Family::kIpv6) {
        return position;
    }
    const auto offset = position + kNetworkAddress;
    return offset < kFirstSentinel ? offset : offset + kSentinels;
}

/// Wraps around to something too large for what comes before the first.
std::uint32_t position_of(const net::IpAddress& address) {
    const auto offset = offset_of(address);
    if (address.is_v6()) {
        return offset;
    }
    return (offset < kFirstSentinel ? offset : offset - kSentinels) - kNetworkAddress;
}

}  // namespace

std::uint32_t group_count(net::Family family) {
    return count(family) / kGroupSize;
}

ProxyGroup addresses_of_group(net::Family family, std::uint32_t group) {
    ProxyGroup addresses;
    for (std::uint32_t i = 0; i < kGroupSize; ++i) {
        addresses[i] = address_at(family, offset_at(family, group * kGroupSize + i));
    }
    return addresses;
}

std::optional<std::uint32_t> group_of(const net::IpAddress& address) {
    if (!proxy_range(address.family()).contains(address) || is_sentinel_address(address)) {
        return std::nullopt;
    }
    const auto group = position_of(address) / kGroupSize;
    return group < group_count(address.family()) ? std::optional{group} : std::nullopt;
}

}  // namespace culvert::dns
