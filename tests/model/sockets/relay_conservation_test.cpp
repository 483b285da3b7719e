// The relay loses nothing without counting it, and nothing overtakes, whatever the kernel does.

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/server_fixture.h"
#include "tests/model/sockets/relay_loop.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

// Builds with sanitizers are not optimised: there the same takes many times as long.
#ifdef NDEBUG
constexpr std::uint64_t kSeeds = 300;
#else
constexpr std::uint64_t kSeeds = 40;
#endif
constexpr std::uint16_t kUsers = 4;
constexpr std::uint16_t kChannel = 0x4000;
constexpr std::uint16_t kLowestPort = 50'000;

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
            .coalesced_receive = static_cast<std::uint16_t>(rng.below(1001))};
}

bool is_v4(std::uint16_t user) {
    return user % 2 == 0;
}
net::SocketAddress client_of(std::uint16_t user) {
    return {*net::IpAddress::parse(is_v4(user) ? "198.51.100.1" : "2001:db8:1::1"),
            static_cast<std::uint16_t>(1000 + user)};
}
net::SocketAddress peer_of(std::uint16_t user) {
    return {*net::IpAddress::parse(is_v4(user) ? "198.51.100.2" : "2001:db8:2::2"),
            static_cast<std::uint16_t>(2000 + user)};
}

/// One direction of one user's traffic.
struct Flow {
    std::uint64_t next = 0;
    std::vector<std::uint64_t> left;
};

class RelayCase {
public:
    explicit RelayCase(std::uint64_t seed)
        : rng_{Rng::from_number(seed)}, loop_{options(rng_), turn::test::kStampSecret, rng_.fork(), rng_.fork()} {}

    void run() {
        for (std::uint16_t user = 0; user < kUsers; ++user) {
            set_up(user);
        }
        for (int step = 0; step < 200; ++step) {
            if (step % 50 == 0) {
                loop_.kernel().set_faults(random_faults(rng_));
            }
            act();
            run_for(Duration{static_cast<Duration::rep>(rng_.below(12'000'000))});
        }
        loop_.kernel().set_faults({});
        run_for(1s);
    }

    void check() {
        const auto& plane = loop_.plane();
        const auto& server = plane.server().statistics();
        const auto& kernel = loop_.kernel().udp_losses();
        std::uint64_t answered = 0;
        for (const auto& [kind, count] : server.responses) {
            answered += count;
        }
        const auto passed_on = server.packets_to_peers + server.packets_to_clients;

        EXPECT_EQ(arrived_, passed_on + answered + server.dropped_malformed + server.dropped_without_channel +
                                server.rate_limited + plane.unanswerable() + loop_.kernel().unclaimed() +
                                kernel.overflowed + kernel.discarded);
        EXPECT_EQ(passed_on, plane.relayed().datagrams + plane.relayed().failed + plane.relayed().blocked);
        EXPECT_EQ(answered, plane.answers().sent + plane.answers().dropped);
        EXPECT_EQ(departed_, plane.relayed().datagrams + plane.answers().sent);
        EXPECT_EQ(strange_, 0U);
        EXPECT_GT(plane.relayed().datagrams, 0U);
        for (const auto* direction : {&up_, &down_}) {
            for (const auto& flow : *direction) {
                EXPECT_TRUE(std::ranges::is_sorted(flow.left, std::less_equal{})) << "in order, each once";
            }
        }
    }

private:
    static relay::DataPlane::Options options(Rng& rng) {
        return {.server = turn::test::with_ports(turn::test::dual_stack(), kLowestPort, kLowestPort + 20),
                .receive_buffer = rng.below(2) == 0 ? 100'000 : 2'000'000,
                .use_gso = rng.below(4) != 0,
                .use_gro = rng.below(4) != 0};
    }

