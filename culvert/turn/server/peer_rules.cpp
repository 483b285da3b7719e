#include "culvert/turn/server/peer_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace culvert::turn {
namespace {

using net::IpAddress;
using net::IpNetwork;

IpNetwork v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, unsigned prefix) {
    return {IpAddress{std::array<std::uint8_t, 4>{a, b, c, 0}}, prefix};
}

/// From the first four groups; the others are zero.
IpNetwork v6(std::array<std::uint16_t, 4> groups, unsigned prefix) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < groups.size(); ++i) {
        bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
        bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
    }
    return {IpAddress{bytes}, prefix};
}

IpNetwork v6_wrapping_v4(std::uint8_t byte8, std::uint8_t byte9, std::uint8_t byte10, std::uint8_t byte11) {
    std::array<std::uint8_t, 16> bytes{};
    bytes[8] = byte8;
    bytes[9] = byte9;
    bytes[10] = byte10;
    bytes[11] = byte11;
    return {IpAddress{bytes}, 96};
}

bool is_in(std::span<const IpNetwork> networks, const IpAddress& address) {
    return std::ranges::any_of(networks, [&](const IpNetwork& network) { return network.contains(address); });
}

/// Nobody's address on any network beyond the next router, or a wrapping of an IPv4 address that no peer has as its
/// own.
bool is_nobodys(const IpAddress& address) {
    static const std::array kNetworks{
        v4(0, 0, 0, 8),                       // "this network", unspecified (RFC 791 section 3.2)
        v4(127, 0, 0, 8),                     // loopback (RFC 1122 section 3.2.1.3)
        v4(169, 254, 0, 16),                  // link-local (RFC 3927); clouds answer with secrets there
        v4(224, 0, 0, 4),                     // multicast (RFC 5771)
        v4(240, 0, 0, 4),                     // reserved (RFC 1112 section 4), broadcast (RFC 919)
        v6_wrapping_v4(0, 0, 0, 0),           // unspecified, loopback, IPv4-compatible (RFC 4291 section 2.5)
        v6_wrapping_v4(0, 0, 0xff, 0xff),     // IPv4-mapped (RFC 4291 section 2.5.5.2)
        v6_wrapping_v4(0xff, 0xff, 0, 0),     // IPv4-translated (RFC 2765 section 2.1)
        v6({0x0064, 0xff9b, 0x0001, 0}, 48),  // local-use NAT64, IPv4 at a place of its own (RFC 8215)
        v6({0x2001, 0, 0, 0}, 32),            // Teredo, wraps two IPv4 addresses (RFC 4380)
        v6({0xfe80, 0, 0, 0}, 10),            // link-local (RFC 4291 section 2.5.6)
        v6({0xff00, 0, 0, 0}, 8),             // multicast (RFC 4291 section 2.7)
    };
    return is_in(kNetworks, address);
}

/// The IPv4 address that packets to this IPv6 address reach in the end.
std::optional<IpAddress> inner_v4(const IpAddress& address) {
    static const IpNetwork k6to4 = v6({0x2002, 0, 0, 0}, 16);        // RFC 3056
    static const IpNetwork kNat64 = v6({0x0064, 0xff9b, 0, 0}, 96);  // RFC 6052
    if (k6to4.contains(address)) {
        return IpAddress::from_bytes(address.bytes().subspan(2, 4));
    }
    if (kNat64.contains(address)) {
        return IpAddress::from_bytes(address.bytes().subspan(12, 4));
    }
    return std::nullopt;
}

}  // namespace

bool is_global(const IpAddress& address) {
    static const std::array kNotGlobal{
        v4(10, 0, 0, 8),                 // private (RFC 1918)
        v4(100, 64, 0, 10),              // shared (RFC 6598)
        v4(172, 16, 0, 12),              // private
        v4(192, 0, 0, 24),               // protocol assignments (RFC 6890)
        v4(192, 0, 2, 24),               // documentation (RFC 5737)
        v4(192, 88, 99, 24),             // 6to4 relays, deprecated (RFC 7526)
        v4(192, 168, 0, 16),             // private
        v4(198, 18, 0, 15),              // benchmarks (RFC 2544)
        v4(198, 51, 100, 24),            // documentation
        v4(203, 0, 113, 24),             // documentation
        v6({0x2001, 0, 0, 0}, 23),       // protocol assignments (RFC 2928)
        v6({0x2001, 0x0db8, 0, 0}, 32),  // documentation (RFC 3849)
        v6({0x3fff, 0, 0, 0}, 20),       // documentation (RFC 9637)
    };
    static const IpNetwork kGlobalUnicast = v6({0x2000, 0, 0, 0}, 3);  // all that is assigned so far (RFC 4291)
    if (is_nobodys(address) || is_in(kNotGlobal, address)) {
        return false;
    }
    if (const auto inner = inner_v4(address)) {
        return is_global(*inner);
    }
    return address.is_v4() || kGlobalUnicast.contains(address);
}

std::optional<std::string_view> PeerRules::objection(const net::SocketAddress& peer) const {
    if (is_nobodys(peer.ip) || peer.port == 0) {
        return "nobody's address";
    }
    if (const auto inner = inner_v4(peer.ip)) {
        if (const auto objection = this->objection({*inner, peer.port})) {
            return objection;
        }
    }
    const bool is_allowed = is_in(config_.allowed, peer.ip);
    if (is_own(peer.ip)) {
        if (peer.port == config_.listen_port) {
            return "the relay itself";
        }
        const bool is_public = peer.ip == config_.public_v4 || peer.ip == config_.public_v6;
        if (is_public && peer.port >= config_.lowest_port && peer.port <= config_.highest_port) {
            return std::nullopt;
        }
        if (!is_allowed) {
            return "another service of the relay's host";
        }
    }
    if (is_in(config_.denied, peer.ip)) {
        return "denied by the operator";
    }
    if (!is_allowed && !is_global(peer.ip) && is_strict(peer.family())) {
        return "not an address of the Internet";
    }
    return std::nullopt;
}

bool PeerRules::is_own(const IpAddress& address) const {
    return address == config_.public_v4 || address == config_.public_v6 ||
           std::ranges::find(config_.local_addresses, address) != config_.local_addresses.end();
}

bool PeerRules::is_strict(net::Family family) const {
    const auto& address = family == net::Family::kIpv4 ? config_.public_v4 : config_.public_v6;
    if (!address) {
        // Asked only for the IPv4 address inside an IPv6 one: the IPv6 address says what kind of relay this is.
        return config_.public_v6 && is_global(*config_.public_v6);
    }
    return is_global(*address);
}

}  // namespace culvert::turn
