#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/connectivity/node.h"
#include "culvert/net/transmit_queue.h"
#include "culvert/packet/coalescer.h"
#include "culvert/packet/tun_packet.h"
#include "culvert/portal_api/messages.h"
#include "culvert/turn/server/server.h"

namespace culvert::tunnel::test {

inline constexpr WallTime kWallStart{std::chrono::seconds{1'763'000'000}};
/// Tests that last for hours would only repeat the same checks of the sans-IO contract.
inline constexpr Instant kContractChecksEnd{std::chrono::minutes{3}};

/// The same on both sides as long as the keys of both sides are the same, as the portal's are.
[[nodiscard]] portal_api::IceCredentials credentials(const crypto::PublicKey& owner, const crypto::PublicKey& peer);

/// A device without any manners: puts into the tunnel whatever it is given.
struct RogueNode {
    net::IpAddress address;  ///< of its UDP socket
    net::IpAddress ipv4;     ///< what it has as addresses in the tunnel
    net::IpAddress ipv6;
    connectivity::Node node;
    std::vector<Bytes> received = {};
};

/// What the devices of a test share: virtual time, a network between their UDP sockets, and a relay in it.
class VirtualWire {
public:
    explicit VirtualWire(std::uint64_t relay_seed);
    virtual ~VirtualWire() = default;
    VirtualWire(const VirtualWire&) = delete;
    VirtualWire& operator=(const VirtualWire&) = delete;

    Instant now{};
    /// Datagrams that are lost on the way, by sender and receiver.
    std::function<bool(const net::SocketAddress&, const net::SocketAddress&)> is_lost;
    /// Sent so far by anybody but the relay.
    std::size_t datagrams = 0;
    /// Set by a congested router in every datagram, if not kNotEct.
    net::Ecn outer_ecn = net::Ecn::kNotEct;

    void run_for(Duration duration);
    [[nodiscard]] UnixSeconds wall_now() const;
    /// As the portal tells devices of them.
    [[nodiscard]] std::vector<portal_api::Relay> relays() const;

protected:
    static constexpr std::uint16_t kPort = 52625;
    static constexpr Duration kDelay = std::chrono::milliseconds{10};

    /// A datagram has reached a device's address.
    virtual void deliver(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                         Bytes& payload) = 0;
    /// Hands over what the devices have ready, without letting time pass.
    virtual void drain() = 0;
    /// When a device wants to be called; Instant::max() for never.
    [[nodiscard]] virtual Instant next_timeout() = 0;

    void later(std::function<void()> action) { in_flight_.emplace(now + kDelay, std::move(action)); }

    /// What is done with any device, client or gateway.
    template <typename Device>
    void send_from_host(Device& device, packet::TunPacket packet) {
        device.state.handle_tun_packet(packet, queue_, now);
    }
    template <typename Device>
    void send_from_host(Device& device, ByteSpan packet) {
        Bytes buffer(kHeadroom + packet.size());
        std::ranges::copy(packet, buffer.begin() + kHeadroom);
        send_from_host(device, packet::TunPacket{MutableByteSpan{buffer}.subspan(kHeadroom), {}});
    }
    template <typename Device>
    void receive(Device& device, const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                 Bytes& payload) {
        device.state.handle_datagram(to, from, ecn, payload, coalescer_, now);
        collect(device.received);
    }
    template <typename Device, typename Handler>
    void drain_device(Device& device, const Handler& handler) {
        flush_queue(device.address);
        const bool is_due = device.state.poll_timeout().value_or(now + kDelay) <= now;
        if (is_due) {
            device.state.handle_timeout(now, wall_now());
        }
        while (const auto out = device.state.poll_transmit()) {
            transmit(device.address, out->path, out->ecn, out->payload);
        }
        while (auto event = device.state.poll_event()) {
            std::visit(handler, *event);
        }
        if constexpr (requires { device.state.poll_tun_packet(); }) {
            while (auto packet = device.state.poll_tun_packet()) {
                device.received.push_back(std::move(*packet));
            }
        }
        while (auto drops = device.state.poll_drops()) {
            device.drops.push_back(std::move(*drops));
        }
        if (is_due && now < kContractChecksEnd) {
            contract::expect_spurious_timeout_is_invisible(device.state, now, wall_now());
        }
    }

    void receive(RogueNode& rogue, const net::SocketAddress& from, const net::SocketAddress& to, Bytes& payload);
    /// `tell` brings a new candidate to those whom the portal would tell of it.
    void drain_rogue(RogueNode& rogue, const std::function<void(const std::string&)>& tell);

private:
    static constexpr std::size_t kHeadroom = 64;  // as io leaves it in front of what it read

    void collect(std::vector<Bytes>& packets);
    void flush_queue(const net::IpAddress& from);
    void transmit(const net::IpAddress& from, const net::Path& path, net::Ecn ecn, ByteSpan payload);
    void arrive(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn, Bytes payload);
    void arrive_at_relay(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn, Bytes payload);
    void run_relay_commands();
    [[nodiscard]] Instant next_event(Instant end);

    std::string relay_secret_;
    turn::Server relay_;
    net::TransmitQueue queue_;
    packet::Coalescer coalescer_;
    std::multimap<Instant, std::function<void()>> in_flight_;
};

}  // namespace culvert::tunnel::test
