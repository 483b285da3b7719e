#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "culvert/net/socket_address.h"

namespace culvert::io {

/// Converts to the kernel's form; the result is the length to pass with it.
socklen_t to_sockaddr(const net::SocketAddress& address, sockaddr_storage& out);

/// Converts from the kernel's form. Requires AF_INET or AF_INET6.
[[nodiscard]] net::SocketAddress from_sockaddr(const sockaddr_storage& address);

}  // namespace culvert::io
