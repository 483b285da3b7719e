#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "culvert/base/bytes.h"

/// Layout of WireGuard's four messages (WireGuard paper 5.4). All integers are little-endian.
namespace culvert::wireguard {

enum class PacketKind : std::uint8_t { kInitiation = 1, kResponse = 2, kCookieReply = 3, kData = 4 };

inline constexpr std::size_t kInitiationSize = 148;
inline constexpr std::size_t kResponseSize = 92;
inline constexpr std::size_t kCookieReplySize = 64;
inline constexpr std::size_t kMinDataSize = 32;
inline constexpr std::size_t kDataHeaderSize = 16;

/// What kind of WireGuard message `datagram` is, by type and exact size (data: at least 32 bytes); nullopt if none.
[[nodiscard]] std::optional<PacketKind> classify(ByteSpan datagram);

/// The receiver index of a response, cookie reply or data packet: the index that *we* chose in the handshake. Its upper
/// 24 bits name the connection. Requires classify(datagram) to be one of these kinds.
[[nodiscard]] std::uint32_t receiver_index(ByteSpan datagram);

/// The sender index of an initiation or response. Requires classify(datagram) to be one of these kinds.
[[nodiscard]] std::uint32_t sender_index(ByteSpan datagram);

// Offsets within the messages.
inline constexpr std::size_t kInitiationEphemeral = 8;
inline constexpr std::size_t kInitiationStatic = 40;
inline constexpr std::size_t kInitiationTimestamp = 88;

inline constexpr std::size_t kResponseEphemeral = 12;
inline constexpr std::size_t kResponseNothing = 44;

inline constexpr std::size_t kCookieNonce = 8;
inline constexpr std::size_t kCookieSealed = 32;

inline constexpr std::size_t kDataCounter = 8;

}  // namespace culvert::wireguard
