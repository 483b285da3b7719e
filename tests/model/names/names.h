#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "culvert/net/ip_address.h"

/// Who is who among names, addresses and proxy IPs. Everything can be told from
/// the address itself, so that a judge needs no memory of what it was told.
namespace culvert::model::names {

inline constexpr unsigned kNames = 6;
inline constexpr unsigned kPeers = 2;
inline constexpr unsigned kClient = 0;   ///< the product's
inline constexpr unsigned kHostile = 1;  ///< sends what it is given
/// In place of a name: an address of the Internet.
inline constexpr unsigned kNoName = kNames;

/// `n3.example`.
[[nodiscard]] std::string domain_of(unsigned name);

/// What resolvers say of a name once it has moved `moves` times. The last two
/// names are at the same addresses, as virtual hosts are; one name has no
/// address at times, one IPv4 ones only, and one IPv6 ones only.
[[nodiscard]] std::vector<net::IpAddress> addresses_of(unsigned name, unsigned moves);
/// Whether the name was ever there.
[[nodiscard]] bool may_be_at(unsigned name, const net::IpAddress& address);

/// What the hostile client gives the name: four IPv4 and four IPv6 addresses,
/// in another order than any client would, so that two clients give the same
/// addresses to different names.
[[nodiscard]] std::vector<net::IpAddress> proxies_of(unsigned name);

/// What no honest resolver says: addresses that lead to the gateway itself,
/// into the tunnel, or nowhere.
[[nodiscard]] std::vector<net::IpAddress> lies();

}  // namespace culvert::model::names
