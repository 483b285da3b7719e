#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/net/socket_address.h"

/// A STUN decoder that shares nothing with culvert/stun and accepts only what the products may send. Source: RFC 8489
/// section 5 and 14; spec/connectivity.md 4.2 and 5.2, spec/relay.md 2.
namespace culvert::model::wire {

using TransactionId = std::array<std::byte, 12>;

/// Message types: class and method as they stand in the first two bytes.
namespace stun_type {
inline constexpr std::uint16_t kBinding = 0x0001;
inline constexpr std::uint16_t kAllocate = 0x0003;
inline constexpr std::uint16_t kRefresh = 0x0004;
inline constexpr std::uint16_t kChannelBind = 0x0009;
inline constexpr std::uint16_t kClassMask = 0x0110;
inline constexpr std::uint16_t kSuccess = 0x0100;
inline constexpr std::uint16_t kError = 0x0110;
}  // namespace stun_type

namespace stun_attribute {
inline constexpr std::uint16_t kUsername = 0x0006;
inline constexpr std::uint16_t kMessageIntegrity = 0x0008;
inline constexpr std::uint16_t kErrorCode = 0x0009;
inline constexpr std::uint16_t kChannelNumber = 0x000C;
inline constexpr std::uint16_t kLifetime = 0x000D;
inline constexpr std::uint16_t kXorPeerAddress = 0x0012;
inline constexpr std::uint16_t kRealm = 0x0014;
inline constexpr std::uint16_t kNonce = 0x0015;
inline constexpr std::uint16_t kXorRelayedAddress = 0x0016;
inline constexpr std::uint16_t kRequestedTransport = 0x0019;
inline constexpr std::uint16_t kXorMappedAddress = 0x0020;
inline constexpr std::uint16_t kPriority = 0x0024;
inline constexpr std::uint16_t kUseCandidate = 0x0025;
inline constexpr std::uint16_t kAdditionalAddressFamily = 0x8000;
inline constexpr std::uint16_t kSoftware = 0x8022;
inline constexpr std::uint16_t kFingerprint = 0x8028;
inline constexpr std::uint16_t kIceControlled = 0x8029;
inline constexpr std::uint16_t kIceControlling = 0x802A;
}  // namespace stun_attribute

/// A well-formed message; a view of the datagram.
class StunMessage {
public:
    struct Attribute {
        std::uint16_t type = 0;
        ByteSpan value;
    };
    /// A place in the list of attributes that a message must have.
    struct Slot {
        std::uint16_t type;
        bool is_optional = false;
    };

    /// Whether a datagram claims to be STUN: two zero bits and the magic cookie.
    [[nodiscard]] static bool looks_like(ByteSpan datagram);
    /// Requires looks_like(). On failure, what is wrong with it; a literal.
    [[nodiscard]] static std::expected<StunMessage, std::string_view> decode(ByteSpan datagram);

    [[nodiscard]] std::uint16_t type() const { return load_be<std::uint16_t>(datagram_); }
    [[nodiscard]] std::uint16_t method() const {
        return static_cast<std::uint16_t>(type() & static_cast<std::uint16_t>(~stun_type::kClassMask));
    }
    [[nodiscard]] std::uint16_t message_class() const { return type() & stun_type::kClassMask; }
    [[nodiscard]] TransactionId transaction_id() const;
    [[nodiscard]] std::span<const Attribute> attributes() const { return std::span{attributes_}.first(count_); }

    /// The value of the first attribute of that type.
    [[nodiscard]] std::optional<ByteSpan> find(std::uint16_t type) const;
    [[nodiscard]] bool has(std::uint16_t type) const { return find(type).has_value(); }
    [[nodiscard]] std::string_view text(std::uint16_t type) const;
    [[nodiscard]] std::optional<std::uint32_t> number(std::uint16_t type) const;
    [[nodiscard]] std::optional<net::SocketAddress> xor_address(std::uint16_t type) const;
    [[nodiscard]] std::optional<net::SocketAddress> decode_xor_address(ByteSpan value) const;

    /// Whether the attributes are exactly these, in this order.
    [[nodiscard]] bool has_order(std::initializer_list<Slot> slots) const;
    /// Whether MESSAGE-INTEGRITY is present and made with this key (RFC 8489 section 14.5).
    [[nodiscard]] bool has_integrity(ByteSpan key) const;
    /// Whether FINGERPRINT is present, last, and right (RFC 8489 section 14.7).
    [[nodiscard]] bool has_fingerprint() const;

private:
    static constexpr std::size_t kMaxAttributes = 12;

    explicit StunMessage(ByteSpan datagram) : datagram_{datagram} {}

    ByteSpan datagram_;
    std::array<Attribute, kMaxAttributes> attributes_{};
    std::size_t count_ = 0;
};

}  // namespace culvert::model::wire
