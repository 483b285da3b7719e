#include "apps/relay/data_plane.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "culvert/io/clock.h"
#include "culvert/io/socket_address.h"
#include "culvert/observability/log.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace culvert::relay {
namespace {

constexpr log::Logger kLog{"relay"};

constexpr std::size_t kListenBuffer = 16 * 1024 * 1024;
/// There may be thousands of these sockets.
constexpr std::size_t kAllocationBuffer = 2 * 1024 * 1024;
constexpr int kMaxEvents = 256;
/// Words of the portal that wait for the loop's next turn. Far more than a portal sends at once; an extension beyond
/// that is lost, a revocation never.
constexpr std::size_t kMaxUserWords = 65'536;
constexpr auto kPublishInterval = std::chrono::milliseconds{100};
constexpr auto kActivityInterval = std::chrono::seconds{10};

std::uint64_t encode_token(std::uint8_t kind, net::Family family, std::uint16_t port) {
    return std::uint64_t{kind} << 32 | std::uint64_t{static_cast<std::uint8_t>(family)} << 16 | port;
}

bool set_option(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// The *FORCE options ignore net.core.*mem_max but need CAP_NET_ADMIN.
void set_buffers(int fd, std::size_t receive, std::size_t send) {
    const auto receive_bytes = static_cast<int>(std::min<std::size_t>(receive, 1U << 30));
    const auto send_bytes = static_cast<int>(std::min<std::size_t>(send, 1U << 30));
    if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes);
    }
    if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, send_bytes)) {
        set_option(fd, SOL_SOCKET, SO_SNDBUF, send_bytes);
    }
}

}  // namespace

