#include "culvert/io/shard.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "culvert/io/clock.h"
#include "culvert/observability/log.h"

namespace culvert::io {
namespace {

using namespace std::chrono_literals;

constexpr log::Logger kLog{"io"};

/// Budgets per turn, so that both directions and the timers progress at least every millisecond or so.
constexpr int kTunReadsPerTurn = 64;
constexpr std::size_t kTunBytesPerTurn = 256 * 1024;
/// Under load, deadlines are recomputed this often at the most; before sleeping always.
constexpr Duration kTimerResolution = 1ms;
/// A state machine may ask to be called again at once several times (ICE pacing is zero), but not for ever.
constexpr int kTimeoutsPerTurn = 1000;
constexpr Duration kShutdownFlush = 1s;
/// Larger datagrams are none of ours: inner packet 1280, WireGuard 32, ChannelData 4.
constexpr std::size_t kMaxDatagram = 1316;

void add(std::atomic<std::uint64_t>& counter, std::uint64_t value) {
    // One writer: a plain add without a locked instruction.
    counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

std::expected<UdpSocket, std::error_code> open_socket(const Shard::Options& options, net::Family family) {
    UdpSocket::Options socket_options{.bind = {net::IpAddress::unspecified(family), options.preferred_port},
                                      .mark = options.socket_mark,
                                      .receive_buffer = options.receive_buffer,
                                      .send_buffer = options.send_buffer,
                                      .use_gso = options.use_gso,
                                      .use_gro = options.use_gro};
    auto socket = UdpSocket::open(socket_options);
    if (!socket && socket.error() == std::errc::address_in_use) {
        kLog.info("The preferred UDP port is taken; using another", log::field("port", options.preferred_port));
        socket_options.bind.port = 0;
        socket = UdpSocket::open(socket_options);
    }
    return socket;
}

}  // namespace

Shard::Shard(const Options& options, TunDevice tun, ShardHandler& handler)
    : options_{options}, tun_{std::move(tun)}, handler_{handler} {
    tun_.configure(to_tun_);
}

std::expected<void, std::string> Shard::bind_sockets() {
    // Closed first, so that the preferred port is free again.
    v4_.reset();
    v6_.reset();
    to_udp_.clear();
    is_v4_blocked_ = is_v6_blocked_ = false;

    auto v4 = open_socket(options_, net::Family::kIpv4);
    auto v6 = open_socket(options_, net::Family::kIpv6);
    if (!v4 && !v6) {
        return std::unexpected{"no available UDP sockets: IPv4: " + v4.error().message() +
                               ", IPv6: " + v6.error().message() + "."};
    }
    if (v4) {
        v4_ = std::move(*v4);
    } else {
        kLog.info("No IPv4 socket", log::field("error", v4.error().message()));
    }
    if (v6) {
        v6_ = std::move(*v6);
    } else {
        kLog.info("No IPv6 socket", log::field("error", v6.error().message()));
    }
    return {};
}

std::expected<void, std::string> Shard::run() {
    for (;;) {
        const auto now = monotonic_now();
        bool is_busy = false;
        if (v4_) {
            is_busy |= receive_datagrams(*v4_, now);
        }
        if (v6_) {
            is_busy |= receive_datagrams(*v6_, now);
        }
        is_busy |= handler_.handle_commands(now);
        drain_handler(now);  // control datagrams leave before data
        is_busy |= read_tun(now);
        if (tun_.is_gone()) {
            errors_.report();
            return std::unexpected{"the TUN device \"" + tun_.name() + "\" was removed."};
        }

        if (!is_busy || now - timers_checked_at_ >= kTimerResolution) {
            run_timers(now);
        }
        drain_handler(now);
        flush_udp();
        flush_tun();
        errors_.report();

        if (handler_.is_finished()) {
            flush_for_shutdown();
            return {};
        }
        if (!is_busy) {
            sleep_until(deadline_);
        }
    }
}

bool Shard::receive_datagrams(UdpSocket& socket, Instant now) {
    const auto received = socket.receive(errors_);
    for (auto& message : received) {
        add(counters_.udp_bytes_received, message.bytes.size());
        add(counters_.udp_datagrams_received, (message.bytes.size() + message.stride - 1) / message.stride);
        for (std::size_t offset = 0; offset < message.bytes.size(); offset += message.stride) {
            const auto length = std::min(message.stride, message.bytes.size() - offset);
            if (length <= kMaxDatagram) {
                handler_.handle_datagram(message.local, message.from, message.ecn,
                                         message.bytes.subspan(offset, length), to_tun_, now);
            }
        }
    }
    // The packets point into the socket's buffers: out with them before the next receive.
    flush_tun();
    return !received.empty();
}

bool Shard::read_tun(Instant now) {
    int reads = 0;
    std::size_t bytes = 0;
    bool has_read = false;
    while (reads < kTunReadsPerTurn && bytes < kTunBytesPerTurn && !to_udp_.is_full() && !is_v4_blocked_ &&
           !is_v6_blocked_) {
        ++reads;
        const auto packet = tun_.read(errors_);
        if (!packet) {
            if (tun_.should_retry()) {
                continue;
            }
            break;
        }
        has_read = true;
        bytes += packet->bytes.size();
        add(counters_.tun_reads, 1);
        handler_.handle_tun_packet(*packet, to_udp_, now);
    }
    add(counters_.tun_bytes_read, bytes);
    return has_read;
}

void Shard::run_timers(Instant now) {
    timers_checked_at_ = now;
    deadline_ = handler_.poll_timeout();
    for (int i = 0; i < kTimeoutsPerTurn && deadline_ && *deadline_ <= now; ++i) {
        handler_.handle_timeout(now);
        deadline_ = handler_.poll_timeout();
    }
}

void Shard::drain_handler(Instant now) {
    handler_.forward_events(now);
    while (auto transmit = handler_.poll_transmit()) {
        if (!to_udp_.push(*transmit)) {
            flush_udp();
            if (!to_udp_.push(*transmit)) {
                errors_.add({Operation::kUdpSend, ENOBUFS});
            }
        }
    }
}

void Shard::flush_udp() {
    is_v4_blocked_ = is_v6_blocked_ = false;
    while (!to_udp_.empty()) {
        const auto front = to_udp_.batch(0);
        const bool is_v4 = front.path.destination.is_v4();
        auto& socket = is_v4 ? v4_ : v6_;
        if (!socket) {
            errors_.add({Operation::kUdpSend, ENETUNREACH});
            to_udp_.pop_front(1);
            continue;
        }
        const auto before = socket->sent();
        const auto result = socket->send(to_udp_, errors_);
        const auto& after = socket->sent();
        add(counters_.udp_sends, after.calls - before.calls);
        add(counters_.udp_datagrams_sent, after.datagrams - before.datagrams);
        add(counters_.udp_bytes_sent, after.bytes - before.bytes);
        if (result == UdpSocket::SendResult::kWouldBlock) {
            (is_v4 ? is_v4_blocked_ : is_v6_blocked_) = true;
            return;
        }
    }
}

void Shard::flush_tun() {
    if (!to_tun_.empty()) {
        add(counters_.tun_writes, to_tun_.size());
        tun_.write(to_tun_, errors_);
    }
}

void Shard::sleep_until(std::optional<Instant> deadline) {
    std::array<pollfd, 4> polled{};
    nfds_t count = 0;
    const auto add_fd = [&](int fd, short events) { polled.at(count++) = {fd, events, 0}; };
    const bool is_blocked = is_v4_blocked_ || is_v6_blocked_;
    if (!is_blocked) {
        add_fd(tun_.fd(), POLLIN);
    }
    if (v4_) {
        add_fd(v4_->fd(), static_cast<short>(POLLIN | (is_v4_blocked_ ? POLLOUT : 0)));
    }
    if (v6_) {
        add_fd(v6_->fd(), static_cast<short>(POLLIN | (is_v6_blocked_ ? POLLOUT : 0)));
    }
    add_fd(handler_.commands_fd(), POLLIN);

    timespec timeout{};
    const timespec* limit = nullptr;
    if (deadline) {
        const auto left = std::max(*deadline - monotonic_now(), Duration::zero());
        timeout.tv_sec = static_cast<std::time_t>(left / 1s);
        timeout.tv_nsec = static_cast<long>((left % 1s).count());
        limit = &timeout;
    }
    // An interrupted or failed wait only means an early next turn.
    static_cast<void>(::ppoll(polled.data(), count, limit, nullptr));
}

void Shard::flush_for_shutdown() {
    const auto give_up = monotonic_now() + kShutdownFlush;
    drain_handler(monotonic_now());
    flush_udp();
    while (!to_udp_.empty() && monotonic_now() < give_up) {
        sleep_until(give_up);
        flush_udp();
    }
    errors_.report();
}

}  // namespace culvert::io
