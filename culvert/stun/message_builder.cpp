#include "culvert/stun/message_builder.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "culvert/stun/integrity.h"
#include "culvert/stun/xor_address.h"

namespace culvert::stun {
namespace {

/// The 14 bits that interleave class and method (RFC 8489 figure 3).
std::uint16_t message_type(Class cls, Method method) {
    const auto m = static_cast<unsigned>(method);
    const auto c = static_cast<unsigned>(cls);
    return static_cast<std::uint16_t>((m & 0x000f) | (m & 0x0070) << 1 | (m & 0x0f80) << 2 | (c & 1) << 4 |
                                      (c & 2) << 7);
}

}  // namespace

TransactionId make_transaction_id(Rng& rng) {
    return rng.array<12>();
}

MessageBuilder::MessageBuilder(Class cls, Method method, const TransactionId& id) : id_{id} {
    bytes_.reserve(256);
    append_be(bytes_, message_type(cls, method));
    append_be(bytes_, std::uint16_t{0});
    append_be(bytes_, kMagicCookie);
    append(bytes_, id_);
}

MutableByteSpan MessageBuilder::append_attribute(AttributeType type, std::size_t length) {
    const auto at = bytes_.size();
    const auto padded = (length + 3) / 4 * 4;
    assert(at - kHeaderSize + kAttributeHeaderSize + padded <= 0xffff);
    bytes_.resize(at + kAttributeHeaderSize + padded);
    const auto attribute = MutableByteSpan{bytes_}.subspan(at);
    store_be(attribute, static_cast<std::uint16_t>(type));
    store_be(attribute.subspan(2), static_cast<std::uint16_t>(length));
    store_be(MutableByteSpan{bytes_}.subspan(2), static_cast<std::uint16_t>(bytes_.size() - kHeaderSize));
    return attribute.subspan(kAttributeHeaderSize, length);
}

MessageBuilder& MessageBuilder::raw(AttributeType type, ByteSpan value) {
    std::ranges::copy(value, append_attribute(type, value.size()).begin());
    return *this;
}

MessageBuilder& MessageBuilder::text(AttributeType type, std::string_view value) {
    return raw(type, as_bytes(value));
}

MessageBuilder& MessageBuilder::u32(AttributeType type, std::uint32_t value) {
    store_be(append_attribute(type, sizeof value), value);
    return *this;
}

MessageBuilder& MessageBuilder::u64(AttributeType type, std::uint64_t value) {
    store_be(append_attribute(type, sizeof value), value);
    return *this;
}

MessageBuilder& MessageBuilder::flag(AttributeType type) {
    return raw(type, {});
}

MessageBuilder& MessageBuilder::channel_number(std::uint16_t channel) {
    store_be(append_attribute(AttributeType::kChannelNumber, 4), channel);
    return *this;
}

MessageBuilder& MessageBuilder::requested_transport(std::uint8_t protocol) {
    store_be(append_attribute(AttributeType::kRequestedTransport, 4), protocol);
    return *this;
}

MessageBuilder& MessageBuilder::address_family(AttributeType type, net::Family family) {
    store_be(append_attribute(type, 4), family_byte(family));
    return *this;
}

MessageBuilder& MessageBuilder::address(AttributeType type, const net::SocketAddress& address) {
    encode_xor_address(append_attribute(type, xor_address_size(address.family())), address, id_);
    return *this;
}

MessageBuilder& MessageBuilder::error_code(std::uint16_t code, std::string_view reason) {
    assert(code >= 300 && code <= 699);
    const auto value = append_attribute(AttributeType::kErrorCode, 4 + reason.size());
    value[2] = static_cast<std::byte>(code / 100);
    value[3] = static_cast<std::byte>(code % 100);
    std::ranges::copy(as_bytes(reason), value.begin() + 4);
    return *this;
}

MessageBuilder& MessageBuilder::integrity(ByteSpan key) {
    return raw(AttributeType::kMessageIntegrity, message_integrity(bytes_, key));
}

MessageBuilder& MessageBuilder::fingerprint() {
    return u32(AttributeType::kFingerprint, message_fingerprint(bytes_));
}

}  // namespace culvert::stun
