#include "tests/model/wire/stun_message.h"

#include <algorithm>

#include "culvert/crypto/hmac.h"
#include "tests/model/wire/crc32.h"

namespace culvert::model::wire {
namespace {

constexpr std::size_t kHeader = 20;
constexpr std::uint32_t kMagicCookie = 0x2112A442;
constexpr std::uint32_t kFingerprintMask = 0x5354554E;
constexpr std::size_t kIntegritySize = 4 + 20;
constexpr std::size_t kFingerprintSize = 4 + 4;

std::size_t offset_in(ByteSpan datagram, ByteSpan value) {
    return static_cast<std::size_t>(value.data() - datagram.data());
}

}  // namespace

bool StunMessage::looks_like(ByteSpan datagram) {
    return datagram.size() >= kHeader && (datagram[0] & std::byte{0xC0}) == std::byte{0} &&
           load_be<std::uint32_t>(datagram.subspan(4)) == kMagicCookie;
}

std::expected<StunMessage, std::string_view> StunMessage::decode(ByteSpan datagram) {
    if (load_be<std::uint16_t>(datagram.subspan(2)) + kHeader != datagram.size()) {
        return std::unexpected{"STUN length field does not match the datagram"};
    }
    StunMessage message{datagram};
    auto rest = datagram.subspan(kHeader);
    while (!rest.empty()) {
        if (rest.size() < 4) {
            return std::unexpected{"STUN attribute header is cut short"};
        }
        const std::size_t length = load_be<std::uint16_t>(rest.subspan(2));
        const auto padded = (length + 3) / 4 * 4;
        if (rest.size() < 4 + padded) {
            return std::unexpected{"STUN attribute is cut short or not padded"};
        }
        if (message.count_ == kMaxAttributes) {
            return std::unexpected{"STUN message has too many attributes"};
        }
        message.attributes_[message.count_++] = {load_be<std::uint16_t>(rest), rest.subspan(4, length)};
        if (std::ranges::any_of(rest.subspan(4 + length, padded - length), [](auto b) { return b != std::byte{0}; })) {
            return std::unexpected{"STUN padding is not zero"};
        }
        rest = rest.subspan(4 + padded);
    }
    return message;
}

TransactionId StunMessage::transaction_id() const {
    TransactionId id;
    std::ranges::copy(datagram_.subspan(8, id.size()), id.begin());
    return id;
}

std::optional<ByteSpan> StunMessage::find(std::uint16_t type) const {
    for (const auto& attribute : attributes()) {
        if (attribute.type == type) {
            return attribute.value;
        }
    }
    return std::nullopt;
}

std::string_view StunMessage::text(std::uint16_t type) const {
    const auto value = find(type);
    return value ? as_text(*value) : std::string_view{};
}

std::optional<std::uint32_t> StunMessage::number(std::uint16_t type) const {
    const auto value = find(type);
    return value && value->size() == 4 ? std::optional{load_be<std::uint32_t>(*value)} : std::nullopt;
}

std::optional<net::SocketAddress> StunMessage::xor_address(std::uint16_t type) const {
    const auto value = find(type);
    return value ? decode_xor_address(*value) : std::nullopt;
}

std::optional<net::SocketAddress> StunMessage::decode_xor_address(ByteSpan value) const {
    if (value.size() != 8 && value.size() != 20) {
        return std::nullopt;
    }
    const std::byte family = value.size() == 8 ? std::byte{1} : std::byte{2};
    if (value[0] != std::byte{0} || value[1] != family) {
        return std::nullopt;
    }
    // The mask is the magic cookie followed by the transaction id, as they stand in the header.
    const auto mask = datagram_.subspan(4, 16);
    std::array<std::byte, 16> address{};
    const auto size = value.size() - 4;
    for (std::size_t i = 0; i < size; ++i) {
        address[i] = value[4 + i] ^ mask[i];
    }
    const auto port = static_cast<std::uint16_t>(load_be<std::uint16_t>(value.subspan(2)) ^ (kMagicCookie >> 16));
    return net::SocketAddress{net::IpAddress::from_bytes(ByteSpan{address}.first(size)), port};
}

bool StunMessage::has_order(std::initializer_list<Slot> slots) const {
    const auto list = attributes();
    std::size_t at = 0;
    for (const auto& slot : slots) {
        if (at < list.size() && list[at].type == slot.type) {
            ++at;
        } else if (!slot.is_optional) {
            return false;
        }
    }
    return at == list.size();
}

bool StunMessage::has_integrity(ByteSpan key) const {
    const auto value = find(stun_attribute::kMessageIntegrity);
    if (!value || value->size() != 20) {
        return false;
    }
    // The length field counts up to and including MESSAGE-INTEGRITY, whatever follows.
    const auto begin = offset_in(datagram_, *value) - 4;
    std::array<std::byte, 2> length{};
    store_be(MutableByteSpan{length}, static_cast<std::uint16_t>(begin + kIntegritySize - kHeader));
    const auto mac = crypto::hmac_sha1(key, {datagram_.first(2), length, datagram_.subspan(4, begin - 4)});
    return equal(mac, *value);
}

bool StunMessage::has_fingerprint() const {
    if (count_ == 0 || attributes_[count_ - 1].type != stun_attribute::kFingerprint ||
        attributes_[count_ - 1].value.size() != 4) {
        return false;
    }
    const auto covered = datagram_.first(datagram_.size() - kFingerprintSize);
    return load_be<std::uint32_t>(attributes_[count_ - 1].value) == (crc32(covered) ^ kFingerprintMask);
}

}  // namespace culvert::model::wire
