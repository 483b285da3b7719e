#include "tests/model/sockets/simulated_kernel.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tests/model/sockets/chance.h"

namespace culvert::model {
namespace {

/// From "the errno, negated" to what a program sees.
template <typename Result>
Result as_system_call(Result result) {
    if (result >= 0) {
        return result;
    }
    errno = static_cast<int>(-result);
    return -1;
}

template <typename Queue>
auto pop_front(Queue& queue) -> std::optional<typename Queue::value_type> {
    if (queue.empty()) {
        return std::nullopt;
    }
    auto front = std::move(queue.front());
    queue.pop_front();
    return front;
}

}  // namespace

void SimulatedKernel::refuse(const net::SocketAddress& destination, int error) {
    if (error == 0) {
        refused_destinations_.erase(destination);
    } else {
        refused_destinations_[destination] = error;
    }
}

void SimulatedKernel::block(net::Family family, Instant until) {
    for (auto& [fd, socket] : sockets_) {
        if (socket.family() == family) {
            socket.block_until(until);
        }
    }
}

void SimulatedKernel::deliver(Arrival arrival) {
    auto* socket = find(arrival.local.family(), arrival.local.port);
    if (socket == nullptr) {
        ++unclaimed_;
    } else if (!socket->deliver(std::move(arrival))) {
        ++udp_losses_.overflowed;
    }
}

void SimulatedKernel::submit(ByteSpan packet) {
    if (!tun_.submit(packet)) {
        ++tun_losses_.overflowed;
    }
}

std::optional<Departure> SimulatedKernel::poll_sent() {
    return pop_front(sent_);
}

std::optional<Bytes> SimulatedKernel::poll_delivered() {
    return pop_front(delivered_);
}

bool SimulatedKernel::is_ready(std::span<const pollfd> descriptors) const {
    return std::any_of(descriptors.begin(), descriptors.end(), [&](const pollfd& polled) {
        if ((polled.events & POLLIN) != 0 && is_readable(polled.fd)) {
            return true;
        }
        const auto socket = sockets_.find(polled.fd);
        if (socket == sockets_.end()) {
            return false;
        }
        const auto blocked_until = socket->second.blocked_until();
        const bool is_writable = !blocked_until || now_ >= *blocked_until;
        return (polled.events & POLLOUT) != 0 && is_writable;
    });
}

bool SimulatedKernel::is_readable(int fd) const {
    if (fd == kTunDescriptor) {
        return tun_.is_readable();
    }
    if (const auto epoll = epolls_.find(fd); epoll != epolls_.end()) {
        return std::ranges::any_of(epoll->second.tokens,
                                   [&](const auto& watched) { return is_readable(watched.first); });
    }
    const auto socket = sockets_.find(fd);
    return socket != sockets_.end() && socket->second.is_readable();
}

std::optional<Instant> SimulatedKernel::poll_timeout(std::span<const pollfd> descriptors) const {
    if (is_ready(descriptors)) {
        return now_;
    }
    std::optional<Instant> earliest;
    for (const auto& polled : descriptors) {
        const auto socket = sockets_.find(polled.fd);
        if (socket == sockets_.end() || (polled.events & POLLOUT) == 0) {
            continue;
        }
        const auto until = socket->second.blocked_until();
        if (until && (!earliest || *until < *earliest)) {
            earliest = until;
        }
    }
    return earliest;
}

std::optional<std::uint16_t> SimulatedKernel::port(net::Family family) const {
    for (const auto& [fd, socket] : sockets_) {
        if (socket.family() == family) {
            return socket.port();
        }
    }
    return std::nullopt;
}

io::TunDevice SimulatedKernel::open_tun(std::string name) {
    return {io::KernelDescriptor{*this, kTunDescriptor}, std::move(name), true, true};
}

std::expected<io::Kernel::UdpSocketOpened, std::error_code> SimulatedKernel::open_udp(const io::UdpOptions& options) {
    const auto fail = [](int error) { return std::unexpected{std::error_code{error, std::generic_category()}}; };
    const auto family = options.bind.family();
    if (socket_errors_[family] != 0) {
        return fail(socket_errors_[family]);
    }
    auto port = options.bind.port;
    if (port == 0) {
        do {
            port = next_port_++;
        } while (is_taken(family, port));
    } else if (is_taken(family, port)) {
        return fail(EADDRINUSE);
    }
    const int fd = next_descriptor_++;
    sockets_.emplace(fd, SimulatedUdp{options, port});
    return UdpSocketOpened{io::KernelDescriptor{*this, fd}, port, options.use_gso};
}

void SimulatedKernel::close(int fd) {
    if (const auto socket = sockets_.find(fd); socket != sockets_.end()) {
        udp_losses_.discarded += socket->second.waiting();
        sockets_.erase(socket);
    }
    epolls_.erase(fd);
    for (auto& [epoll, watched] : epolls_) {
        watched.tokens.erase(fd);
    }
}

int SimulatedKernel::recvmmsg(int fd, std::span<mmsghdr> messages) {
    return as_system_call(sockets_.at(fd).receive(messages, faults_, rng_));
}

int SimulatedKernel::sendmmsg(int fd, std::span<mmsghdr> messages) {
    return as_system_call(
        sockets_.at(fd).send(messages, faults_, rng_, now_, refused_destinations_, sent_, udp_losses_));
}

ssize_t SimulatedKernel::read(int, MutableByteSpan buffer) {
    return as_system_call(tun_.read(buffer, faults_, rng_));
}

ssize_t SimulatedKernel::writev(int, std::span<const iovec> pieces) {
    return as_system_call(tun_.write(pieces, faults_, rng_, delivered_, tun_losses_));
}

int SimulatedKernel::epoll_create() {
    const int fd = next_descriptor_++;
    epolls_.emplace(fd, Epoll{});
    return fd;
}

int SimulatedKernel::epoll_add(int epoll, int fd, std::uint64_t token) {
    epolls_.at(epoll).tokens[fd] = token;
    return 0;
}

int SimulatedKernel::epoll_wait(int epoll, std::span<epoll_event> events) {
    auto& [tokens, next] = epolls_.at(epoll);
    if (chance(rng_, faults_.interrupted)) {
        return as_system_call(-EINTR);
    }
    std::size_t count = 0;
    const auto report = [&](auto from, auto to) {
        for (auto watched = from; watched != to && count < events.size(); ++watched) {
            if (is_readable(watched->first)) {
                events[count].events = EPOLLIN;
                events[count++].data.u64 = watched->second;
                next = watched->first + 1;
            }
        }
    };
    const auto begin = tokens.lower_bound(next);
    report(begin, tokens.end());
    report(tokens.begin(), begin);
    return static_cast<int>(count);
}

SimulatedUdp* SimulatedKernel::find(net::Family family, std::uint16_t port) {
    const auto socket = std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& entry) {
        return entry.second.family() == family && entry.second.port() == port;
    });
    return socket == sockets_.end() ? nullptr : &socket->second;
}

bool SimulatedKernel::is_taken(net::Family family, std::uint16_t port) const {
    return occupied_.contains(port) || std::any_of(sockets_.begin(), sockets_.end(), [&](const auto& entry) {
               return entry.second.family() == family && entry.second.port() == port;
           });
}

}  // namespace culvert::model