    void act() {
        const auto user = static_cast<std::uint16_t>(rng_.below(kUsers));
        switch (rng_.below(24)) {
            case 0:
                return request(user, turn::test::refresh());
            case 1:
                return to_relay(user, useless());
            case 2:
                return loop_.kernel().block(is_v4(user) ? net::Family::kIpv4 : net::Family::kIpv6,
                                            now_ + std::chrono::milliseconds{rng_.below(12)});
            case 3:
                return to_allocation(user, Bytes(65'507));  // with a header in front it is too long for UDP
            case 4:
                if (rng_.below(40) == 0) {
                    loop_.plane().revoke_user("salt" + std::to_string(user), wall_now_ + 1h);
                }
                return;
            default:
                return burst(user, rng_.below(2) == 0);
        }
    }

    Bytes useless() {
        Bytes bytes(rng_.below(3) == 0 ? 0 : 8);
        if (!bytes.empty()) {
            turn::encode_channel_data_header(bytes, {kChannel, 5});  // four follow
        }
        return bytes;
    }

    void burst(std::uint16_t user, bool from_client) {
        const auto length = 8 + rng_.below(1200);
        for (auto count = 1 + rng_.below(60); count > 0; --count) {
            Bytes payload(rng_.below(8) == 0 ? 8 + rng_.below(length) : length);
            auto& flow = (from_client ? up_ : down_).at(user);
            store_be(MutableByteSpan{payload}, flow.next++);
            if (!from_client) {
                to_allocation(user, std::move(payload));
                continue;
            }
            Bytes framed(turn::kChannelDataHeaderSize);
            turn::encode_channel_data_header(framed, {kChannel, static_cast<std::uint16_t>(payload.size())});
            append(framed, payload);
            to_relay(user, std::move(framed));
        }
    }

    void to_relay(std::uint16_t user, Bytes payload) {
        ++arrived_;
        loop_.kernel().deliver({{is_v4(user) ? turn::test::kPublicV4 : turn::test::kPublicV6, turn::kRelayPort},
                                client_of(user),
                                net::Ecn::kNotEct,
                                std::move(payload)});
    }
    void to_allocation(std::uint16_t user, Bytes payload) {
        ++arrived_;
        loop_.kernel().deliver({{is_v4(user) ? turn::test::kPublicV4 : turn::test::kPublicV6, ports_.at(user)},
                                peer_of(user),
                                net::Ecn::kNotEct,
                                std::move(payload)});
    }

    void request(std::uint16_t user, const turn::test::RequestSpec& spec) {
        requests_.username = std::to_string(1'763'001'000) + ":salt" + std::to_string(user);
        to_relay(user, requests_.encode(spec, loop_.plane().server().make_nonce(client_of(user), now_).to_string()));
    }

    void set_up(std::uint16_t user) {
        request(user, is_v4(user) ? turn::test::allocate() : turn::test::allocate_v6());
        run_for(1ms);
        request(user, turn::test::bind(kChannel, peer_of(user).to_string()));
        run_for(1ms);
        // The port shows in what leaves by it.
        ports_.at(user) = 0;
        burst(user, true);
        run_for(1ms);
        ASSERT_NE(ports_.at(user), 0);
    }

    void run_for(Duration duration) {
        const auto end = now_ + duration;
        loop_.run(now_, wall_now_);
        for (auto next = loop_.poll_timeout(); next && *next <= end; next = loop_.poll_timeout()) {
            now_ = std::max(now_, *next);
            loop_.run(now_, wall_now_);
        }
        now_ = end;
        collect();
    }

    void collect() {
        while (auto departure = loop_.kernel().poll_sent()) {
            ++departed_;
            if (!take(*departure)) {
                ++strange_;
            }
        }
    }

    bool take(const Departure& departure) {
        for (std::uint16_t user = 0; user < kUsers; ++user) {
            if (departure.path.destination == peer_of(user)) {
                auto& port = ports_.at(user);
                port = port == 0 ? departure.port : port;
                return departure.port == port && note(up_.at(user), departure.payload);
            }
            if (departure.path.destination == client_of(user)) {
                if (departure.port != turn::kRelayPort) {
                    return false;
                }
                const auto header = turn::decode_channel_data(departure.payload, turn::TrailingBytes::kRefuse);
                return !header ||
                       note(down_.at(user), ByteSpan{departure.payload}.subspan(turn::kChannelDataHeaderSize));
            }
        }
        return false;
    }

    static bool note(Flow& flow, ByteSpan payload) {
        if (payload.size() < 8) {
            return false;
        }
        const auto number = load_be<std::uint64_t>(payload);
        flow.left.push_back(number);
        return number < flow.next;
    }

    Rng rng_;
    RelayLoop loop_;
    turn::test::Relay requests_;  // only to encode requests with
    Instant now_{1h};
    WallTime wall_now_ = turn::test::kWallStart;
    std::array<std::uint16_t, kUsers> ports_{};
    std::array<Flow, kUsers> up_;
    std::array<Flow, kUsers> down_;
    std::uint64_t arrived_ = 0;
    std::uint64_t departed_ = 0;
    /// Left for nobody, or not as they came.
    std::uint64_t strange_ = 0;
};

TEST(RelayConservation, EverythingIsPassedOnInOrderOrCounted) {
    for (std::uint64_t seed = 0; seed < kSeeds && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        RelayCase test{seed};
        test.run();
        test.check();
    }
}

}  // namespace
}  // namespace culvert::model
