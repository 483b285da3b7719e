#include <map>
#include <set>

#include <gtest/gtest.h>

#include "culvert/wireguard/tunnel_test_pair.h"

namespace culvert::wireguard {
namespace {

using namespace testing_support;

/// A network that loses, delays (and so reorders), duplicates and damages datagrams.
struct BadNetwork {
    struct InFlight {
        Peer* from;
        Peer* to;
        Bytes datagram;
    };
    Rng rng;
    std::uint64_t loss_percent = 0;
    std::uint64_t duplicate_percent = 0;
    std::uint64_t damage_percent = 0;
    std::multimap<Instant, InFlight> in_flight;

    void send(Peer& from, Peer& to, const Bytes& datagram, Instant now) {
        const bool twice = rng.below(100) < duplicate_percent;
        for (int copy = 0; copy <= (twice ? 1 : 0); ++copy) {
            if (rng.below(100) < loss_percent) {
                continue;
            }
            auto bytes = datagram;
            if (rng.below(100) < damage_percent) {
                bytes[rng.below(bytes.size())] ^= static_cast<std::byte>(1 + rng.below(255));
            }
            const auto delay = Duration{std::chrono::milliseconds{1 + rng.below(150)}};
            in_flight.emplace(now + delay, InFlight{&from, &to, std::move(bytes)});
        }
    }
};

struct Outcome {
    std::size_t sent = 0;
    std::size_t delivered = 0;
};

class TrafficRun {
public:
    explicit TrafficRun(std::uint64_t seed)
        : pair_{seed}, network_{Rng::from_number(seed ^ 0xbad)}, rng_{Rng::from_number(seed)} {}

    BadNetwork& network() { return network_; }
    TunnelPair& pair() { return pair_; }

    /// Both sides send at random moments for `time`.
    Outcome traffic(Duration time) {
        Outcome outcome;
        const auto end = pair_.now + time;
        while (pair_.now < end) {
            pair_.now += 20ms;
            for (auto* peer : {&pair_.i, &pair_.r}) {
                auto& other = pair_.other(*peer);
                peer->tunnel.handle_timeout(pair_.now);
                peer->limiter.clear_window(pair_.now);
                if (peer->tunnel.is_expired()) {
                    // Possible at this loss: three attempts in a row can fail.
                    pair_.i.start_again(++last_id_, rng_.fork(), pair_.now);
                    pair_.r.start_again(++last_id_, rng_.fork(), pair_.now);
                }
                if (rng_.below(10) == 0) {
                    send_packet(*peer, other);
                    ++outcome.sent;
                }
                drain(*peer, other);
            }
            outcome.delivered += arrive();
        }
        return outcome;
    }

private:
    void send_packet(Peer& from, Peer& to) {
        const auto packet = make_ip_packet(28 + rng_.below(1200), ++last_packet_);
        expected_[&to].insert(packet);
        Bytes datagram(packet.size() + kDataOverhead);
        if (from.tunnel.seal(packet, datagram, pair_.now)) {
            network_.send(from, to, datagram, pair_.now);
        } else {
            from.tunnel.queue(packet, pair_.now);
        }
    }

    void drain(Peer& from, Peer& to) {
        while (const auto datagram = from.tunnel.poll_transmit()) {
            network_.send(from, to, *datagram, pair_.now);
        }
    }

    std::size_t arrive() {
        std::size_t delivered = 0;
        while (!network_.in_flight.empty() && network_.in_flight.begin()->first <= pair_.now) {
            auto arriving = network_.in_flight.extract(network_.in_flight.begin()).mapped();
            const auto before = arriving.to->received.size();
            pair_.receive(*arriving.to, arriving.from->address, std::move(arriving.datagram));
            if (arriving.to->received.size() > before) {
                // Erasing finds every packet that is corrupt or delivered a second time.
                EXPECT_EQ(expected_[arriving.to].erase(arriving.to->received.back()), 1U);
                ++delivered;
            }
        }
        return delivered;
    }

    TunnelPair pair_;
    BadNetwork network_;
    Rng rng_;
    std::uint64_t last_packet_ = 0;
    std::uint32_t last_id_ = 1;
    std::map<const Peer*, std::set<Bytes>> expected_;
};

class BadNetworks : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, BadNetworks, testing::Range<std::uint64_t>(1, 13));

TEST_P(BadNetworks, NothingIsDeliveredTwiceOrCorruptAndAllIsWellAfterwards) {
    TrafficRun run{GetParam()};
    auto& network = run.network();
    network.loss_percent = 20;
    network.duplicate_percent = 20;
    network.damage_percent = 5;

    const auto bad = run.traffic(400s);
    network.loss_percent = 0;
    network.duplicate_percent = 0;
    network.damage_percent = 0;
    (void)run.traffic(2s);  // in flight from before, or queued behind a handshake
    const auto good = run.traffic(20s);

    EXPECT_GT(bad.delivered, bad.sent / 2);
    EXPECT_NEAR(static_cast<double>(good.delivered), static_cast<double>(good.sent), 10.0);
}

TEST_P(BadNetworks, ReorderingAndDuplicationAloneLoseNothing) {
    TrafficRun run{GetParam()};
    run.network().duplicate_percent = 50;

    auto outcome = run.traffic(300s);
    outcome.delivered += [&] {
        run.pair().now += 1s;
        return run.traffic(Duration{0}).delivered;
    }();

    EXPECT_NEAR(static_cast<double>(outcome.delivered), static_cast<double>(outcome.sent), 10.0);
}

}  // namespace
}  // namespace culvert::wireguard
