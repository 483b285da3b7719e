#include "culvert/io/shard.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "culvert/base/deadlines.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log.h"
#include "culvert/packet/constants.h"

namespace culvert::io {
namespace {

constexpr log::Logger kLog{"io"};

void add(std::atomic<std::uint64_t>& counter, std::uint64_t value) {
    // One writer: a plain add without a locked instruction.
    counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

std::expected<UdpSocket, std::error_code> open_socket(const Shard::Options& options, net::Family family,
                                                      Kernel& kernel) {
    UdpSocket::Options socket_options{.bind = {net::IpAddress::unspecified(family), options.preferred_port},
                                      .mark = options.socket_mark,
                                      .receive_buffer = options.receive_buffer,
                                      .send_buffer = options.send_buffer,
                                      .use_gso = options.use_gso,
                                      .use_gro = options.use_gro};
    auto socket = UdpSocket::open(socket_options, kernel);
    if (!socket && socket.error() == std::errc::address_in_use) {
        kLog.info("The preferred UDP port is taken; using another", log::field("port", options.preferred_port));
        socket_options.bind.port = 0;
        socket = UdpSocket::open(socket_options, kernel);
    }
    return socket;
}

}  // namespace

Shard::Shard(const Options& options, TunDevice tun, ShardHandler& handler, Kernel& kernel)
    : options_{options}, kernel_{kernel}, tun_{std::move(tun)}, handler_{handler} {
    tun_.configure(to_tun_);
}

std::expected<void, std::string> Shard::bind_sockets() {
    drop_queued_datagrams();
    // Closed first, so that the preferred port is free again.
    v4_.reset();
    v6_.reset();
    is_v4_blocked_ = is_v6_blocked_ = false;

    auto v4 = open_socket(options_, net::Family::kIpv4, kernel_);
    auto v6 = open_socket(options_, net::Family::kIpv6, kernel_);
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
        const auto state = turn(monotonic_now());
        if (!state) {
            return std::unexpected{state.error()};
        }
        if (*state == Turn::kFinished) {
            return {};
        }
        if (*state == Turn::kIdle) {
            sleep(wait());
        }
    }
}

std::expected<Turn, std::string> Shard::turn(Instant now) {
    if (goodbye_limit_) {
        return say_goodbye(now);
    }
    retry_binding(now);
    bool is_busy = receive_datagrams(now);
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
        goodbye_limit_ = now + kShutdownFlush;
        return say_goodbye(now);
    }
    return is_busy ? Turn::kBusy : Turn::kIdle;
}

Wait Shard::wait() const {
    Wait wait;
    // What is not going to be read must not end the wait, or it would end at once, again and again.
    const int input = goodbye_limit_ ? 0 : POLLIN;
    if (!is_v4_blocked_ && !is_v6_blocked_ && input != 0) {
        wait.add(tun_.fd(), POLLIN);
    }
    if (v4_) {
        wait.add(v4_->fd(), input | (is_v4_blocked_ ? POLLOUT : 0));
    }
    if (v6_) {
        wait.add(v6_->fd(), input | (is_v6_blocked_ ? POLLOUT : 0));
    }
    if (input != 0) {
        wait.add(handler_.commands_fd(), POLLIN);
    }
    wait.deadline = goodbye_limit_ ? goodbye_limit_ : earliest(deadline_, next_binding_);
    return wait;
}

void Shard::retry_binding(Instant now) {
    if (v4_ || v6_) {
        next_binding_.reset();
        return;
    }
    if (next_binding_ && now >= *next_binding_ && bind_sockets()) {
        kLog.info("The UDP sockets are back");
        next_binding_.reset();
    } else if (!next_binding_ || now >= *next_binding_) {
        next_binding_ = now + kBindingInterval;
    }
}

bool Shard::receive_datagrams(Instant now) {
    bool has_received = false;
    for (auto* socket : {&v4_, &v6_}) {
        if (*socket) {
            has_received |= receive_datagrams(**socket, now);
        }
    }
    return has_received;
}

bool Shard::receive_datagrams(UdpSocket& socket, Instant now) {
    const auto unusable_before = socket.dropped().unusable;
    const auto received = socket.receive(receive_ring_, errors_);
    auto unusable = socket.dropped().unusable - unusable_before;
    for (auto& message : received) {
        add(counters_.udp_bytes_received, message.bytes.size());
        add(counters_.udp_datagrams_received, message.datagrams());
        for (std::size_t offset = 0; offset < message.bytes.size(); offset += message.stride) {
            const auto length = std::min(message.stride, message.bytes.size() - offset);
            if (length <= packet::kMaxTunnelDatagram) {
                handler_.handle_datagram({*message.local, socket.port()}, message.from, message.ecn,
                                         message.bytes.subspan(offset, length), to_tun_, now);
            } else {
                ++unusable;
            }
        }
    }
    add(counters_.udp_datagrams_unusable, unusable);
    // The packets point into the ring: out with them before the next receive.
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
    counters_.tun_packets_unusable.store(tun_.dropped().unusable, std::memory_order_relaxed);
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
    drain_tun_packets();
    while (auto transmit = handler_.poll_transmit()) {
        if (!to_udp_.push(*transmit)) {
            flush_udp();
            if (!to_udp_.push(*transmit)) {
                errors_.add({Operation::kUdpSend, ENOBUFS});
                add(counters_.udp_datagrams_refused, 1);
            }
        }
    }
}

void Shard::drain_tun_packets() {
    while (const auto packet = handler_.poll_tun_packet()) {
        if (!to_tun_.push_copy(*packet)) {
            flush_tun();
            static_cast<void>(to_tun_.push_copy(*packet));
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
            add(counters_.udp_datagrams_refused, front.segments);
            to_udp_.pop_front(1);
            continue;
        }
        const auto before = socket->sent();
        const auto refused_before = socket->dropped().refused;
        const auto result = socket->send(to_udp_, send_ring_, errors_);
        const auto& after = socket->sent();
        add(counters_.udp_sends, after.calls - before.calls);
        add(counters_.udp_datagrams_sent, after.datagrams - before.datagrams);
        add(counters_.udp_bytes_sent, after.bytes - before.bytes);
        add(counters_.udp_datagrams_refused, socket->dropped().refused - refused_before);
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
        counters_.tun_packets_refused.store(tun_.dropped().refused, std::memory_order_relaxed);
    }
}

Turn Shard::say_goodbye(Instant now) {
    drain_handler(now);
    flush_udp();
    errors_.report();
    if (!to_udp_.empty() && now < *goodbye_limit_) {
        return Turn::kIdle;
    }
    drop_queued_datagrams();
    return Turn::kFinished;
}

void Shard::drop_queued_datagrams() {
    // Part of the first batch may have left already; the rest would go on where it stopped.
    std::size_t sent_of_front = (v4_ ? v4_->sent_of_front() : 0) + (v6_ ? v6_->sent_of_front() : 0);
    for (std::size_t i = 0; i < to_udp_.size(); ++i) {
        const auto batch = to_udp_.batch(i);
        add(counters_.udp_datagrams_refused, batch.segments - std::exchange(sent_of_front, 0));
    }
    to_udp_.clear();
}

}  // namespace culvert::io
