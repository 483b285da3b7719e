#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"

/// What programs of these tests share that bring a part of ours to a real network.
namespace culvert::probe {

[[noreturn]] inline void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

inline Instant clock_now() {
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

/// An IPv4 UDP socket, on loopback unless told otherwise.
class Socket {
public:
    explicit Socket(const net::IpAddress& address = *net::IpAddress::parse("127.0.0.1"))
        : fd_{::socket(AF_INET, SOCK_DGRAM, 0)} {
        auto any = to_system({address, 0});
        socklen_t size = sizeof any;
        auto* const generic = reinterpret_cast<sockaddr*>(&any);
        if (fd_ < 0 || ::bind(fd_, generic, size) != 0 || ::getsockname(fd_, generic, &size) != 0) {
            die("socket");
        }
        local_ = from_system(any);
    }
    ~Socket() { ::close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] const net::SocketAddress& local() const { return local_; }

    void send(const net::SocketAddress& to, ByteSpan bytes) const {
        const auto address = to_system(to);
        ::sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }

    struct Datagram {
        net::SocketAddress from;
        Bytes bytes;
    };
    [[nodiscard]] std::optional<Datagram> receive(std::chrono::milliseconds timeout) const {
        pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) {
            return std::nullopt;
        }
        sockaddr_in address{};
        socklen_t size = sizeof address;
        Bytes bytes(2048);
        const auto length =
            ::recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address), &size);
        if (length < 0) {
            return std::nullopt;
        }
        bytes.resize(static_cast<std::size_t>(length));
        return Datagram{from_system(address), std::move(bytes)};
    }

private:
    static sockaddr_in to_system(const net::SocketAddress& from) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(from.port);
        std::memcpy(&address.sin_addr, from.ip.bytes().data(), 4);
        return address;
    }
    static net::SocketAddress from_system(const sockaddr_in& address) {
        return {net::IpAddress::from_bytes(std::as_bytes(std::span{&address.sin_addr, 1})), ntohs(address.sin_port)};
    }

    int fd_;
    net::SocketAddress local_;
};

}  // namespace culvert::probe
