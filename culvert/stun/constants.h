#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// Numbers of STUN (RFC 8489), TURN (RFC 8656) and ICE (RFC 8445).
namespace culvert::stun {

inline constexpr std::uint32_t kMagicCookie = 0x2112a442;
inline constexpr std::size_t kHeaderSize = 20;
/// Type and length in front of each attribute's value.
inline constexpr std::size_t kAttributeHeaderSize = 4;
inline constexpr std::size_t kIntegritySize = 20;

/// The 96 random bits that tie a response to its request.
using TransactionId = std::array<std::byte, 12>;

enum class Class : std::uint8_t { kRequest = 0, kIndication = 1, kSuccess = 2, kError = 3 };

/// A method is any 12-bit number; these are the ones with a name here.
enum class Method : std::uint16_t {
    kBinding = 0x001,
    kAllocate = 0x003,
    kRefresh = 0x004,
    kSend = 0x006,
    kData = 0x007,
    kCreatePermission = 0x008,
    kChannelBind = 0x009,
};

/// An attribute type is any 16-bit number; these are the ones with a name here.
enum class AttributeType : std::uint16_t {
    kMappedAddress = 0x0001,
    kUsername = 0x0006,
    kMessageIntegrity = 0x0008,
    kErrorCode = 0x0009,
    kUnknownAttributes = 0x000a,
    kChannelNumber = 0x000c,
    kLifetime = 0x000d,
    kXorPeerAddress = 0x0012,
    kData = 0x0013,
    kRealm = 0x0014,
    kNonce = 0x0015,
    kXorRelayedAddress = 0x0016,
    kRequestedAddressFamily = 0x0017,
    kEvenPort = 0x0018,
    kRequestedTransport = 0x0019,
    kDontFragment = 0x001a,
    kXorMappedAddress = 0x0020,
    kReservationToken = 0x0022,
    kPriority = 0x0024,
    kUseCandidate = 0x0025,
    kAdditionalAddressFamily = 0x8000,
    kSoftware = 0x8022,
    kFingerprint = 0x8028,
    kIceControlled = 0x8029,
    kIceControlling = 0x802a,
};

/// Whether an agent that does not know the attribute must refuse the message (RFC 8489 section 14).
[[nodiscard]] constexpr bool is_comprehension_required(AttributeType type) {
    return static_cast<std::uint16_t>(type) < 0x8000;
}

/// Values of ERROR-CODE.
inline constexpr std::uint16_t kBadRequest = 400;
inline constexpr std::uint16_t kUnauthorized = 401;
inline constexpr std::uint16_t kForbidden = 403;
inline constexpr std::uint16_t kUnknownAttribute = 420;
inline constexpr std::uint16_t kAllocationMismatch = 437;
inline constexpr std::uint16_t kStaleNonce = 438;
inline constexpr std::uint16_t kAddressFamilyNotSupported = 440;
inline constexpr std::uint16_t kWrongCredentials = 441;
inline constexpr std::uint16_t kPeerAddressFamilyMismatch = 443;
inline constexpr std::uint16_t kAllocationQuotaReached = 486;
inline constexpr std::uint16_t kServerError = 500;
inline constexpr std::uint16_t kInsufficientCapacity = 508;

/// Value of REQUESTED-TRANSPORT: UDP's protocol number.
inline constexpr std::uint8_t kTransportUdp = 17;

}  // namespace culvert::stun