std::expected<std::unique_ptr<DataPlane>, std::string> DataPlane::open(Options options, std::string stamp_secret,
                                                                       Rng rng) {
    auto plane = std::unique_ptr<DataPlane>{new DataPlane{std::move(options), std::move(stamp_secret), rng}};
    plane->epoll_ = io::FileDescriptor{::epoll_create1(EPOLL_CLOEXEC)};
    plane->wake_ = io::FileDescriptor{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!plane->epoll_ || !plane->wake_ || !plane->watch(plane->wake_.get(), {Kind::kWake, net::Family::kIpv4, 0}) ||
        !plane->watch(plane->user_words_.fd(), {Kind::kUserWords, net::Family::kIpv4, 0})) {
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

DataPlane::DataPlane(Options options, std::string stamp_secret, Rng rng)
    : options_{std::move(options)},
      server_{options_.server, std::move(stamp_secret), rng},
      sender_{/*use_gso=*/true},
      user_words_{kMaxUserWords},
      allocations_v4_(std::size_t{65536}),
      allocations_v6_(std::size_t{65536}) {}

std::expected<void, std::string> DataPlane::listen(net::Family family) {
    auto socket = open_socket(family, options_.listen_port, kListenBuffer);
    if (!socket) {
        const net::SocketAddress address{net::IpAddress::unspecified(family), options_.listen_port};
        return std::unexpected{"cannot listen on UDP " + address.to_string() + ": " + std::strerror(socket.error()) +
                               (socket.error() == EADDRINUSE
                                    ? ". Stop the program that uses the port or choose another with --listen-port."
                                    : ". Check that the host has this address family and that the port is allowed.")};
    }
    watch(socket->get(), {Kind::kListen, family, options_.listen_port});
    listen_socket(family) = std::move(*socket);
    return {};
}

std::expected<io::FileDescriptor, int> DataPlane::open_socket(net::Family family, std::uint16_t port,
                                                              std::size_t default_buffer) const {
    const bool is_v4 = family == net::Family::kIpv4;
    io::FileDescriptor socket{::socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket) {
        return std::unexpected{errno};
    }
    if (!is_v4) {
        // Both families share a port number.
        set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    set_option(socket.get(), SOL_UDP, UDP_GRO, 1);
    set_buffers(socket.get(), options_.receive_buffer.value_or(default_buffer),
                options_.send_buffer.value_or(default_buffer / 2));
    sockaddr_storage address{};
    const auto length = io::to_sockaddr({net::IpAddress::unspecified(family), port}, address);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        return std::unexpected{errno};
    }
    return socket;
}

bool DataPlane::watch(int fd, Token token) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = encode_token(static_cast<std::uint8_t>(token.kind), token.family, token.port);
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void DataPlane::run() {
    std::array<epoll_event, kMaxEvents> events;
    activity_logged_at_ = io::monotonic_now();
    while (!is_stopping_) {
        now_ = io::monotonic_now();
        run_timers();
        publish_if_due();
        log_activity_if_due();

        const int ready = wait(events);
        now_ = io::monotonic_now();
        wall_now_ = io::wall_now();
        for (int i = 0; i < ready; ++i) {
            const auto token = events[static_cast<std::size_t>(i)].data.u64;
            const auto family = static_cast<net::Family>((token >> 16) & 0xff);
            const auto port = static_cast<std::uint16_t>(token);
            switch (static_cast<Kind>(token >> 32)) {
                case Kind::kWake:
                    is_stopping_ = true;
                    break;
                case Kind::kUserWords:
                    obey_user_words();
                    break;
                case Kind::kListen:
                    handle_listen_socket(family);
                    break;
                case Kind::kAllocation:
                    handle_allocation_socket(family, port);
                    break;
            }
            has_unpublished_ = true;
        }
    }
}

void DataPlane::stop() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void DataPlane::extend_user(std::string salt, WallTime until) {
    if (!user_words_.post({std::move(salt), until, /*revokes=*/false})) {
        kLog.warn("Lost an extension of credentials: too many at once");
    }
}

void DataPlane::revoke_user(std::string salt, WallTime until) {
    user_words_.post_always({std::move(salt), until, /*revokes=*/true});
}

void DataPlane::obey_user_words() {
    for (const auto& word : user_words_.take()) {
        if (word.revokes) {
            server_.revoke_user(word.salt, word.until);
        } else {
            server_.extend_user(word.salt, word.until);
        }
    }
    run_commands();
}

int DataPlane::wait(std::span<epoll_event> events) const {
    auto deadline = activity_logged_at_ + kActivityInterval;
    if (const auto timer = server_.poll_timeout()) {
        deadline = std::min(deadline, *timer);
    }
    if (has_unpublished_) {
        deadline = std::min(deadline, published_at_ + kPublishInterval);
    }
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(deadline - now_).count();
    return ::epoll_wait(epoll_.get(), events.data(), kMaxEvents,
                        static_cast<int>(std::clamp<std::int64_t>(pause, 0, 60'000)));
}

void DataPlane::handle_listen_socket(net::Family family) {
    for (const auto& message : ring_.receive(listen_socket(family).get())) {
        if (message.bytes.empty()) {
            handle_client_datagram(message.bytes, message.from);
        }
        for (auto rest = message.bytes; !rest.empty();) {
            const auto datagram = rest.first(std::min(message.stride, rest.size()));
            rest = rest.subspan(datagram.size());
            handle_client_datagram(datagram, message.from);
        }
    }
    sender_.flush();
}

void DataPlane::handle_client_datagram(ByteSpan datagram, const net::SocketAddress& client) {
    if (const auto to = server_.handle_client_input(datagram, client, now_, wall_now_)) {
        if (const auto& socket = allocation_socket(to->peer.family(), to->port)) {
            sender_.add(socket.get(), &to->peer, to->peer, to->payload);
        }
        return;
    }
    run_commands();
}

void DataPlane::handle_allocation_socket(net::Family family, std::uint16_t port) {
    const auto& socket = allocation_socket(family, port);
    if (!socket) {
        return;  // freed since the kernel reported it
    }
    for (const auto& message : ring_.receive(socket.get())) {
        auto rest = message.bytes;
        do {
            const auto payload = rest.first(std::min(message.stride, rest.size()));
            rest = rest.subspan(payload.size());
            if (const auto to = server_.handle_peer_input(message.from, port, payload.size())) {
                sender_.add_channel_data(listen_socket(to->client.family()).get(), &to->client, to->client, to->channel,
                                         payload);
            }
        } while (!rest.empty());
    }
    sender_.flush();
}

void DataPlane::run_timers() {
    if (const auto due = server_.poll_timeout(); due && *due <= now_) {
        server_.handle_timeout(now_);
        run_commands();
        has_unpublished_ = true;
    }
}

void DataPlane::run_commands() {
    auto command = server_.poll_command();
    if (!command) {
        return;
    }
    // Trains refer to sockets and flows that a command may end.
    sender_.flush();
    for (; command; command = server_.poll_command()) {
        std::visit([this](const auto& c) { execute(c); }, *command);
    }
}

void DataPlane::execute(const turn::SendMessage& command) {
    sockaddr_storage address{};
    const auto length = io::to_sockaddr(command.client, address);
    const auto& socket = listen_socket(command.client.family());
    if (::sendto(socket.get(), command.payload.data(), command.payload.size(), MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), length) < 0) {
        // The client will ask again.
        kLog.debug("Dropped response: cannot send", log::field("client", command.client),
                   log::field("error", std::string_view{std::strerror(errno)}));
    }
}

void DataPlane::execute(const turn::CreateAllocation& command) {
    auto socket = open_socket(command.family, command.port, kAllocationBuffer);
    if (!socket || !watch(socket->get(), {Kind::kAllocation, command.family, command.port})) {
        const int error = socket ? errno : socket.error();
        ++unusable_ports_;
        kLog.info("Cannot open the port of a new allocation, trying another", log::field("port", command.port),
                  log::field("error", std::string_view{std::strerror(error)}));
        server_.handle_allocation_failed(command.port, now_);
        return;
    }
    allocation_socket(command.family, command.port) = std::move(*socket);
}

void DataPlane::execute(const turn::FreeAllocation& command) {
    allocation_socket(command.family, command.port).reset();
}

void DataPlane::publish_if_due() {
    if (!has_unpublished_ || now_ < published_at_ + kPublishInterval) {
        return;
    }
    const std::lock_guard lock{snapshot_mutex_};
    snapshot_ = {server_.statistics(), sender_.counters(), server_.allocations(), server_.bound_channels(),
                 unusable_ports_};
    published_at_ = now_;
    has_unpublished_ = false;
}

DataPlane::Snapshot DataPlane::snapshot() const {
    const std::lock_guard lock{snapshot_mutex_};
    return snapshot_;
}

void DataPlane::log_activity_if_due() {
    if (now_ < activity_logged_at_ + kActivityInterval) {
        return;
    }
    const auto bytes = server_.statistics().bytes_relayed;
    const auto seconds = std::chrono::duration<double>(now_ - activity_logged_at_).count();
    const auto throughput = static_cast<double>(bytes - bytes_at_last_log_) / seconds;
    kLog.info("Activity", log::field("allocations", server_.allocations()),
              log::field("channels", server_.bound_channels()),
              log::field("throughput", format_throughput(throughput)));
    activity_logged_at_ = now_;
    bytes_at_last_log_ = bytes;
}

std::string format_throughput(double bytes_per_second) {
    constexpr std::array kUnits{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
    std::size_t unit = 0;
    while (bytes_per_second >= 1000 && unit + 1 < kUnits.size()) {
        bytes_per_second /= 1000;
        ++unit;
    }
    // Cut, not rounded, so that 999.999 kB/s does not become "1000.00 kB/s".
    return fmt::format("{:.2f} {}", static_cast<double>(static_cast<std::int64_t>(bytes_per_second * 100)) / 100,
                       kUnits[unit]);
}

}  // namespace culvert::relay
