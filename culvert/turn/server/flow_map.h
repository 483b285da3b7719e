#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>

#include "culvert/net/socket_address.h"

namespace culvert::turn {

/// One end of a relayed flow: (client, channel number) or (peer, allocation port).
struct FlowEnd {
    net::SocketAddress remote;
    std::uint16_t tag = 0;  ///< channel number or allocation port

    friend bool operator==(const FlowEnd&, const FlowEnd&) = default;
};

/// Keyed, because clients choose peer addresses and ports: nobody outside can aim for one bucket.
class FlowHash {
public:
    explicit FlowHash(std::uint64_t key) : key_{key | 1} {}

    std::size_t operator()(const FlowEnd& end) const noexcept {
        const auto bytes = end.remote.ip.bytes();
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        if (bytes.size() == 4) {
            std::memcpy(&low, bytes.data(), 4);
        } else {
            std::memcpy(&low, bytes.data(), 8);
            std::memcpy(&high, bytes.data() + 8, 8);
        }
        const auto tail = (std::uint64_t{end.remote.port} << 16) | end.tag;
        return static_cast<std::size_t>(mix(mix(low ^ key_, high + kOdd), tail ^ (key_ >> 7)));
    }

private:
    static constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15ULL;

    /// A bijection of `a` for each `b`: folds b in and spreads it over all bits (finaliser of MurmurHash3).
    static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
        auto x = (a ^ (b * kOdd)) * 0xff51afd7ed558ccdULL;
        x ^= x >> 33;
        x *= 0xc4ceb9fe1a85ec53ULL;
        return x ^ (x >> 29);
    }

    std::uint64_t key_;
};

/// From one end of a flow to the other. Never iterated over.
using FlowMap = std::unordered_map<FlowEnd, FlowEnd, FlowHash>;

}  // namespace culvert::turn
