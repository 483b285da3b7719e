#include "culvert/stun/xor_address.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace culvert::stun {
namespace {

/// What an address is XORed with: the magic cookie, for IPv6 followed by the transaction id.
std::array<std::byte, 16> mask(const TransactionId& id) {
    std::array<std::byte, 16> out;
    store_be(MutableByteSpan{out}, kMagicCookie);
    std::ranges::copy(id, out.begin() + 4);
    return out;
}

constexpr std::uint16_t kPortMask = kMagicCookie >> 16;

}  // namespace

void encode_xor_address(MutableByteSpan out, const net::SocketAddress& address, const TransactionId& id) {
    assert(out.size() == xor_address_size(address.family()));
    out[0] = std::byte{0};
    out[1] = static_cast<std::byte>(family_byte(address.family()));
    store_be(out.subspan(2), static_cast<std::uint16_t>(address.port ^ kPortMask));
    const auto key = mask(id);
    const auto ip = address.ip.bytes();
    std::ranges::transform(ip, key, out.begin() + 4, [](std::byte a, std::byte b) { return a ^ b; });
}

std::optional<net::SocketAddress> decode_xor_address(ByteSpan value, const TransactionId& id) {
    if (value.size() < 4) {
        return std::nullopt;
    }
    const auto family = family_from_byte(std::to_integer<std::uint8_t>(value[1]));
    if (!family || value.size() != xor_address_size(*family)) {
        return std::nullopt;
    }
    const auto key = mask(id);
    std::array<std::byte, 16> ip;
    const auto masked = value.subspan(4);
    std::ranges::transform(masked, key, ip.begin(), [](std::byte a, std::byte b) { return a ^ b; });
    return net::SocketAddress{net::IpAddress::from_bytes(ByteSpan{ip}.first(masked.size())),
                              static_cast<std::uint16_t>(load_be<std::uint16_t>(value.subspan(2)) ^ kPortMask)};
}

}  // namespace culvert::stun
