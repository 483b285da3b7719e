#include "culvert/stun/message.h"

#include <algorithm>

#include "culvert/crypto/secret.h"
#include "culvert/stun/integrity.h"
#include "culvert/stun/utf8.h"
#include "culvert/stun/xor_address.h"

namespace culvert::stun {
namespace {

// The longest reason phrase that RFC 8489 section 14.8 allows: 127 characters of up to 6 bytes, rounded up.
constexpr std::size_t kMaxReason = 763;

std::optional<ParseError> check_length(bool is_right) {
    return is_right ? std::nullopt : std::optional{ParseError::kBadAttributeLength};
}

std::optional<ParseError> check_text(ByteSpan value, std::size_t limit) {
    if (value.size() > limit || !is_utf8(value)) {
        return ParseError::kBadAttributeValue;
    }
    return std::nullopt;
}

std::optional<ParseError> check_address(ByteSpan value) {
    if (value.size() < 4) {
        return ParseError::kBadAttributeLength;
    }
    const auto family = family_from_byte(std::to_integer<std::uint8_t>(value[1]));
    if (!family) {
        return ParseError::kBadAttributeValue;
    }
    return check_length(value.size() == xor_address_size(*family));
}

std::optional<ParseError> check_family(ByteSpan value) {
    if (value.size() != 4) {
        return ParseError::kBadAttributeLength;
    }
    if (!family_from_byte(std::to_integer<std::uint8_t>(value[0]))) {
        return ParseError::kBadAttributeValue;
    }
    return std::nullopt;
}

std::optional<ParseError> check_error_code(ByteSpan value) {
    if (value.size() < 4) {
        return ParseError::kBadAttributeLength;
    }
    const auto hundreds = std::to_integer<unsigned>(value[2]) & 7;
    const auto number = std::to_integer<unsigned>(value[3]);
    if (hundreds < 3 || hundreds > 6 || number > 99) {
        return ParseError::kBadAttributeValue;
    }
    return check_text(value.subspan(4), kMaxReason);
}

/// What is wrong with the value of an attribute of a known type; attributes of other types are never wrong.
std::optional<ParseError> check_value(const Attribute& attribute, TextLimits limits) {
    const auto size = attribute.value.size();
    switch (attribute.type) {
        case AttributeType::kUsername:
            return check_text(attribute.value, limits.username);
        case AttributeType::kRealm:
        case AttributeType::kNonce:
        case AttributeType::kSoftware:
            return check_text(attribute.value, limits.other);
        case AttributeType::kMappedAddress:
        case AttributeType::kXorMappedAddress:
        case AttributeType::kXorPeerAddress:
        case AttributeType::kXorRelayedAddress:
            return check_address(attribute.value);
        case AttributeType::kRequestedAddressFamily:
        case AttributeType::kAdditionalAddressFamily:
            return check_family(attribute.value);
        case AttributeType::kErrorCode:
            return check_error_code(attribute.value);
        case AttributeType::kChannelNumber:
        case AttributeType::kLifetime:
        case AttributeType::kRequestedTransport:
        case AttributeType::kPriority:
        case AttributeType::kFingerprint:
            return check_length(size == 4);
        case AttributeType::kIceControlled:
        case AttributeType::kIceControlling:
            return check_length(size == 8);
        case AttributeType::kUseCandidate:
            return check_length(size == 0);
        case AttributeType::kMessageIntegrity:
            return check_length(size == kIntegritySize);
        case AttributeType::kUnknownAttributes:
        case AttributeType::kData:
        case AttributeType::kEvenPort:
        case AttributeType::kDontFragment:
        case AttributeType::kReservationToken:
            return std::nullopt;
    }
    return std::nullopt;  // a type without a name here
}

/// Size of the attribute at the start of `rest`, with header and padding. Requires a whole attribute header.
std::size_t attribute_size(ByteSpan rest) {
    const std::size_t length = load_be<std::uint16_t>(rest.subspan(2));
    return kAttributeHeaderSize + (length + 3) / 4 * 4;
}

}  // namespace

std::string_view to_string(ParseError error) {
    switch (error) {
        case ParseError::kTooShort:
            return "too short";
        case ParseError::kNotStun:
            return "not STUN";
        case ParseError::kLengthMismatch:
            return "length mismatch";
        case ParseError::kAttributeOverrun:
            return "attribute longer than the message";
        case ParseError::kBadAttributeLength:
            return "attribute has a wrong length";
        case ParseError::kBadAttributeValue:
            return "attribute has an invalid value";
    }
    return "unknown";
}

std::expected<Header, ParseError> Header::parse(ByteSpan datagram) {
    if (datagram.size() < kHeaderSize) {
        return std::unexpected{ParseError::kTooShort};
    }
    const unsigned type = load_be<std::uint16_t>(datagram);
    if ((type & 0xc000) != 0 || load_be<std::uint32_t>(datagram.subspan(4)) != kMagicCookie) {
        return std::unexpected{ParseError::kNotStun};
    }
    const std::size_t length = load_be<std::uint16_t>(datagram.subspan(2));
    if (length % 4 != 0 || length != datagram.size() - kHeaderSize) {
        return std::unexpected{ParseError::kLengthMismatch};
    }
    Header header;
    header.cls = static_cast<Class>((type >> 4 & 1) | (type >> 7 & 2));
    header.method = static_cast<Method>((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
    std::ranges::copy(datagram.subspan(8, 12), header.transaction_id.begin());
    return header;
}

Attribute Message::Iterator::operator*() const {
    const std::size_t length = load_be<std::uint16_t>(rest_.subspan(2));
    return {static_cast<AttributeType>(load_be<std::uint16_t>(rest_)), rest_.subspan(kAttributeHeaderSize, length)};
}

Message::Iterator& Message::Iterator::operator++() {
    rest_ = rest_.subspan(attribute_size(rest_));
    return *this;
}

Message::Iterator Message::Iterator::operator++(int) {
    auto before = *this;
    ++*this;
    return before;
}

std::expected<Message, ParseError> Message::parse(ByteSpan datagram, TextLimits limits) {
    const auto header = Header::parse(datagram);
    if (!header) {
        return std::unexpected{header.error()};
    }
    Message message{*header, datagram};
    for (auto at = kHeaderSize; at < datagram.size();) {
        const auto rest = datagram.subspan(at);
        // The body's length is a multiple of 4, so an attribute header is always complete.
        if (attribute_size(rest) > rest.size()) {
            return std::unexpected{ParseError::kAttributeOverrun};
        }
        const auto attribute = *Iterator{rest};
        const bool is_fingerprint = attribute.type == AttributeType::kFingerprint;
        if (!message.integrity_at_ || is_fingerprint) {
            if (const auto error = check_value(attribute, limits)) {
                return std::unexpected{*error};
            }
        }
        if (is_fingerprint && !message.fingerprint_at_) {
            message.fingerprint_at_ = at;
        }
        if (attribute.type == AttributeType::kMessageIntegrity && !message.integrity_at_) {
            message.integrity_at_ = at;
        }
        at += attribute_size(rest);
    }
    message.visible_end_ = message.integrity_at_.value_or(message.fingerprint_at_.value_or(datagram.size()));
    return message;
}

Message::Attributes Message::attributes() const {
    const auto body = bytes_.first(visible_end_).subspan(kHeaderSize);
    return {Iterator{body}, Iterator{body.last(0)}};
}

std::optional<ByteSpan> Message::find(AttributeType type) const {
    for (const auto& attribute : attributes()) {
        if (attribute.type == type) {
            return attribute.value;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> Message::text(AttributeType type) const {
    return find(type).transform(as_text);
}

std::optional<std::uint32_t> Message::u32(AttributeType type) const {
    const auto value = find(type);
    return value && value->size() == 4 ? std::optional{load_be<std::uint32_t>(*value)} : std::nullopt;
}

std::optional<std::uint64_t> Message::u64(AttributeType type) const {
    const auto value = find(type);
    return value && value->size() == 8 ? std::optional{load_be<std::uint64_t>(*value)} : std::nullopt;
}

std::optional<std::uint16_t> Message::channel_number() const {
    return find(AttributeType::kChannelNumber).transform(load_be<std::uint16_t>);
}

std::optional<std::uint8_t> Message::requested_transport() const {
    return find(AttributeType::kRequestedTransport).transform(load_be<std::uint8_t>);
}

std::optional<net::Family> Message::address_family(AttributeType type) const {
    const auto value = find(type);
    return value && !value->empty() ? family_from_byte(std::to_integer<std::uint8_t>(value->front())) : std::nullopt;
}

std::optional<net::SocketAddress> Message::address(AttributeType type) const {
    const auto value = find(type);
    return value ? decode_xor_address(*value, header_.transaction_id) : std::nullopt;
}

std::vector<net::SocketAddress> Message::addresses(AttributeType type) const {
    std::vector<net::SocketAddress> out;
    for (const auto& attribute : attributes()) {
        if (attribute.type == type) {
            if (const auto address = decode_xor_address(attribute.value, header_.transaction_id)) {
                out.push_back(*address);
            }
        }
    }
    return out;
}

std::optional<ErrorCode> Message::error_code() const {
    const auto value = find(AttributeType::kErrorCode);
    if (!value) {
        return std::nullopt;
    }
    const auto code = (std::to_integer<unsigned>((*value)[2]) & 7) * 100 + std::to_integer<unsigned>((*value)[3]);
    return ErrorCode{static_cast<std::uint16_t>(code), as_text(value->subspan(4))};
}

bool Message::verify_integrity(ByteSpan key) const {
    if (!integrity_at_) {
        return false;
    }
    const auto expected = message_integrity(bytes_.first(*integrity_at_), key);
    return crypto::equal_constant_time(expected, bytes_.subspan(*integrity_at_ + kAttributeHeaderSize, kIntegritySize));
}

bool Message::verify_fingerprint() const {
    if (!fingerprint_at_ || *fingerprint_at_ + kAttributeHeaderSize + 4 != bytes_.size()) {
        return false;
    }
    return load_be<std::uint32_t>(bytes_.subspan(*fingerprint_at_ + kAttributeHeaderSize)) ==
           message_fingerprint(bytes_.first(*fingerprint_at_));
}

}  // namespace culvert::stun
