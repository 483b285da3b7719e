// Our client against our server, both driven by the test's clock: what one sends, the other must understand.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/turn/allocation.h"
#include "culvert/turn/channel_data.h"
#include "culvert/turn/server/credentials.h"
#include "culvert/turn/server/server.h"

namespace culvert::turn {
namespace {

using namespace std::chrono_literals;

const auto kServer = *net::SocketAddress::parse("203.0.113.50:3478");
const auto kClient = *net::SocketAddress::parse("198.51.100.23:52625");
const auto kPeer = *net::SocketAddress::parse("192.0.2.77:40000");
const auto kPeer6 = *net::SocketAddress::parse("[2001:db8::77]:40000");
constexpr std::string_view kSecret = "9f2c5be1a7d04836c1e85f7093bd4aa26e7f01d3c85b294ae0637c1f5d8ab4e2";
constexpr WallTime kWallStart{std::chrono::seconds{1'763'000'000}};

class ClientServerTest : public testing::Test {
protected:
    void start_server() {
        server.emplace(ServerConfig{.public_v4 = kServer.ip, .public_v6 = net::IpAddress::parse("2001:db8:50::1")},
                       std::string{kSecret}, Rng::from_number(1));
    }
    void start_client(std::string_view secret = kSecret) {
        const RelayUsername username{.expiry = 1'763'100'000, .salt = "salt"};
        client.emplace(RelaySocket{.v4 = kServer, .v6 = std::nullopt},
                       LongTermCredentials{username.to_string(), relay_password(username, secret), "firezone"}, "test",
                       Rng::from_number(2), now);
    }
    void SetUp() override {
        start_server();
        start_client();
    }

    [[nodiscard]] WallTime wall_now() const {
        return kWallStart + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
    }

    /// Carries messages until both sides are silent.
    void exchange() {
        for (bool is_busy = true; is_busy;) {
            is_busy = false;
            while (const auto transmit = client->poll_transmit()) {
                is_busy = true;
                ++requests;
                if (is_network_up) {
                    server->handle_client_input(transmit->payload, kClient, now, wall_now());
                }
            }
            while (const auto command = server->poll_command()) {
                is_busy = true;
                if (const auto* send = std::get_if<SendMessage>(&*command); send != nullptr && is_network_up) {
                    EXPECT_TRUE(client->handle_input(kClient, kServer, send->payload, now));
                }
            }
        }
    }

    /// Lets time pass, both sides working when they asked for it.
    void run_for(Duration duration) {
        const auto end = now + duration;
        for (;;) {
            exchange();
            auto next = client->poll_timeout();
            if (const auto server_next = server->poll_timeout(); server_next && (!next || *server_next < *next)) {
                next = server_next;
            }
            if (!next || *next > end) {
                break;
            }
            now = std::max(now, *next);
            client->handle_timeout(now);
            server->handle_timeout(now);
        }
        now = end;
    }

    /// A payload from the client to `peer`: what the server would send to the peer.
    std::optional<std::string> send(const net::SocketAddress& peer, std::string_view payload) {
        const auto channel = client->channel_to(peer, now);
        if (!channel) {
            return std::nullopt;
        }
        Bytes datagram(kChannelDataHeaderSize);
        encode_channel_data_header(datagram, {*channel, static_cast<std::uint16_t>(payload.size())});
        append(datagram, as_bytes(payload));
        const auto out = server->handle_client_input(datagram, kClient, now, wall_now());
        return out && out->peer == peer ? std::optional{std::string{as_text(out->payload)}} : std::nullopt;
    }

    /// A packet from `peer` to our relayed address: whom the client thinks it is from.
    std::optional<net::SocketAddress> receive(const net::SocketAddress& peer) {
        const auto relayed = client->relay_address(peer.family());
        const auto in = relayed ? server->handle_peer_input(peer, relayed->port, 10) : std::nullopt;
        return in && in->client == kClient ? client->receive_on_channel(kServer, in->channel) : std::nullopt;
    }

    Instant now{};
    std::optional<Server> server;
    std::optional<Allocation> client;
    int requests = 0;
    bool is_network_up = true;
};

TEST_F(ClientServerTest, AllocatesInThreeRoundTrips) {
    exchange();

    EXPECT_EQ(requests, 3);
    EXPECT_EQ(client->active_socket(), kServer);
    ASSERT_TRUE(client->has_allocation());
    EXPECT_EQ(client->relay_address(net::Family::kIpv4)->ip, kServer.ip);
    EXPECT_TRUE(client->relay_address(net::Family::kIpv6).has_value());
    EXPECT_EQ(server->allocations(), 1U);
}

TEST_F(ClientServerTest, RelaysDataBothWaysAndOverBothFamilies) {
    exchange();
    for (const auto& peer : {kPeer, kPeer6}) {
        EXPECT_FALSE(send(peer, "early").has_value());
        exchange();
        EXPECT_EQ(send(peer, "hello"), "hello");
        EXPECT_EQ(receive(peer), peer);
    }
    EXPECT_FALSE(receive(*net::SocketAddress::parse("192.0.2.78:40000")).has_value());
}

TEST_F(ClientServerTest, DoesNothingWhenItsTimeHasNotCome) {
    exchange();
    client->bind_channel(kPeer, now);
    for (int i = 0; i < 30; ++i) {
        run_for(31s);
        exchange();
        ASSERT_EQ(receive(kPeer), kPeer);
        while (client->poll_event()) {
        }
        contract::expect_spurious_timeout_is_invisible(*client, now);
    }
}

TEST_F(ClientServerTest, KeepsAllocationAndUsedChannelForHours) {
    exchange();
    client->bind_channel(kPeer, now);

    for (int minutes = 0; minutes < repetitions(240); ++minutes) {
        run_for(1min);
        ASSERT_EQ(receive(kPeer), kPeer) << minutes;
        ASSERT_EQ(send(kPeer, "x"), "x") << minutes;
    }
    EXPECT_EQ(server->allocations(), 1U);
}

TEST_F(ClientServerTest, BindsAnExpiredChannelAgain) {
    exchange();
    client->bind_channel(kPeer, now);
    run_for(11min);

    EXPECT_FALSE(send(kPeer, "x").has_value());
    exchange();

    EXPECT_EQ(send(kPeer, "x"), "x");
}

TEST_F(ClientServerTest, ReplacesAnAllocationThatTheServerStillHas) {
    exchange();
    start_client();  // same address, no memory

    exchange();

    EXPECT_TRUE(client->has_allocation());
    EXPECT_EQ(server->allocations(), 1U);
    client->bind_channel(kPeer, now);
    exchange();
    EXPECT_EQ(send(kPeer, "x"), "x");
}

TEST_F(ClientServerTest, NoticesThatTheServerForgotEverything) {
    exchange();
    client->bind_channel(kPeer, now);
    exchange();
    start_server();  // rebooted with the same secret

    client->refresh(now);
    exchange();

    EXPECT_TRUE(client->has_allocation());
    EXPECT_EQ(server->allocations(), 1U);
    EXPECT_FALSE(send(kPeer, "x").has_value());
    exchange();
    EXPECT_EQ(send(kPeer, "x"), "x");
}

TEST_F(ClientServerTest, GivesUpOnAServerThatStopsAnswering) {
    exchange();
    is_network_up = false;

    run_for(34s);

    EXPECT_EQ(client->death_reason(), DeathReason::kNoResponse);
    EXPECT_FALSE(client->has_allocation());
}

TEST_F(ClientServerTest, IgnoresChallengesOfAServerWithAnotherSecret) {
    start_client("another secret");
    // The server signs with what it thinks our key is, so even its 401 does not verify.
    const auto binding = client->poll_transmit();
    server->handle_client_input(binding->payload, kClient, now, wall_now());
    client->handle_input(kClient, kServer, std::get<SendMessage>(*server->poll_command()).payload, now);
    const auto allocate = client->poll_transmit();
    server->handle_client_input(allocate->payload, kClient, now, wall_now());

    EXPECT_FALSE(client->handle_input(kClient, kServer, std::get<SendMessage>(*server->poll_command()).payload, now));
    EXPECT_FALSE(client->has_allocation());
    is_network_up = false;
    run_for(9s);
    EXPECT_TRUE(client->is_dead());
}

}  // namespace
}  // namespace culvert::turn
