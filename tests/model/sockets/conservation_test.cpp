// Nothing gets lost without being counted, and nothing overtakes, whatever the kernel does.

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include <gtest/gtest.h>

#include "tests/model/sockets/test_rig.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

// Builds with sanitizers are not optimised: there the same takes many times as long.
#ifdef NDEBUG
constexpr std::uint64_t kSeeds = 300;
#else
constexpr std::uint64_t kSeeds = 40;
#endif
constexpr std::uint16_t kFlows = 6;

io::Shard::Options random_options(Rng& rng) {
    io::Shard::Options options;
    options.receive_buffer = rng.below(2) == 0 ? 60'000 : options.receive_buffer;
    options.use_gso = rng.below(4) != 0;
    options.use_gro = rng.below(4) != 0;
    return options;
}

/// Half of the faults are off, the others happen often.
KernelFaults random_faults(Rng& rng) {
    const auto rate = [&] { return static_cast<std::uint16_t>(rng.below(2) == 0 ? 0 : rng.below(300)); };
    constexpr std::array kSegmentationErrors{0, 0, EIO, EINVAL};
    return {.interrupted = rate(),
            .partial_send = rate(),
            .would_block = rate(),
            .send_refused = rate(),
            .segmentation_error = kSegmentationErrors.at(rng.below(kSegmentationErrors.size())),
            .partial_receive = rate(),
            .coalesced_receive = static_cast<std::uint16_t>(rng.below(1001)),
            .tun_refused = rate(),
            .tun_read_failed = rate(),
            .tun_super_packet = static_cast<std::uint16_t>(rng.below(1001)),
            .refuses_super_packets = rng.below(4) == 0};
}

std::uint64_t sum(const std::map<int, std::uint64_t>& counts) {
    std::uint64_t total = 0;
    for (const auto& [error, count] : counts) {
        total += count;
    }
    return total;
}

/// Traffic in both directions for about two seconds, under faults that change; then two quiet seconds.
class ConservationCase {
public:
    explicit ConservationCase(std::uint64_t seed) : rng_{Rng::from_number(seed)}, rig_{seed, random_options(rng_)} {}

    void run() {
        rig_.start();
        rig_.path.start_timer(10ms, rig_.now);
        for (int step = 0; step < 300; ++step) {
            if (step % 100 == 0) {
                rig_.loop.kernel().set_faults(random_faults(rng_));
            }
            act();
            rig_.run_for(random_duration(12ms));
        }
        rig_.loop.kernel().set_faults({});
        rig_.run_for(2s);
    }

    void check() {
        const auto& path = rig_.path;
        const auto& counters = rig_.loop.counters();
        const auto& udp = rig_.loop.kernel().udp_losses();
        const auto& tun = rig_.loop.kernel().tun_losses();

        EXPECT_EQ(arrived_, path.datagrams + counters.udp_datagrams_unusable + udp.overflowed + udp.discarded);
        EXPECT_EQ(path.from_network.size(), rig_.delivered.size() + counters.tun_packets_refused);
        EXPECT_EQ(submitted_, path.from_tun.size() + tun.overflowed);
        EXPECT_EQ(path.from_tun.size() + controls_, rig_.sent.size() + rig_.others + counters.udp_datagrams_refused);
        EXPECT_EQ(path.without_room, 0U);

        // The program's books agree with the kernel's. Only a rebind throws away what no kernel has seen.
        EXPECT_EQ(counters.udp_datagrams_sent, rig_.sent.size() + rig_.others);
        EXPECT_EQ(counters.tun_packets_refused, sum(tun.refused));
        EXPECT_GE(counters.udp_datagrams_refused, sum(udp.refused));

        EXPECT_EQ(find_reordered(path.from_network), std::nullopt);
        EXPECT_EQ(find_reordered(path.from_tun), std::nullopt);
        EXPECT_EQ(find_reordered(rig_.delivered), std::nullopt);
        EXPECT_EQ(find_reordered(rig_.sent), std::nullopt);
    }

private:
    void act() {
        switch (rng_.below(20)) {
            case 0:
                return deliver_useless();
            case 1:
                return send_control();
            case 2:
                return rig_.loop.kernel().block(random_family(), rig_.now + random_duration(100ms));
            case 3:
                return rng_.below(8) == 0 ? rebind() : send_control();
            default:
                return burst(rng_.below(2) == 0);
        }
    }

