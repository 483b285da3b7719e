#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/io/socket_address.h"
#include "culvert/net/socket_address.h"

/// Name servers on loopback that do only what a test tells them, on the test's own thread.
namespace culvert::resolver::test {

inline io::FileDescriptor bound_socket(int type, const net::SocketAddress& address) {
    io::FileDescriptor socket{::socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_storage storage{};
    const auto size = io::to_sockaddr(address, storage);
    constexpr int kOn = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
        throw std::runtime_error{"cannot bind " + address.to_string()};
    }
    return socket;
}

inline net::SocketAddress local_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
    return io::from_sockaddr(storage);
}

inline net::SocketAddress loopback(std::uint16_t port = 0) {
    return {net::IpAddress{std::array<std::uint8_t, 4>{127, 0, 0, 1}}, port};
}

class UdpServer {
public:
    struct Datagram {
        net::SocketAddress from;
        Bytes bytes;
    };

    explicit UdpServer(const net::SocketAddress& address = loopback()) : socket_{bound_socket(SOCK_DGRAM, address)} {}

    [[nodiscard]] net::SocketAddress address() const { return local_address(socket_.get()); }

    /// nullopt: none has come yet.
    [[nodiscard]] std::optional<Datagram> receive() {
        Bytes buffer(65'535);
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const auto received =
            ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (received < 0) {
            return std::nullopt;
        }
        buffer.resize(static_cast<std::size_t>(received));
        return Datagram{io::from_sockaddr(from), std::move(buffer)};
    }
    void send(const net::SocketAddress& to, ByteSpan bytes) const {
        sockaddr_storage storage{};
        const auto size = io::to_sockaddr(to, storage);
        ::sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&storage), size);
    }

private:
    io::FileDescriptor socket_;
};

class TcpServer {
public:
    /// The server's end of a connection.
    class Stream {
    public:
        explicit Stream(io::FileDescriptor socket) : socket_{std::move(socket)} {}

        /// All that has come so far.
        [[nodiscard]] const Bytes& received() {
            Bytes buffer(65'535);
            for (ssize_t size = 0; (size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0)) >= 0;) {
                is_ended_ = is_ended_ || size == 0;
                if (size == 0) {
                    break;
                }
                append(received_, ByteSpan{buffer}.first(static_cast<std::size_t>(size)));
            }
            return received_;
        }
        [[nodiscard]] bool is_ended() {
            static_cast<void>(received());
            return is_ended_;
        }
        void send(ByteSpan bytes) const { ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }

    private:
        io::FileDescriptor socket_;
        Bytes received_;
        bool is_ended_ = false;
    };

    explicit TcpServer(const net::SocketAddress& address = loopback()) : socket_{bound_socket(SOCK_STREAM, address)} {
        ::listen(socket_.get(), 16);
    }

    [[nodiscard]] net::SocketAddress address() const { return local_address(socket_.get()); }

    /// nullopt: nobody has come yet.
    [[nodiscard]] std::optional<Stream> accept() {
        io::FileDescriptor accepted{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        return accepted ? std::optional<Stream>{std::move(accepted)} : std::nullopt;
    }

private:
    io::FileDescriptor socket_;
};

}  // namespace culvert::resolver::test
