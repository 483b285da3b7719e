#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "culvert/base/bytes.h"

namespace culvert::model::wire {

enum class WireGuardType : std::uint8_t { kInitiation = 1, kResponse = 2, kCookie = 3, kData = 4 };

/// The readable part of a WireGuard message. Source: WireGuard paper 5.4; spec/connectivity.md 7.1.
struct WireGuardMessage {
    WireGuardType type = WireGuardType::kData;
    /// Of initiations and responses.
    std::uint32_t sender = 0;
    /// Of all but initiations.
    std::uint32_t receiver = 0;
    /// Of data.
    std::uint64_t counter = 0;
    ByteSpan bytes;

    /// Overhead of a data message over the packet inside; a keep-alive is this long.
    static constexpr std::size_t kDataOverhead = 32;

    [[nodiscard]] bool is_handshake() const { return type != WireGuardType::kData; }
    [[nodiscard]] bool is_keepalive() const { return type == WireGuardType::kData && bytes.size() == kDataOverhead; }

    /// Whether a datagram claims to be WireGuard: one of the four types in its first byte.
    [[nodiscard]] static bool looks_like(ByteSpan datagram);
    /// Requires looks_like(). On failure, what is wrong with it; a literal.
    [[nodiscard]] static std::expected<WireGuardMessage, std::string_view> decode(ByteSpan datagram);
};

}  // namespace culvert::model::wire
