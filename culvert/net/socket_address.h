#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/net/ip_address.h"

namespace culvert::net {

/// An IP address and a port.
struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    /// "1.2.3.4:53" or "[2001:db8::1]:53".
    [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] constexpr bool is_v4() const { return ip.is_v4(); }
    [[nodiscard]] constexpr Family family() const { return ip.family(); }

    friend constexpr auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace culvert::net

template <>
struct std::hash<culvert::net::SocketAddress> {
    std::size_t operator()(const culvert::net::SocketAddress& address) const noexcept {
        return std::hash<culvert::net::IpAddress>{}(address.ip) * 31 + address.port;
    }
};
