// Two shards behind one session's back: real threads, sockets and queues of a TUN device, with state machines that only
// tell what reaches them. Needs root, for a network namespace.

#include "culvert/session/shards.h"

#include <poll.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <functional>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "culvert/base/overloaded.h"
#include "culvert/io/tun_interface.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"

namespace culvert::session {
namespace {

/// Whom the shards say goodbye to.
constexpr std::uint16_t kPeerPort = 7777;

net::SocketAddress peer_address() {
    return {*net::IpAddress::parse("127.0.0.1"), kPeerPort};
}

ClientId client(std::uint8_t number) {
    std::array<std::uint8_t, 16> bytes{};
    bytes.back() = number;
    return ClientId{Uuid{bytes}};
}

/// Answers each message of the portal with its own number, and what all shards have to say alike.
class Witness {
public:
    using PortalMessage = portal_api::ToGateway;
    using Command = std::variant<PortalMessage, tunnel::Reset, tunnel::ShutDown>;
    using Event = tunnel::ClientEvent;

    /// `may_leave`: until then it does not get to say goodbye.
    Witness(std::size_t number, std::atomic<bool>& may_leave) : number_{number}, may_leave_{may_leave} {}

    [[nodiscard]] const crypto::PublicKey& public_key() const { return public_key_; }
    static std::optional<Uuid> peer_of(const Command& command) {
        const auto* message = std::get_if<PortalMessage>(&command);
        return message != nullptr ? tunnel::GatewayTunnel::peer_of(*message) : std::nullopt;
    }

    void apply(const Command& command, Instant /*now*/) {
        std::visit(overloaded{[&](const PortalMessage& message) {
                                  say("got " + std::to_string(message.index()));
                                  if (std::holds_alternative<portal_api::GatewayInit>(message)) {
                                      events_.emplace_back(tunnel::TunInterfaceUpdated{});
                                      events_.emplace_back(tunnel::AskForRelays{});
                                  }
                              },
                              [&](const tunnel::Reset&) { events_.emplace_back(tunnel::KeyChanged{}); },
                              [&](const tunnel::ShutDown&) { leave(); }},
                   command);
    }
    void handle_tun_packet(packet::TunPacket /*packet*/, net::TransmitQueue& /*out*/, Instant /*now*/) {}
    void handle_datagram(const net::SocketAddress& /*local*/, const net::SocketAddress& /*from*/, net::Ecn /*ecn*/,
                         MutableByteSpan /*datagram*/, packet::Coalescer& /*tun*/, Instant /*now*/) {}
    void handle_timeout(Instant /*now*/) {}
    std::optional<Instant> poll_timeout() { return std::nullopt; }
    std::optional<tunnel::DroppedPackets> poll_drops() { return std::nullopt; }
    connectivity::Census census() const { return {}; }
    std::optional<net::Transmit> poll_transmit() {
        return std::exchange(says_goodbye_, false)
                   ? std::optional{net::Transmit{{std::nullopt, peer_address()}, net::Ecn::kNotEct, Bytes(7)}}
                   : std::nullopt;
    }
    std::optional<Event> poll_event() {
        if (events_.empty()) {
            return std::nullopt;
        }
        auto event = std::move(events_.front());
        events_.pop_front();
        return event;
    }

private:
    void say(const std::string& text) {
        events_.emplace_back(tunnel::SendToPortal{portal_api::FlowAuthorized{std::to_string(number_) + ": " + text}});
    }
    void leave() {
        while (!may_leave_) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        says_goodbye_ = true;
    }

    std::size_t number_;
    crypto::PublicKey public_key_;
    std::atomic<bool>& may_leave_;
    bool says_goodbye_ = false;
    std::deque<Event> events_;
};

class TwoShards : public ::testing::Test {
protected:
    /// Runs `body` with two shards on two queues of a TUN device, in a network of their own.
    void run(const std::function<void()>& body) {
        std::thread thread{[&] {
            ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
            auto netlink = io::Netlink::open();
            ASSERT_TRUE(netlink);
            ASSERT_FALSE(netlink->set_up(*netlink->interface_index("lo")));
            std::vector<io::TunDevice> queues;
            for (int i = 0; i < 2; ++i) {
                auto queue = io::TunDevice::open({.name = "tun-test", .has_several_queues = true});
                ASSERT_TRUE(queue) << queue.error();
                queues.push_back(std::move(*queue));
            }
            shards_.emplace(std::move(queues), io::Shard::Options{},
                            [&](std::size_t number) { return Witness{number, may_leave_[number]}; });
            const auto started = shards_->start();
            ASSERT_TRUE(started) << started.error();
            body();
            may_leave_[0] = may_leave_[1] = true;
            shards_.reset();
        }};
        thread.join();
    }

