#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/crypto/hmac.h"
#include "culvert/net/socket_address.h"
#include "tests/model/wire/crc32.h"
#include "tests/model/wire/stun_message.h"

/// Builders of datagrams for the tests of the checker: right unless told otherwise.
namespace culvert::model::wire {

/// Writes one STUN message, attribute by attribute.
class StunWriter {
public:
    explicit StunWriter(std::uint16_t type, std::uint8_t transaction = 1) {
        append_be<std::uint16_t>(bytes_, type);
        append_be<std::uint16_t>(bytes_, 0);
        append_be<std::uint32_t>(bytes_, 0x2112A442);
        bytes_.resize(20, std::byte{transaction});
    }

    StunWriter& add(std::uint16_t type, ByteSpan value) {
        append_be(bytes_, type);
        append_be(bytes_, static_cast<std::uint16_t>(value.size()));
        append(bytes_, value);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
        store_be(MutableByteSpan{bytes_}.subspan(2), static_cast<std::uint16_t>(bytes_.size() - 20));
        return *this;
    }
    StunWriter& add(std::uint16_t type, std::string_view text) { return add(type, as_bytes(text)); }
    StunWriter& add_number(std::uint16_t type, std::uint32_t number) {
        Bytes value;
        append_be(value, number);
        return add(type, value);
    }
    StunWriter& add_address(std::uint16_t type, const net::SocketAddress& address) {
        Bytes value{std::byte{0}, address.is_v4() ? std::byte{1} : std::byte{2}};
        append_be(value, static_cast<std::uint16_t>(address.port ^ 0x2112));
        const auto ip = address.ip.bytes();
        for (std::size_t i = 0; i < ip.size(); ++i) {
            value.push_back(ip[i] ^ bytes_[4 + i]);
        }
        return add(type, value);
    }
    StunWriter& add_integrity(ByteSpan key) {
        auto covered = bytes_;
        store_be(MutableByteSpan{covered}.subspan(2), static_cast<std::uint16_t>(bytes_.size() + 4));
        return add(stun_attribute::kMessageIntegrity, crypto::hmac_sha1(key, {covered}));
    }
    StunWriter& add_fingerprint() {
        auto covered = bytes_;
        store_be(MutableByteSpan{covered}.subspan(2), static_cast<std::uint16_t>(bytes_.size() - 12));
        return add_number(stun_attribute::kFingerprint, crc32(covered) ^ 0x5354554E);
    }
    [[nodiscard]] Bytes done() { return std::move(bytes_); }

private:
    Bytes bytes_;
};

}  // namespace culvert::model::wire
