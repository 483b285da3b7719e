#include "culvert/relay/data_plane.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/relay/constants.h"

namespace culvert::relay {
namespace {

constexpr log::Logger kLog{"relay"};

std::uint64_t encode(net::Family family, std::uint16_t port) {
    return std::uint64_t{static_cast<std::uint8_t>(family)} << 16 | port;
}

}  // namespace

std::expected<std::unique_ptr<DataPlane>, std::string> DataPlane::open(Options options, std::string stamp_secret,
                                                                       Rng rng, io::Kernel& kernel) {
    auto plane = std::unique_ptr<DataPlane>{new DataPlane{std::move(options), std::move(stamp_secret), rng, kernel}};
    if (!plane->epoll_) {
        return std::unexpected{std::string{"cannot wait for events: "} + std::strerror(errno)};
    }
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto& server = plane->options_.server;
        if (!(family == net::Family::kIpv4 ? server.public_v4 : server.public_v6)) {
            continue;
        }
        if (auto listening = plane->listen(family); !listening) {
            return std::unexpected{std::move(listening.error())};
        }
    }
    return plane;
}

DataPlane::DataPlane(Options options, std::string stamp_secret, Rng rng, io::Kernel& kernel)
    : options_{std::move(options)},
      kernel_{kernel},
      server_{options_.server, std::move(stamp_secret), rng},
      epoll_{kernel, kernel.epoll_create()},
      receive_ring_{kMessagesAtOnce} {
    const auto ports = std::size_t{options_.server.highest_port} - options_.server.lowest_port + 1;
    v4_.allocations.resize(ports);
    v6_.allocations.resize(ports);
}

std::unique_ptr<io::UdpSocket>& DataPlane::allocation_socket(net::Family family, std::uint16_t port) {
    return sockets(family).allocations.at(std::size_t{port} - options_.server.lowest_port);
}

std::expected<void, std::string> DataPlane::listen(net::Family family) {
    const auto port = options_.server.listen_port;
    auto socket = open_socket(family, port, kListenBuffer, {family, 0});
    if (!socket) {
        const net::SocketAddress address{net::IpAddress::unspecified(family), port};
        return std::unexpected{"cannot listen on UDP " + address.to_string() + ": " + socket.error().message() +
                               (socket.error() == std::errc::address_in_use
                                    ? ". Stop the program that uses the port or choose another with --listen-port."
                                    : ". Check that the host has this address family and that the port is allowed.")};
    }
    sockets(family).listen = *std::move(socket);
    return {};
}

std::expected<std::unique_ptr<io::UdpSocket>, std::error_code> DataPlane::open_socket(net::Family family,
                                                                                      std::uint16_t port,
                                                                                      std::size_t default_buffer,
                                                                                      const Source& source) {
    auto socket = io::UdpSocket::open({.bind = {net::IpAddress::unspecified(family), port},
                                       .receive_buffer = options_.receive_buffer.value_or(default_buffer),
                                       .send_buffer = options_.send_buffer.value_or(default_buffer / 2),
                                       .use_gso = options_.use_gso,
                                       .use_gro = options_.use_gro,
                                       .is_relay = true},
                                      kernel_);
    if (!socket) {
        return std::unexpected{socket.error()};
    }
    if (kernel_.epoll_add(epoll_.get(), socket->fd(), encode(source.family, source.port)) != 0) {
        return std::unexpected{std::error_code{errno, std::generic_category()}};
    }
    return std::make_unique<io::UdpSocket>(*std::move(socket));
}

void DataPlane::extend_user(std::string_view salt, WallTime until) {
    server_.extend_user(salt, until);
    outbox_.close_trains();
}

void DataPlane::revoke_user(std::string_view salt, WallTime until) {
    server_.revoke_user(salt, until);
    outbox_.close_trains();
}

io::Turn DataPlane::turn(Instant now, WallTime wall_now) {
    now_ = now;
    wall_now_ = wall_now;
    if (!finish_batch()) {  // of the turn before
        return io::Turn::kIdle;
    }
    if (const auto due = server_.poll_timeout(); due && *due <= now) {
        server_.handle_timeout(now);
    }
    if (!run_commands()) {
        return io::Turn::kIdle;
    }
    is_busy_ = false;
    find_ready_sockets();
    while (!ready_.empty()) {
        const auto token = ready_.front().data.u64;
        ready_ = ready_.subspan(1);
        receive({static_cast<net::Family>(token >> 16), static_cast<std::uint16_t>(token)});
        if (!finish_batch()) {
            return io::Turn::kIdle;
        }
    }
    log_errors();
    return is_busy_ ? io::Turn::kBusy : io::Turn::kIdle;
}

io::Wait DataPlane::wait() const {
    io::Wait wait;
    if (const auto* blocked = outbox_.blocked()) {
        wait.add(blocked->fd(), POLLOUT);
        wait.deadline = patience_;
    } else {
        wait.add(epoll_.get(), POLLIN);
        wait.deadline = server_.poll_timeout();
    }
    return wait;
}

