#include "culvert/io/socket_address.h"

#include <cstring>

namespace culvert::io {

socklen_t to_sockaddr(const net::SocketAddress& address, sockaddr_storage& out) {
    const auto ip = address.ip.bytes();
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        std::memcpy(&v4.sin_addr, ip.data(), ip.size());
        std::memcpy(&out, &v4, sizeof v4);
        return sizeof v4;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, ip.data(), ip.size());
    std::memcpy(&out, &v6, sizeof v6);
    return sizeof v6;
}

net::SocketAddress from_sockaddr(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, &address, sizeof v4);
        return {net::IpAddress::from_bytes(std::as_bytes(std::span{&v4.sin_addr, 1})), ntohs(v4.sin_port)};
    }
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    return {net::IpAddress::from_bytes(std::as_bytes(std::span{&v6.sin6_addr, 1})), ntohs(v6.sin6_port)};
}

}  // namespace culvert::io
