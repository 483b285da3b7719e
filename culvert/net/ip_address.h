#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/base/hash_salt.h"

namespace culvert::net {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

/// An IPv4 or IPv6 address. Every IPv4 address orders before every IPv6 address.
class IpAddress {
public:
    /// 0.0.0.0
    constexpr IpAddress() = default;
    constexpr explicit IpAddress(std::array<std::uint8_t, 4> v4) {
        for (std::size_t i = 0; i < v4.size(); ++i) {
            bytes_[i] = v4[i];
        }
    }
    constexpr explicit IpAddress(std::array<std::uint8_t, 16> v6) : family_{Family::kIpv6}, bytes_{v6} {}

    /// From 4 or 16 bytes in network order. Requires one of these sizes.
    [[nodiscard]] static IpAddress from_bytes(ByteSpan bytes);

    /// Dotted decimal or RFC 4291 text, without prefix, port or zone.
    [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] static constexpr IpAddress unspecified(Family family) {
        return family == Family::kIpv4 ? IpAddress{} : IpAddress{std::array<std::uint8_t, 16>{}};
    }

    [[nodiscard]] constexpr Family family() const { return family_; }
    [[nodiscard]] constexpr bool is_v4() const { return family_ == Family::kIpv4; }
    [[nodiscard]] constexpr bool is_v6() const { return family_ == Family::kIpv6; }

    /// 4 or 16 bytes in network order.
    [[nodiscard]] ByteSpan bytes() const { return std::as_bytes(std::span{bytes_}).first(is_v4() ? 4 : 16); }
    /// 32 or 128.
    [[nodiscard]] constexpr unsigned bit_length() const { return is_v4() ? 32 : 128; }

    [[nodiscard]] bool is_unspecified() const;
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] bool is_multicast() const;
    /// 255.255.255.255
    [[nodiscard]] bool is_broadcast() const;
    /// 169.254.0.0/16 or fe80::/10
    [[nodiscard]] bool is_link_local() const;

    /// RFC 5952 text.
    [[nodiscard]] std::string to_string() const;

    // Addresses are compared for every datagram, and as two numbers much faster than as sixteen bytes.
    friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
        return a.family_ == b.family_ && std::bit_cast<Halves>(a.bytes_) == std::bit_cast<Halves>(b.bytes_);
    }
    friend constexpr std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b) {
        if (const auto order = a.family_ <=> b.family_; order != 0) {
            return order;
        }
        const auto left = std::bit_cast<Halves>(a.bytes_);
        const auto right = std::bit_cast<Halves>(b.bytes_);
        const auto high = in_order(left[0]) <=> in_order(right[0]);
        return high != 0 ? high : in_order(left[1]) <=> in_order(right[1]);
    }

private:
    using Halves = std::array<std::uint64_t, 2>;
    /// Bytes in network order as a number that orders like them.
    static constexpr std::uint64_t in_order(std::uint64_t half) {
        return std::endian::native == std::endian::little ? std::byteswap(half) : half;
    }

    Family family_ = Family::kIpv4;
    std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace culvert::net

template <>
struct std::hash<culvert::net::IpAddress> {
    std::size_t operator()(const culvert::net::IpAddress& address) const noexcept {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        const auto bytes = address.bytes();
        std::memcpy(&low, bytes.data(), bytes.size() == 4 ? 4 : 8);
        if (bytes.size() == 16) {
            std::memcpy(&high, bytes.data() + 8, 8);
        }
        return culvert::salted(
            static_cast<std::size_t>((low ^ (high * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL));
    }
};