    /// Waits until `is_done` or for five seconds, and collects what the shards say meanwhile.
    void wait_until(const std::function<bool()>& is_done) {
        for (int i = 0; i < 500 && !is_done(); ++i) {
            std::vector<pollfd> polled;
            for (const int fd : shards_->events_fds()) {
                polled.push_back({fd, POLLIN, 0});
            }
            ::poll(polled.data(), polled.size(), 10);
            for (auto& event : shards_->take_events()) {
                std::visit(overloaded{[&](const tunnel::SendToPortal& sent) {
                                          const auto& message = std::get<portal_api::FromGateway>(sent.message);
                                          said_.insert(std::get<portal_api::FlowAuthorized>(message).ref);
                                      },
                                      [&](const tunnel::TunInterfaceUpdated&) { ++interface_updates_; },
                                      [&](const tunnel::AskForRelays&) { ++requests_for_relays_; },
                                      [](const tunnel::ConnectionEnded&) {}, [](const tunnel::FlowsTracked&) {},
                                      [&](const tunnel::ResourcesChanged&) {}, [&](const tunnel::DnsRecordsChanged&) {},
                                      [&](const dns::Ask&) {}, [&](const dns::StopAsking&) {},
                                      [&](const tunnel::KeyChanged&) { ++new_keys_; }},
                           event);
            }
        }
        EXPECT_TRUE(is_done());
    }

    std::array<std::atomic<bool>, 2> may_leave_{true, true};
    std::optional<Shards<Witness>> shards_;
    std::multiset<std::string> said_;
    int interface_updates_ = 0;
    int requests_for_relays_ = 0;
    int new_keys_ = 0;
};

std::string got(std::size_t shard, const portal_api::ToGateway& message) {
    return std::to_string(shard) + ": got " + std::to_string(message.index());
}

TEST_F(TwoShards, PassWhatIsAboutAPeerToItsOwnerOnly) {
    run([&] {
        std::multiset<std::string> expected;
        std::set<std::size_t> owners;
        for (std::uint8_t number = 1; number <= 20; ++number) {
            const portal_api::ToGateway message = portal_api::ClientIceCandidates{client(number), {"candidate"}};
            const auto owner = owner_of(client(number).uuid(), 2);
            owners.insert(owner);
            expected.insert(got(owner, message));
            EXPECT_TRUE(shards_->post(portal_api::ToDevice{message}));
        }
        wait_until([&] { return said_.size() >= expected.size(); });

        EXPECT_EQ(said_, expected);
        EXPECT_EQ(owners.size(), 2U) << "each shard has some";
    });
}

TEST_F(TwoShards, PassWhatIsAboutNobodyToAll) {
    run([&] {
        const portal_api::ToGateway presence = portal_api::RelaysPresence{};
        EXPECT_TRUE(shards_->post(portal_api::ToDevice{presence}));
        wait_until([&] { return said_.size() >= 2; });

        EXPECT_EQ(said_, (std::multiset{got(0, presence), got(1, presence)}));
    });
}

TEST_F(TwoShards, IgnoreMessagesForOtherKindsOfDevices) {
    run([&] {
        EXPECT_TRUE(shards_->post(portal_api::ToDevice{portal_api::ToClient{portal_api::ResourceDeleted{}}}));
        EXPECT_TRUE(shards_->post(portal_api::ToDevice{portal_api::ToGateway{portal_api::RelaysPresence{}}}));
        wait_until([&] { return said_.size() >= 2; });

        EXPECT_EQ(said_.size(), 2U);
    });
}

TEST_F(TwoShards, SpeakWithOneVoice) {
    run([&] {
        EXPECT_TRUE(shards_->post(portal_api::ToDevice{portal_api::ToGateway{portal_api::GatewayInit{}}}));
        shards_->post_always(tunnel::Reset{"test"});
        wait_until([&] { return said_.size() >= 2 && new_keys_ >= 1; });

        EXPECT_EQ(interface_updates_, 1);
        EXPECT_EQ(new_keys_, 1);
        EXPECT_GE(requests_for_relays_, 1);  // one per look at the events, and there may have been two
        EXPECT_LE(requests_for_relays_, 2);
    });
}

TEST_F(TwoShards, HaveEndedOnlyWhenBothHaveSaidGoodbye) {
    run([&] {
        auto peer = io::UdpSocket::open({.bind = peer_address()});
        ASSERT_TRUE(peer);
        may_leave_[1] = false;
        shards_->shut_down();

        io::ReceiveRing ring{8};
        io::ErrorBatch errors;
        std::set<std::uint16_t> ports;
        const auto hears = [&](std::size_t count) {
            for (const auto& message : peer->receive(ring, errors)) {
                ports.insert(message.from.port);
            }
            return ports.size() >= count;
        };
        wait_until([&] { return hears(1); });
        wait_until([waited = 0]() mutable { return ++waited > 10; });
        EXPECT_FALSE(shards_->have_ended()) << "one is still at it";

        may_leave_[1] = true;
        wait_until([&] { return shards_->have_ended(); });
        EXPECT_TRUE(hears(2)) << "each shard has a port of its own";
        EXPECT_FALSE(shards_->error());
        shards_->join();
    });
}

TEST_F(TwoShards, ReportWhyOneGaveUp) {
    run([&] {
        ASSERT_EQ(std::system("ip link delete tun-test"), 0);
        wait_until([&] { return shards_->error().has_value(); });

        EXPECT_NE(shards_->error()->find("tun-test"), std::string::npos) << *shards_->error();
        shards_->shut_down();
        wait_until([&] { return shards_->have_ended(); });
    });
}

}  // namespace
}  // namespace culvert::session
