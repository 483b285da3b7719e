#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/net/socket_address.h"
#include "culvert/stun/constants.h"

namespace culvert::stun {

/// A new random transaction id.
[[nodiscard]] TransactionId make_transaction_id(Rng& rng);

/// Writes a STUN message attribute by attribute, in the order of the calls.
///
///     auto bytes = MessageBuilder{Class::kSuccess, Method::kBinding, id}
///                      .address(AttributeType::kXorMappedAddress, from)
///                      .integrity(key)
///                      .fingerprint()
///                      .build();
///
/// integrity() must come after everything it protects; fingerprint() last. Total size is limited to 65535 bytes of
/// attributes; nothing in this project comes near.
class MessageBuilder {
public:
    MessageBuilder(Class cls, Method method, const TransactionId& id);

    /// An attribute with these bytes; padded with zeros to a multiple of 4.
    MessageBuilder& raw(AttributeType type, ByteSpan value);
    /// USERNAME, REALM, NONCE, SOFTWARE.
    MessageBuilder& text(AttributeType type, std::string_view value);
    /// LIFETIME, PRIORITY.
    MessageBuilder& u32(AttributeType type, std::uint32_t value);
    /// ICE-CONTROLLED, ICE-CONTROLLING.
    MessageBuilder& u64(AttributeType type, std::uint64_t value);
    /// USE-CANDIDATE, DONT-FRAGMENT.
    MessageBuilder& flag(AttributeType type);
    MessageBuilder& channel_number(std::uint16_t channel);
    MessageBuilder& requested_transport(std::uint8_t protocol);
    /// REQUESTED-ADDRESS-FAMILY, ADDITIONAL-ADDRESS-FAMILY.
    MessageBuilder& address_family(AttributeType type, net::Family family);
    /// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS.
    MessageBuilder& address(AttributeType type, const net::SocketAddress& address);
    /// Requires 300 <= code <= 699.
    MessageBuilder& error_code(std::uint16_t code, std::string_view reason);
    /// MESSAGE-INTEGRITY over everything so far. Key: a password (short-term) or long_term_key().
    MessageBuilder& integrity(ByteSpan key);
    /// FINGERPRINT over everything so far.
    MessageBuilder& fingerprint();

    /// The message. The builder is empty afterwards.
    [[nodiscard]] Bytes build() { return std::move(bytes_); }

private:
    MutableByteSpan append_attribute(AttributeType type, std::size_t length);

    Bytes bytes_;
    TransactionId id_;
};

}  // namespace culvert::stun
