#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "culvert/io/shard.h"

namespace culvert::model {

/// A numbered packet of a flow, as it travels inside the test's datagrams and through its TUN.
struct Numbered {
    std::uint16_t flow = 1;
    std::uint64_t number = 0;

    friend bool operator==(const Numbered&, const Numbered&) = default;
};

/// An IP packet of at least 37 bytes. Flows with odd numbers belong to IPv4, others to IPv6 (`peer_of`).
[[nodiscard]] Bytes make_packet(const Numbered& content, std::size_t payload = 100);
/// nullopt for bytes that make_packet() did not make.
[[nodiscard]] std::optional<Numbered> read_packet(ByteSpan packet);
/// Where the packets of a flow are sent to and come from.
[[nodiscard]] net::SocketAddress peer_of(std::uint16_t flow);
/// The host's address that a flow's datagrams arrive at.
[[nodiscard]] net::SocketAddress local_of(std::uint16_t flow);

/// The simplest thing an event loop can drive: packets become datagrams, datagrams packets, all counted and numbered.
class TestPath final : public io::ShardHandler {
public:
    void handle_tun_packet(packet::TunPacket packet, net::TransmitQueue& out, Instant now) override;
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn ecn,
                         MutableByteSpan datagram, packet::Coalescer& tun, Instant now) override;
    void handle_timeout(Instant now) override;
    std::optional<Instant> poll_timeout() override { return timer_; }
    std::optional<net::Transmit> poll_transmit() override;
    bool handle_commands(Instant now) override;
    int commands_fd() const override { return -1; }
    void forward_events(Instant) override {}
    bool is_finished() const override { return is_finished_; }

    // --- What the test does ---

    /// A timer that goes off this often from now on.
    void start_timer(Duration period, Instant now);
    void post_command(Instant now) { commands_.push_back(now); }
    /// Called when the next command is handled.
    std::function<void()> on_command;
    void send(net::Transmit transmit) { control_.push_back(std::move(transmit)); }
    void finish() { is_finished_ = true; }

    // --- What the loop did ---

    std::vector<Numbered> from_tun;
    std::vector<Numbered> from_network;
    std::uint64_t datagrams = 0;
    /// For want of room in what the loop handed out: its fault.
    std::uint64_t without_room = 0;
    std::uint64_t timeouts = 0;
    Duration latest_timeout{};
    std::uint64_t commands = 0;
    Duration latest_command{};
    Instant last_now{};

private:
    void see(Instant now);

    std::optional<Instant> timer_;
    Duration period_{};
    std::deque<Instant> commands_;
    std::deque<net::Transmit> control_;
    bool is_finished_ = false;
};

}  // namespace culvert::model
