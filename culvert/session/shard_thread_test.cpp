// The threads of a device: needs root, for a TUN device in a network namespace of its own.

#include "culvert/session/shard_thread.h"

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "culvert/io/tun_interface.h"

namespace culvert::session {
namespace {

struct Length {
    std::size_t bytes;
};
struct TimerFired {};
struct SetTimer {
    Duration delay;
};
/// Have it report the lengths from one to `count`, all at once.
struct Report {
    std::size_t count;
};

/// Do that.
struct Call {
    std::function<void()> what;
};
/// A fault that nobody has foreseen.
struct Fail {};

/// Sends every datagram back where it came from, and reports its length. Says goodbye to whoever sent the last one.
class Echo {
public:
    using Command = std::variant<SetTimer, Report, Call, Fail, tunnel::ShutDown>;
    using Event = std::variant<Length, TimerFired>;

    void handle_tun_packet(packet::TunPacket /*packet*/, net::TransmitQueue& /*out*/, Instant /*now*/) {}
    void handle_datagram(const net::SocketAddress& local, const net::SocketAddress& from, net::Ecn /*ecn*/,
                         MutableByteSpan datagram, packet::Coalescer& /*tun*/, Instant /*now*/) {
        events_.emplace_back(Length{datagram.size()});
        last_ = {local.ip, from};
        answers_.push_back({{local.ip, from}, net::Ecn::kNotEct, to_bytes(datagram)});
    }
    void apply(const Command& command, Instant now) {
        if (const auto* timer = std::get_if<SetTimer>(&command)) {
            timer_ = now + timer->delay;
        } else if (const auto* report = std::get_if<Report>(&command)) {
            for (std::size_t i = 1; i <= report->count; ++i) {
                events_.emplace_back(Length{i});
            }
        } else if (const auto* call = std::get_if<Call>(&command)) {
            call->what();
        } else if (std::holds_alternative<Fail>(command)) {
            throw std::runtime_error{"a table is broken"};
        } else if (last_) {
            answers_.push_back({*last_, net::Ecn::kNotEct, to_bytes(as_bytes("goodbye"))});
        }
    }
    void handle_timeout(Instant now) {
        if (timer_ && *timer_ <= now) {
            timer_.reset();
            events_.emplace_back(TimerFired{});
        }
    }
    std::optional<Instant> poll_timeout() { return timer_; }
    std::optional<net::Transmit> poll_transmit() { return take_first(answers_); }
    std::optional<Event> poll_event() { return take_first(events_); }
    std::optional<tunnel::DroppedPackets> poll_drops() { return std::nullopt; }
    connectivity::Census census() const { return {}; }

private:
    template <typename T>
    static std::optional<T> take_first(std::deque<T>& queue) {
        if (queue.empty()) {
            return std::nullopt;
        }
        auto first = std::move(queue.front());
        queue.pop_front();
        return first;
    }

