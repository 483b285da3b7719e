#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/net/ip_address.h"
#include "culvert/wireguard/handshake_limiter.h"
#include "culvert/wireguard/tunnel.h"

/// Two tunnels that talk to each other under virtual time. For tests only.
namespace culvert::wireguard::testing_support {

using namespace std::chrono_literals;

inline constexpr Instant kStart{1'000'000s};
inline constexpr WallTime kWallStart{std::chrono::seconds{1'700'000'000}};

/// An IPv4 packet of `size` bytes (at least 20) whose payload is filled from `seed`.
inline Bytes make_ip_packet(std::size_t size = 100, std::uint64_t seed = 1) {
    Bytes packet(size);
    packet[0] = std::byte{0x45};
    store_be(MutableByteSpan{packet}.subspan(2), static_cast<std::uint16_t>(size));
    auto rng = Rng::from_number(seed);
    rng.fill(MutableByteSpan{packet}.subspan(20));
    return packet;
}

struct Peer {
    Peer(const crypto::KeyPair& keys, const crypto::PublicKey& other_key, const crypto::PresharedKey& preshared_key,
         std::uint32_t id24, Rng rng, net::IpAddress its_address)
        : key_pair{keys},
          other{other_key},
          preshared{preshared_key},
          limiter{keys.public_key(), rng.fork(), kStart},
          tunnel{keys, other, preshared, id24, rng.fork(), kStart, kWallStart},
          address{its_address} {}

    /// Starts again with a new tunnel, as the owner of an expired one does.
    void start_again(std::uint32_t id24, Rng rng, Instant now) {
        const auto wall_now = kWallStart + std::chrono::floor<std::chrono::milliseconds>(now - kStart);
        tunnel = Tunnel{key_pair, other, preshared, id24, rng, now, wall_now};
    }

    crypto::KeyPair key_pair;
    crypto::PublicKey other;
    crypto::PresharedKey preshared;
    HandshakeLimiter limiter;
    Tunnel tunnel;
    net::IpAddress address;
    /// IP packets that came out of the tunnel.
    std::vector<Bytes> received;
    std::vector<Error> errors;
};

struct Sent {
    Duration at;  // since kStart
    const Peer* from;
    PacketKind kind;
    std::size_t size;
};

class TunnelPair {
public:
    explicit TunnelPair(std::uint64_t seed = 1) : TunnelPair{Rng::from_number(seed)} {}

    Peer i;
    Peer r;
    Instant now = kStart;
    /// Everything that left either tunnel.
    std::vector<Sent> sent;
    /// Whether a datagram that left is lost.
    std::function<bool(const Peer& from, PacketKind)> loses = [](const Peer&, PacketKind) { return false; };

    /// Moves datagrams until both tunnels are quiet.
    void exchange() {
        bool quiet = false;
        while (!quiet) {
            quiet = !move_one(i, r) && !move_one(r, i);
        }
    }

    /// Lets time pass in steps of 1 ms or more, as poll_timeout() asks, and moves what comes out. Checks that nothing
    /// happens before poll_timeout().
    void run_until(Duration since_start) {
        const auto end = kStart + since_start;
        exchange();
        while (now < end) {
            now = std::min(end, now + 10ms);
            tick(i);
            tick(r);
            exchange();
            contract::expect_spurious_timeout_is_invisible(i.tunnel, now);
            contract::expect_spurious_timeout_is_invisible(r.tunnel, now);
        }
    }

    /// Moves the clock without telling anybody.
    void jump_to(Duration since_start) { now = kStart + since_start; }

    void tick(Peer& peer) {
        const auto deadline = peer.tunnel.poll_timeout();
        const auto sent_before = sent.size();
        peer.tunnel.handle_timeout(now);
        if (!deadline || now < *deadline) {
            EXPECT_FALSE(drain_would_send(peer)) << "sent before its deadline";
        } else if (const auto next = peer.tunnel.poll_timeout()) {
            EXPECT_GT(*next, now) << "deadline did not move";
        }
        EXPECT_EQ(sent.size(), sent_before);
    }

    /// I initiates, R answers, I confirms.
    void establish() {
        i.tunnel.initiate_handshake(now);
        exchange();
    }

    /// Sends an IP packet through the fast path, or queues it.
    void send(Peer& from, const Bytes& packet = make_ip_packet()) {
        Bytes datagram(packet.size() + kDataOverhead);
        if (from.tunnel.seal(packet, datagram, now)) {
            deliver(from, other(from), std::move(datagram));
        } else {
            from.tunnel.queue(packet, now);
        }
        exchange();
    }

    [[nodiscard]] std::vector<Duration> times(const Peer& from, PacketKind kind,
                                              Duration after = Duration::min()) const {
        std::vector<Duration> result;
        for (const auto& entry : sent) {
            if (entry.from == &from && entry.kind == kind && entry.at >= after) {
                result.push_back(entry.at);
            }
        }
        return result;
    }
    [[nodiscard]] std::size_t count(const Peer& from, PacketKind kind, Duration after = Duration::min()) const {
        return times(from, kind, after).size();
    }
    [[nodiscard]] Duration since_start() const { return now - kStart; }

    [[nodiscard]] Peer& other(const Peer& peer) { return &peer == &i ? r : i; }

    void deliver(Peer& from, Peer& to, Bytes datagram) {
        const auto kind = classify(datagram).value();
        sent.push_back({now - kStart, &from, kind, datagram.size()});
        if (!loses(from, kind)) {
            receive(to, from.address, std::move(datagram));
        }
    }

    void receive(Peer& to, const net::IpAddress& from, Bytes datagram) {
        if (const auto admitted = to.limiter.admit(datagram, from, now); !admitted) {
            to.errors.push_back(admitted.error().error);
            if (const auto& reply = admitted.error().cookie_reply) {
                deliver(to, other(to), *reply);
            }
            return;
        }
        const auto result = to.tunnel.handle_packet(datagram, now);
        if (!result) {
            to.errors.push_back(result.error());
        } else if (*result) {
            to.received.push_back(to_bytes(**result));
        }
    }

private:
    explicit TunnelPair(Rng rng)
        : TunnelPair{crypto::KeyPair::generate(rng), crypto::KeyPair::generate(rng),
                     crypto::PresharedKey{rng.array<32>()}, rng} {}
    TunnelPair(const crypto::KeyPair& i_keys, const crypto::KeyPair& r_keys, const crypto::PresharedKey& preshared,
               Rng rng)
        : i{i_keys,   r_keys.public_key(), preshared,
            0x111111, rng.fork(),          net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, 1}}},
          r{r_keys,   i_keys.public_key(), preshared,
            0x222222, rng.fork(),          net::IpAddress{std::array<std::uint8_t, 4>{192, 0, 2, 2}}} {}

    bool move_one(Peer& from, Peer& to) {
        auto datagram = take(from);
        if (!datagram) {
            return false;
        }
        deliver(from, to, std::move(*datagram));
        return true;
    }

    std::optional<Bytes> take(Peer& from) {
        if (auto& kept = &from == &i ? kept_from_i_ : kept_from_r_) {
            return std::exchange(kept, std::nullopt);
        }
        return from.tunnel.poll_transmit();
    }

    bool drain_would_send(Peer& peer) {
        auto& kept = &peer == &i ? kept_from_i_ : kept_from_r_;
        if (!kept) {
            kept = peer.tunnel.poll_transmit();
        }
        return kept.has_value();
    }

    std::optional<Bytes> kept_from_i_;
    std::optional<Bytes> kept_from_r_;
};

}  // namespace culvert::wireguard::testing_support