void DataPlane::find_ready_sockets() {
    if (ready_.empty()) {
        const int count = kernel_.epoll_wait(epoll_.get(), events_);
        ready_ = std::span{events_}.first(static_cast<std::size_t>(std::max(count, 0)));
        is_busy_ = ready_.size() == events_.size();
    }
}

void DataPlane::receive(const Source& source) {
    const auto& socket =
        source.port == 0 ? sockets(source.family).listen : allocation_socket(source.family, source.port);
    if (!socket) {
        return;  // freed since the kernel reported it
    }
    source_ = source;
    const auto unusable = socket->dropped().unusable;
    received_ = socket->receive(receive_ring_, errors_);
    unanswerable_ += socket->dropped().unusable - unusable;
    is_busy_ = is_busy_ || receive_ring_.was_full();
    offset_ = 0;
}

bool DataPlane::finish_batch() {
    for (;;) {
        if (!run_commands() || (outbox_.is_full() && !flush())) {
            return false;
        }
        if (received_.empty()) {
            return flush();
        }
        const auto from = received_.front().from;
        handle_datagram(next_datagram(), from);
    }
}

ByteSpan DataPlane::next_datagram() {
    const auto& message = received_.front();
    const auto datagram = message.bytes.subspan(offset_, std::min(message.stride, message.bytes.size() - offset_));
    offset_ += datagram.size();
    if (offset_ == message.bytes.size()) {
        received_ = received_.subspan(1);
        offset_ = 0;
    }
    return datagram;
}

void DataPlane::handle_datagram(ByteSpan datagram, const net::SocketAddress& from) {
    if (source_.port == 0) {
        if (const auto to = server_.handle_client_input(datagram, from, now_, wall_now_)) {
            pass_to_peer(*to);
        }
    } else if (const auto to = server_.handle_peer_input(from, source_.port, datagram.size())) {
        pass_to_client(*to, datagram);
    }
}

void DataPlane::pass_to_peer(const turn::Server::ToPeer& to) {
    if (server_.is_inside(to.peer)) {
        if (const auto client = server_.handle_inside(to)) {
            pass_to_client(*client, to.payload);
        }
    } else if (const auto& socket = allocation_socket(to.peer.family(), to.port)) {
        outbox_.add(*socket, &to.peer, to.peer, to.payload);
    }
}

void DataPlane::pass_to_client(const turn::Server::ToClient& to, ByteSpan payload) {
    outbox_.add_channel_data(*sockets(to.client.family()).listen, &to.client, to.client, to.channel, payload);
}

bool DataPlane::run_commands() {
    if (!command_) {
        command_ = server_.poll_command();
    }
    if (!command_) {
        return true;
    }
    // Trains refer to sockets and flows that a command may end.
    if (!flush()) {
        return false;
    }
    for (; command_; command_ = server_.poll_command()) {
        std::visit([this](const auto& command) { execute(command); }, *command_);
    }
    return true;
}

bool DataPlane::flush() {
    while (outbox_.flush(send_ring_, errors_) == io::UdpSocket::SendResult::kWouldBlock) {
        if (!patience_) {
            patience_ = now_ + kPatience;
        }
        if (now_ < *patience_) {
            return false;
        }
        outbox_.drop_blocked();
    }
    patience_.reset();
    return true;
}

void DataPlane::execute(const turn::SendMessage& command) {
    const iovec piece{const_cast<std::byte*>(command.payload.data()), command.payload.size()};
    const io::Train answer{
        .path = {std::nullopt, command.client}, .segment_size = command.payload.size(), .pieces = std::span{&piece, 1}};
    auto& socket = *sockets(command.client.family()).listen;
    const auto sent = socket.sent().datagrams;
    io::SendPosition position;
    const auto result = socket.send(std::span{&answer, 1}, position, send_ring_, errors_);
    if (result == io::UdpSocket::SendResult::kDone && socket.sent().datagrams > sent) {
        ++answers_.sent;
        return;
    }
    ++answers_.dropped;
    // The client will ask again.
    kLog.debug("Dropped response: cannot send", log::field("client", command.client));
}

void DataPlane::execute(const turn::CreateAllocation& command) {
    auto socket = open_socket(command.family, command.port, kAllocationBuffer, {command.family, command.port});
    if (!socket) {
        ++unusable_ports_;
        kLog.info("Cannot open the port of a new allocation, trying another", log::field("port", command.port),
                  log::field("error", socket.error().message()));
        server_.handle_allocation_failed(command.port, now_);
        return;
    }
    allocation_socket(command.family, command.port) = *std::move(socket);
}

void DataPlane::execute(const turn::FreeAllocation& command) {
    allocation_socket(command.family, command.port).reset();
}

/// What clients and peers bring about is nothing to warn of.
void DataPlane::log_errors() {
    for (const auto& [error, count] : errors_.take()) {
        kLog.debug("Could not pass datagrams on", log::field("error", error), log::field("count", count));
    }
}

}  // namespace culvert::relay
