// What one thread spends on handshakes, of peers and of those who flood: bench/handshake_bench [SECONDS].

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "culvert/crypto/keys.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/handshake_limiter.h"
#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/message.h"
#include "culvert/wireguard/tunnel.h"

namespace culvert::wireguard {
namespace {

using Clock = std::chrono::steady_clock;

double g_seconds = 1;

/// Calls `step` for a while and prints how often per second.
template <typename Step>
void measure(std::string_view name, const Step& step) {
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration<double>(g_seconds);
    std::size_t count = 0;
    auto now = start;
    while (now < end) {
        for (int i = 0; i < 16; ++i) {
            step();
            ++count;
        }
        now = Clock::now();
    }
    const auto each = std::chrono::duration<double, std::micro>(now - start).count() / static_cast<double>(count);
    std::printf("%-62.*s %10.0f /s %8.2f us\n", static_cast<int>(name.size()), name.data(), 1e6 / each, each);
}

class Bench {
public:
    void run() {
        // Made beforehand, as a flooder would: the peer's work is not ours.
        std::vector<Bytes> initiations;
        for (int i = 0; i < 20'000; ++i) {
            now_ += kInitiationInterval;
            initiations.push_back(initiation());
        }
        const auto answer_all = [&](bool reads_twice) {
            Tunnel tunnel{gateway_, client_.public_key(), {}, 2, rng_.fork(), now_, wall_now()};
            std::size_t next = 0;
            auto now = now_;
            return [&, tunnel = std::move(tunnel), next, now, reads_twice]() mutable {
                if (next == initiations.size()) {
                    next = 0;
                    tunnel = Tunnel{gateway_, client_.public_key(), {}, 2, rng_.fork(), now, wall_now()};
                }
                now += kInitiationInterval;
                const auto opened = open_initiation(gateway_, initiations[next]);
                if (reads_twice) {
                    answered_ += tunnel.handle_packet(initiations[next], now) ? 1U : 0U;
                } else {
                    answered_ += tunnel.handle_initiation(*opened, now) ? 1U : 0U;
                }
                ++next;
                while (tunnel.poll_transmit()) {
                }
            };
        };
        auto once = answer_all(false);
        auto twice = answer_all(true);
        measure("answers to a peer's initiations, read once", [&] { once(); });
        measure("the same, read for the look-up and again by the tunnel", [&] { twice(); });

        Tunnel tunnel{gateway_, client_.public_key(), {}, 2, rng_.fork(), now_, wall_now()};
        const auto first = open_initiation(gateway_, initiations.front());
        (void)tunnel.handle_initiation(*first, now_);
        measure("a peer's initiations that come too soon", [&] {
            const auto opened = open_initiation(gateway_, initiations.front());
            answered_ += tunnel.handle_initiation(*opened, now_) ? 1U : 0U;
        });

        HandshakeLimiter limiter{gateway_.public_key(), rng_.fork(), now_};
        const net::IpAddress address{std::array<std::uint8_t, 4>{192, 0, 2, 1}};
        auto bad_mac = initiations.front();
        bad_mac[120] ^= std::byte{1};
        measure("with a wrong MAC1", [&] { (void)limiter.check(bad_mac, address, now_); });
        for (unsigned i = 0; i < kHandshakesPerWindow; ++i) {
            (void)limiter.check(initiations.front(), address, now_);
        }
        measure("under load, without a cookie: answered with one",
                [&] { (void)limiter.admit(initiations.front(), address, now_); });
        MacWriter macs{gateway_.public_key()};
        auto with_cookie = initiations.front();
        macs.write(with_cookie, now_);
        (void)macs.accept_cookie_reply(limiter.make_cookie_reply(with_cookie, address, now_), now_);
        macs.write(with_cookie, now_);
        measure("under load, with a cookie, over the limit", [&] { (void)limiter.check(with_cookie, address, now_); });
        std::printf("(%zu answered)\n", answered_);
    }

private:
    Bytes initiation() {
        Tunnel peer{client_, gateway_.public_key(), {}, 1, rng_.fork(), now_, wall_now()};
        peer.initiate_handshake(now_);
        return peer.poll_transmit().value();
    }
    [[nodiscard]] WallTime wall_now() const {
        return WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch())};
    }

    Rng rng_ = Rng::from_number(1);
    crypto::KeyPair client_ = crypto::KeyPair::generate(rng_);
    crypto::KeyPair gateway_ = crypto::KeyPair::generate(rng_);
    Instant now_{std::chrono::seconds{1'700'000'000}};
    std::size_t answered_ = 0;
};

}  // namespace
}  // namespace culvert::wireguard

int main(int argc, char** argv) {
    if (argc > 1) {
        culvert::wireguard::g_seconds = std::atof(argv[1]);
    }
    culvert::wireguard::Bench{}.run();
}
