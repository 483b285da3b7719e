#pragma once

#include <optional>

#include "culvert/dns/name.h"
#include "culvert/net/ip_address.h"

namespace culvert::dns {

/// The address whose name under `in-addr.arpa` or `ip6.arpa` this is: four decimal labels, or 32 of one hexadecimal
/// digit (RFC 1035 section 3.5, RFC 3596 section 2.5). Case does not matter. nullopt for every other name.
[[nodiscard]] std::optional<net::IpAddress> address_of_reverse_name(const Name& name);

}  // namespace culvert::dns
