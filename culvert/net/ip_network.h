#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/net/ip_address.h"

namespace culvert::net {

/// A prefix: an address whose host bits are zero, and a prefix length.
class IpNetwork {
public:
    constexpr IpNetwork() = default;

    /// Clears the host bits of `address`. Requires prefix <= address.bit_length().
    IpNetwork(const IpAddress& address, unsigned prefix);

    /// /32 or /128.
    [[nodiscard]] static IpNetwork host(const IpAddress& address) { return {address, address.bit_length()}; }

    /// "10.0.0.0/8"; the prefix is mandatory and host bits must be zero.
    [[nodiscard]] static std::optional<IpNetwork> parse(std::string_view text);

    [[nodiscard]] const IpAddress& address() const { return address_; }
    [[nodiscard]] unsigned prefix() const { return prefix_; }
    [[nodiscard]] Family family() const { return address_.family(); }

    [[nodiscard]] bool contains(const IpAddress& address) const;
    /// Whether every address of `other` is in this network.
    [[nodiscard]] bool contains(const IpNetwork& other) const;

    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const IpNetwork&, const IpNetwork&) = default;

private:
    IpAddress address_;
    unsigned prefix_ = 0;
};

}  // namespace culvert::net
