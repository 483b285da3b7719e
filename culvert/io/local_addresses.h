#pragma once

#include <vector>

#include "culvert/net/ip_address.h"

namespace culvert::io {

/// The addresses of this host's interfaces, loopback included, each once. Empty if the kernel does not tell.
[[nodiscard]] std::vector<net::IpAddress> local_addresses();

}  // namespace culvert::io