    /// Packets of one flow, most of one length, so that they form trains.
    void burst(bool from_application) {
        const auto flow = static_cast<std::uint16_t>(1 + rng_.below(kFlows));
        const auto count = 1 + rng_.below(60);
        const auto length = 8 + rng_.below(1200);
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto payload = rng_.below(8) == 0 ? 8 + rng_.below(length) : length;
            if (from_application) {
                rig_.submit({flow, submitted_++}, payload);
            } else {
                rig_.deliver({flow, arrived_++}, payload);
            }
        }
    }

    void deliver_useless() {
        const auto flow = static_cast<std::uint16_t>(1 + rng_.below(kFlows));
        const auto from = rng_.below(2) == 0 ? peer_of(flow) : net::SocketAddress{peer_of(flow).ip, 0};
        constexpr std::array<std::size_t, 3> kLengths{0, 20, 1400};
        ++arrived_;
        rig_.loop.kernel().deliver(
            {local_of(flow), from, net::Ecn::kNotEct, Bytes(kLengths.at(rng_.below(kLengths.size())))});
    }

    void send_control() {
        const auto flow = static_cast<std::uint16_t>(1 + rng_.below(kFlows));
        ++controls_;
        rig_.path.send({{std::nullopt, peer_of(flow)}, net::Ecn::kNotEct, Bytes(20)});
        rig_.loop.run(rig_.now);
    }

    void rebind() {
        ASSERT_TRUE(rig_.loop.bind_sockets());
        rig_.loop.run(rig_.now);
    }

    net::Family random_family() { return rng_.below(2) == 0 ? net::Family::kIpv4 : net::Family::kIpv6; }
    Duration random_duration(Duration limit) {
        return Duration{static_cast<Duration::rep>(rng_.below(static_cast<std::uint64_t>(limit.count())))};
    }

    Rng rng_;
    TestRig rig_;
    std::uint64_t arrived_ = 0;
    std::uint64_t submitted_ = 0;
    std::uint64_t controls_ = 0;
};

TEST(Conservation, EverythingArrivesInOrderOrIsCounted) {
    for (std::uint64_t seed = 0; seed < kSeeds && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        ConservationCase test{seed};
        test.run();
        test.check();
    }
}

TEST(Conservation, AKernelWithoutFaultsLosesNothing) {
    TestRig rig{1};
    rig.start();
    for (std::uint64_t i = 0; i < 500; ++i) {
        rig.submit({static_cast<std::uint16_t>(1 + i % 3), i});
        rig.deliver({static_cast<std::uint16_t>(1 + i % 3), i});
    }
    rig.run_for(1ms);
    EXPECT_EQ(rig.sent.size(), 500U);
    EXPECT_EQ(rig.delivered.size(), 500U);
}

TEST(Conservation, TheSameSeedGivesTheSameRun) {
    const auto run = [] {
        TestRig rig{7};
        rig.start();
        auto rng = Rng::from_number(7);
        rig.loop.kernel().set_faults(random_faults(rng));
        for (std::uint64_t i = 0; i < 300; ++i) {
            rig.submit({static_cast<std::uint16_t>(1 + i % kFlows), i});
            rig.deliver({static_cast<std::uint16_t>(1 + i % kFlows), i});
            rig.run_for(1ms);
        }
        return std::tuple{rig.sent, rig.delivered, rig.loop.turns()};
    };
    EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace culvert::model
