#include "culvert/tunnel/flow_cache.h"

namespace culvert::tunnel {

std::uint64_t hash_of(const FlowKey& key) {
    constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15ULL;
    const auto mix = [](std::uint64_t a, std::uint64_t b) {
        const auto product = (a ^ b) * kMultiplier;
        return product ^ (product >> 29U);
    };
    auto hash = static_cast<std::uint64_t>(std::hash<Uuid>{}(key.connection));
    hash = mix(hash, std::hash<net::IpAddress>{}(key.source));
    hash = mix(hash, std::hash<net::IpAddress>{}(key.destination));
    hash = mix(hash, (std::uint64_t{key.protocol} << 16U) | key.port);
    return hash ^ (hash >> 32U);
}

}  // namespace culvert::tunnel
