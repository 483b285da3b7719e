// Everything a WireGuard datagram meets on its way in: classification, finding the initiator, and a tunnel in each
// stage of its life. The input is a script: send genuine packets, mutate them, inject raw bytes, let time pass. Checks
// that nothing but genuine packets is ever delivered, each at most once, and that a live session survives all of it.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <vector>

#include "culvert/net/ip_address.h"
#include "culvert/wireguard/handshake_limiter.h"
#include "culvert/wireguard/tunnel.h"
#include "input.h"

namespace {

using namespace culvert;
using namespace culvert::wireguard;
using namespace std::chrono_literals;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

constexpr Instant kStart{1000s};
const net::IpAddress kAddress{std::array<std::uint8_t, 4>{192, 0, 2, 1}};

struct Side {
    Side(const crypto::KeyPair& keys, const crypto::PublicKey& other, std::uint32_t id24)
        : local{keys},
          limiter{keys.public_key(), Rng::from_number(id24), kStart},
          tunnel{keys, other, {}, id24, Rng::from_number(id24 + 1), kStart, WallTime{1h}} {}

    crypto::KeyPair local;
    HandshakeLimiter limiter;
    Tunnel tunnel;
    std::set<Bytes> expected;  // packets sent to this side and not delivered yet
};

class World {
public:
    World() : World{Rng::from_number(1)} {}

    void step(fuzz::Input& input) {
        const auto operation = input.u8();
        auto& from = (operation & 0x80U) != 0 ? a_ : b_;
        auto& to = &from == &a_ ? b_ : a_;
        switch (operation & 0x07U) {
            case 0:
                send_packet(from, to, input.u16());
                break;
            case 1:
                drain(from, to, true);
                break;
            case 2:
                drain(from, to, false);
                break;
            case 3:
                replay(to, input);
                break;
            case 4:
                receive(to, input.take(input.u16()));
                break;
            case 5:
                pass_time(std::chrono::milliseconds{input.u16()});
                break;
            case 6:
                from.tunnel.initiate_handshake(now_);
                break;
            default:
                from.limiter.clear_window(now_);
                break;
        }
    }

    /// Whatever happened: over a network that loses nothing, tunnels that have not given up find each other again.
    void finish() {
        Bytes last;
        for (int round = 0; round < 10; ++round) {
            pass_time(2500ms);
            a_.limiter.clear_window(now_);
            b_.limiter.clear_window(now_);
            last = send_packet(a_, b_, 100);
            for (int n = 0; n < 3; ++n) {
                drain(a_, b_, true);
                drain(b_, a_, true);
            }
        }
        require(!b_.expected.contains(last) || a_.tunnel.is_expired() || b_.tunnel.is_expired());
    }

private:
    explicit World(Rng rng) : World{crypto::KeyPair::generate(rng), crypto::KeyPair::generate(rng)} {}
    World(const crypto::KeyPair& a, const crypto::KeyPair& b) : a_{a, b.public_key(), 1}, b_{b, a.public_key(), 2} {}

    Bytes send_packet(Side& from, Side& to, std::size_t size) {
        Bytes packet(24 + size % 1257);
        packet[0] = std::byte{0x45};
        store_be(MutableByteSpan{packet}.subspan(2), static_cast<std::uint16_t>(packet.size()));
        store_be(MutableByteSpan{packet}.subspan(20), ++last_packet_);
        Bytes datagram(packet.size() + kDataOverhead);
        to.expected.insert(packet);
        if (from.tunnel.seal(packet, datagram, now_)) {
            deliver(to, datagram);
        } else {
            require(!from.tunnel.has_usable_session(now_));
            from.tunnel.queue(packet, now_);
        }
        return packet;
    }

    void drain(Side& from, Side& to, bool arrive) {
        while (const auto datagram = from.tunnel.poll_transmit()) {
            if (arrive) {
                deliver(to, *datagram);
            } else {
                remember(*datagram);
            }
        }
    }

    void deliver(Side& to, const Bytes& datagram) {
        remember(datagram);
        receive(to, datagram);
    }

    void remember(const Bytes& datagram) {
        if (history_.size() < 256) {
            history_.push_back(datagram);
        }
    }

    /// An earlier datagram, perhaps changed.
    void replay(Side& to, fuzz::Input& input) {
        if (history_.empty()) {
            return;
        }
        auto datagram = history_[input.u8() % history_.size()];
        for (auto changes = input.u8() % 4U; changes > 0; --changes) {
            datagram[input.u16() % datagram.size()] ^= static_cast<std::byte>(input.u8());
        }
        if (const auto size = input.u8(); size != 0) {
            datagram.resize(size < 128 ? std::min<std::size_t>(datagram.size(), size) : datagram.size() + size);
            datagram.shrink_to_fit();
        }
        receive(to, std::move(datagram));
    }

    void receive(Side& to, Bytes datagram) {
        const auto kind = classify(datagram);
        if (const auto admitted = to.limiter.admit(datagram, kAddress, now_); !admitted) {
            if (const auto& reply = admitted.error().cookie_reply) {
                deliver(&to == &a_ ? b_ : a_, *reply);
            }
            return;
        }
        if (kind == PacketKind::kInitiation) {
            (void)open_initiation(to.local, datagram);
        } else if (kind) {
            (void)receiver_index(datagram);
        }
        const auto inner = to.tunnel.handle_packet(datagram, now_);
        if (inner && *inner) {
            require(to.expected.erase(to_bytes(**inner)) == 1);
        }
    }

    void pass_time(Duration time) {
        now_ += time;
        for (auto* side : {&a_, &b_}) {
            side->tunnel.handle_timeout(now_);
            const auto next = side->tunnel.poll_timeout();
            require(side->tunnel.is_expired() ? !next : next && *next > now_);
        }
    }

    Side a_;
    Side b_;
    Instant now_ = kStart;
    std::uint32_t last_packet_ = 0;
    std::vector<Bytes> history_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    fuzz::Input input{data, size};
    for (int steps = 0; steps < 200 && !input.empty(); ++steps) {
        world.step(input);
    }
    world.finish();
    return 0;
}