    std::deque<Event> events_;
    std::deque<net::Transmit> answers_;
    std::optional<Instant> timer_;
    std::optional<net::Path> last_;
};

using EchoShard = ShardThread<Echo>;

template <typename T>
bool is(const EchoShard::Event& event) {
    const auto* of_echo = std::get_if<Echo::Event>(&event);
    return of_echo != nullptr && std::holds_alternative<T>(*of_echo);
}

void in_new_network(const std::function<void(EchoShard&)>& body) {
    std::thread thread{[&] {
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
        auto netlink = io::Netlink::open();
        ASSERT_TRUE(netlink);
        ASSERT_FALSE(netlink->set_up(*netlink->interface_index("lo")));
        auto tun = io::TunDevice::open({.name = "tun-test"});
        ASSERT_TRUE(tun) << tun.error();
        EchoShard shard{[] { return Echo{}; }, std::move(*tun), {}};
        const auto started = shard.start();
        ASSERT_TRUE(started) << started.error();
        body(shard);
    }};
    thread.join();
}

/// Waits for the next event; fails the test after five seconds.
std::vector<EchoShard::Event> wait_for_events(EchoShard& shard) {
    pollfd polled{shard.events_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&polled, 1, 5000), 1) << "nothing happened";
    return shard.take_events();
}

void shut_down(EchoShard& shard) {
    shard.post_always(tunnel::ShutDown{});
    for (int i = 0; i < 10; ++i) {
        for (const auto& event : wait_for_events(shard)) {
            if (const auto* ended = std::get_if<ShardEnded>(&event)) {
                EXPECT_FALSE(ended->error);
                return;
            }
        }
    }
    FAIL() << "the shard did not end";
}

TEST(ShardThread, AnswersDatagramsAndReportsThem) {
    in_new_network([](EchoShard& shard) {
        auto peer = io::UdpSocket::open({.bind = {*net::IpAddress::parse("127.0.0.1"), 0}});
        ASSERT_TRUE(peer);
        io::SendRing ring;
        io::ErrorBatch errors;
        net::TransmitQueue queue;
        const net::SocketAddress target{*net::IpAddress::parse("127.0.0.1"), io::kPreferredPort};
        for (std::size_t i = 1; i <= 100; ++i) {
            ASSERT_TRUE(queue.push({{std::nullopt, target}, net::Ecn::kNotEct, Bytes(i, std::byte{7})}));
            static_cast<void>(peer->send(queue, ring, errors));
        }

        std::size_t reported = 0;
        std::size_t answered = 0;
        io::ReceiveRing received{8};
        while (reported < 100 && !testing::Test::HasFailure()) {
            for (const auto& event : wait_for_events(shard)) {
                reported += is<Length>(event) ? 1 : 0;
            }
        }
        while (answered < 100 && !testing::Test::HasFailure()) {
            pollfd polled{peer->fd(), POLLIN, 0};
            ASSERT_EQ(::poll(&polled, 1, 5000), 1);
            for (const auto& message : peer->receive(received, errors)) {
                answered += message.datagrams();
            }
        }
        EXPECT_EQ(shard.counters().udp_datagrams_received.load(), 100U);
        EXPECT_TRUE(errors.empty());
        shut_down(shard);
    });
}

TEST(ShardThread, ABurstOfMessagesMakesNoPacketWait) {
    in_new_network([](EchoShard& shard) {
        auto peer = io::UdpSocket::open({.bind = {*net::IpAddress::parse("127.0.0.1"), 0}});
        ASSERT_TRUE(peer);
        const auto send_one = [&] {
            io::SendRing ring;
            io::ErrorBatch errors;
            net::TransmitQueue queue;
            const net::SocketAddress target{*net::IpAddress::parse("127.0.0.1"), io::kPreferredPort};
            static_cast<void>(queue.push({{std::nullopt, target}, net::Ecn::kNotEct, Bytes(777, std::byte{7})}));
            static_cast<void>(peer->send(queue, ring, errors));
        };
        // The first of them has a datagram arrive, and all are there by then.
        constexpr std::size_t kBurst = 1000;
        std::promise<void> is_busy;
        std::promise<void> all_are_there;
        shard.post_always(Call{[&] {
            is_busy.set_value();
            all_are_there.get_future().wait();
        }});
        is_busy.get_future().wait();
        shard.post_always(Call{send_one});
        for (std::size_t i = 0; i < kBurst; ++i) {
            shard.post_always(Report{1});
        }
        all_are_there.set_value();

        std::vector<std::size_t> lengths;
        while (lengths.size() < kBurst + 1 && !testing::Test::HasFailure()) {
            for (const auto& event : wait_for_events(shard)) {
                lengths.push_back(std::get<Length>(std::get<Echo::Event>(event)).bytes);
            }
        }
        EXPECT_LT(std::ranges::find(lengths, 777U) - lengths.begin(), 100);
        shut_down(shard);
    });
}

TEST(ShardThread, EndsWithItsObjectWithoutBeingTold) {
    in_new_network([](EchoShard& /*shard*/) {});  // hangs if not
}

TEST(ShardThread, GivesUpWhenTheInterfaceIsRemoved) {
    in_new_network([](EchoShard& shard) {
        ASSERT_EQ(std::system("ip link delete tun-test"), 0);
        const auto events = wait_for_events(shard);
        ASSERT_EQ(events.size(), 1U);
        const auto* ended = std::get_if<ShardEnded>(&events[0]);
        ASSERT_NE(ended, nullptr);
        ASSERT_TRUE(ended->error);
        EXPECT_NE(ended->error->find("tun-test"), std::string::npos) << *ended->error;
    });
}

TEST(ShardThread, SaysGoodbyeBeforeAnUnforeseenErrorEndsIt) {
    in_new_network([](EchoShard& shard) {
        auto peer = io::UdpSocket::open({.bind = {*net::IpAddress::parse("127.0.0.1"), 0}});
        ASSERT_TRUE(peer);
        io::SendRing ring;
        io::ErrorBatch errors;
        io::ReceiveRing received{8};
        net::TransmitQueue queue;
        const net::SocketAddress target{*net::IpAddress::parse("127.0.0.1"), io::kPreferredPort};
        ASSERT_TRUE(queue.push({{std::nullopt, target}, net::Ecn::kNotEct, Bytes(1, std::byte{7})}));
        static_cast<void>(peer->send(queue, ring, errors));
        EXPECT_TRUE(is<Length>(wait_for_events(shard).at(0)));

        EXPECT_TRUE(shard.post(Fail{}));
        const auto events = wait_for_events(shard);
        ASSERT_EQ(events.size(), 1U);
        const auto* ended = std::get_if<ShardEnded>(&events[0]);
        ASSERT_NE(ended, nullptr);
        ASSERT_TRUE(ended->error);
        EXPECT_TRUE(ended->error->contains("a table is broken")) << *ended->error;
        std::string heard;
        while (!heard.ends_with("goodbye") && !testing::Test::HasFailure()) {
            pollfd polled{peer->fd(), POLLIN, 0};
            ASSERT_EQ(::poll(&polled, 1, 5000), 1) << "no goodbye";
            for (const auto& message : peer->receive(received, errors)) {
                heard += as_text(message.bytes);
            }
        }
    });
}

TEST(ShardThread, IsSeenToTakeTurns) {
    in_new_network([](EchoShard& shard) {
        static_cast<void>(shard.has_taken_a_turn());  // asks for one
        const auto deadline = io::monotonic_now() + std::chrono::seconds{20};
        while (!shard.has_taken_a_turn() && io::monotonic_now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        EXPECT_LT(io::monotonic_now(), deadline);
        shut_down(shard);
        static_cast<void>(shard.has_taken_a_turn());
        EXPECT_FALSE(shard.has_taken_a_turn()) << "its thread has ended";
    });
}

TEST(ShardThread, WakesUpForTimersThatCommandsSet) {
    in_new_network([](EchoShard& shard) {
        EXPECT_TRUE(shard.post(SetTimer{std::chrono::milliseconds{20}}));
        const auto events = wait_for_events(shard);
        ASSERT_EQ(events.size(), 1U);
        EXPECT_TRUE(is<TimerFired>(events[0]));
        shut_down(shard);
    });
}

TEST(ShardThread, LosesNothingThatHasToWaitForTheControlThread) {
    constexpr std::size_t kReports = 3 * EchoShard::kMailboxCapacity + 1;
    in_new_network([](EchoShard& shard) {
        EXPECT_TRUE(shard.post(Report{kReports}));
        std::size_t reported = 0;
        while (reported < kReports && !testing::Test::HasFailure()) {
            std::this_thread::sleep_for(std::chrono::milliseconds{20});  // the mailbox fills
            for (const auto& event : wait_for_events(shard)) {
                ASSERT_EQ(std::get<Length>(std::get<Echo::Event>(event)).bytes, ++reported);
            }
        }
        shut_down(shard);
    });
}

TEST(ShardThread, SaysSoWhenItCannotTakeMoreCommands) {
    std::thread thread{[] {
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
        auto tun = io::TunDevice::open({.name = "tun-test"});
        ASSERT_TRUE(tun) << tun.error();
        EchoShard never_started{[] { return Echo{}; }, std::move(*tun), {}};
        for (std::size_t i = 0; i < EchoShard::kMailboxCapacity; ++i) {
            ASSERT_TRUE(never_started.post(SetTimer{}));
        }
        EXPECT_FALSE(never_started.post(SetTimer{}));
        never_started.post_always(tunnel::ShutDown{});
    }};
    thread.join();
}

TEST(ShardThread, DatagramsThatAreTooLongAreNotEvenLookedAt) {
    in_new_network([](EchoShard& shard) {
        auto peer = io::UdpSocket::open({.bind = {*net::IpAddress::parse("127.0.0.1"), 0}});
        ASSERT_TRUE(peer);
        io::SendRing ring;
        io::ErrorBatch errors;
        net::TransmitQueue queue;
        const net::SocketAddress target{*net::IpAddress::parse("127.0.0.1"), io::kPreferredPort};
        for (const std::size_t length : {1317U, 9000U, 1316U}) {
            ASSERT_TRUE(queue.push({{std::nullopt, target}, net::Ecn::kNotEct, Bytes(length, std::byte{7})}));
            static_cast<void>(peer->send(queue, ring, errors));
        }
        const auto events = wait_for_events(shard);
        ASSERT_EQ(events.size(), 1U);
        EXPECT_EQ(std::get<Length>(std::get<Echo::Event>(events[0])).bytes, 1316U);
        shut_down(shard);
    });
}

}  // namespace
}  // namespace culvert::session
