#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "culvert/base/time.h"
#include "culvert/io/io_error.h"
#include "culvert/io/kernel.h"
#include "culvert/io/loop.h"
#include "culvert/io/tun_device.h"
#include "culvert/io/udp_socket.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/packet/coalescer.h"

namespace culvert::io {

/// What a shard drives: a sans-IO state machine and its command mailbox. All calls come from the shard's thread.
class ShardHandler {
public:
    virtual ~ShardHandler() = default;

    /// A packet or super-packet from the TUN device; datagrams it becomes go straight into `out`.
    virtual void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) = 0;

    /// A datagram from the network; packets that come out of it go into `tun` (whose memory is that of `datagram`).
    virtual void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                                 MutableByteSpan datagram, packet::Coalescer& tun, Instant now) = 0;

    virtual void handle_timeout(Instant now) = 0;
    [[nodiscard]] virtual std::optional<Instant> poll_timeout() = 0;
    [[nodiscard]] virtual std::optional<net::Transmit> poll_transmit() = 0;
    /// A packet for the TUN device that came out of no datagram.
    [[nodiscard]] virtual std::optional<Bytes> poll_tun_packet() { return std::nullopt; }

    /// Takes what the control thread asked for. False if there was nothing.
    virtual bool handle_commands(Instant now) = 0;
    /// Readable while commands wait.
    [[nodiscard]] virtual int commands_fd() const = 0;
    /// Hands events that the state machine produced to the control thread.
    virtual void forward_events(Instant now) = 0;
    /// True once the state machine has said goodbye: the shard flushes and ends.
    [[nodiscard]] virtual bool is_finished() const = 0;
};

/// Counters of one shard, written by its thread only; read from anywhere.
struct ShardCounters {
    std::atomic<std::uint64_t> udp_datagrams_received{0};
    std::atomic<std::uint64_t> udp_bytes_received{0};
    std::atomic<std::uint64_t> udp_datagrams_sent{0};
    std::atomic<std::uint64_t> udp_bytes_sent{0};
    std::atomic<std::uint64_t> udp_sends{0};
    std::atomic<std::uint64_t> tun_reads{0};
    std::atomic<std::uint64_t> tun_bytes_read{0};
    std::atomic<std::uint64_t> tun_writes{0};
    // What got lost. With the handler's own counters this accounts for everything that came in or was to go out.
    std::atomic<std::uint64_t> udp_datagrams_unusable{0};  ///< received: too long, empty, from port 0
    std::atomic<std::uint64_t> udp_datagrams_refused{0};   ///< to be sent: no socket, no room, or the kernel's refusal
    std::atomic<std::uint64_t> tun_packets_unusable{0};
    std::atomic<std::uint64_t> tun_packets_refused{0};
};

/// One run-to-completion loop: reads batches from the UDP sockets and the TUN device, hands them to the handler, writes
/// the results. No locks and no queue hop between TUN and UDP. Source: spec/io-and-performance.md section 13.
///
/// Back-pressure: while a UDP socket does not take data, the TUN device is not read.
class Shard {
public:
    struct Options {
        std::uint16_t preferred_port = kPreferredPort;
        std::uint32_t socket_mark = kSocketMark;
        std::size_t receive_buffer = kReceiveBufferSize;
        std::size_t send_buffer = kSendBufferSize;
        bool use_gso = true;
        bool use_gro = true;
    };

    Shard(const Options& options, TunDevice tun, ShardHandler& handler, Kernel& kernel = linux_kernel());

    /// Opens the UDP sockets: the preferred port, else any. One family may be missing; both missing is an error for a
    /// person. Also used to rebind after the network changed; if that fails, turn() tries again every second.
    [[nodiscard]] std::expected<void, std::string> bind_sockets();

    /// Of the socket of that family; nullopt: there is none.
    [[nodiscard]] std::optional<std::uint16_t> port(net::Family family) const {
        const auto& socket = family == net::Family::kIpv4 ? v4_ : v6_;
        return socket ? std::optional{socket->port()} : std::nullopt;
    }

    /// Runs until the handler is finished; returns why if it had to give up.
    [[nodiscard]] std::expected<void, std::string> run();

    /// One turn of run(): takes a bounded amount from every source, lets timers go off and writes the results. Reads no
    /// clock and never blocks. The error says why the shard has to give up.
    [[nodiscard]] std::expected<Turn, std::string> turn(Instant now);

    /// What to wait for after an idle turn.
    [[nodiscard]] Wait wait() const;

    [[nodiscard]] const ShardCounters& counters() const { return counters_; }

private:
    /// Trains of one recvmmsg(): as many as should pass through the cache at once.
    static constexpr std::size_t kMessagesAtOnce = 8;

    bool receive_datagrams(Instant now);
    bool receive_datagrams(UdpSocket& socket, Instant now);
    bool read_tun(Instant now);
    void run_timers(Instant now);
    void drain_handler(Instant now);
    void drain_tun_packets();
    void flush_udp();
    void flush_tun();
    void retry_binding(Instant now);
    [[nodiscard]] Turn say_goodbye(Instant now);
    void drop_queued_datagrams();

    Options options_;
    Kernel& kernel_;
    TunDevice tun_;
    ShardHandler& handler_;
    std::optional<UdpSocket> v4_;
    std::optional<UdpSocket> v6_;
    ReceiveRing receive_ring_{kMessagesAtOnce};
    SendRing send_ring_;

    net::TransmitQueue to_udp_;
    packet::Coalescer to_tun_;
    ErrorBatch errors_;
    ShardCounters counters_;

    bool is_v4_blocked_ = false;
    bool is_v6_blocked_ = false;
    std::optional<Instant> deadline_;
    Instant timers_checked_at_{};
    /// While there is no socket at all.
    std::optional<Instant> next_binding_;
    /// Set once the handler is finished: until when its last datagrams may wait for a socket.
    std::optional<Instant> goodbye_limit_;
};

}  // namespace culvert::io
