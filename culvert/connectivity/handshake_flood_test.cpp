// Handshakes of strangers, of many, and of those who hand in another's key.

#include <algorithm>

#include <gtest/gtest.h>

#include "culvert/connectivity/constants.h"
#include "culvert/connectivity/testing/virtual_network.h"
#include "culvert/wireguard/constants.h"
#include "culvert/wireguard/mac.h"
#include "culvert/wireguard/message.h"
#include "culvert/wireguard/tunnel.h"

namespace culvert::connectivity::testing {
namespace {

using namespace std::chrono_literals;
using wireguard::PacketKind;

class Flood : public ::testing::Test {
protected:
    void SetUp() override { network.settle(); }

    void connect() {
        network.connect(client, gateway);
        network.run_for(2s);
        ASSERT_EQ(client.count<ConnectionEstablished>(), 1U);
    }

    [[nodiscard]] bool has_contact() {
        gateway.received.clear();
        client.received.clear();
        network.send(client, gateway, ping(1));
        network.send(gateway, client, ping(2));
        network.run_for(1s);
        return gateway.received.size() == 1 && client.received.size() == 1;
    }

    Network network;
    Host& client = network.add_host(Role::kClient, "192.0.2.1", std::nullopt);
    Host& gateway = network.add_host(Role::kGateway, "192.0.2.2", std::nullopt);
    Relay& relay = network.add_relay("203.0.113.21", std::nullopt);
};

/// Sends what looks like initiations to a gateway, with MACs and whatever cookie it gets.
class Flooder {
public:
    Flooder(Network& network, Host& gateway, const net::SocketAddress& address)
        : network_{network}, gateway_{gateway}, address_{address}, macs_{gateway.node.public_key()} {}

    void send() {
        Bytes message(wireguard::kInitiationSize);
        rng_.fill(message);
        store_le(MutableByteSpan{message}, static_cast<std::uint32_t>(PacketKind::kInitiation));
        std::ranges::fill(MutableByteSpan{message}.last(16), std::byte{0});
        macs_.write(message, network_.now);
        const auto sent_before = gateway_.sent.size();
        const auto result = gateway_.node.decapsulate({*gateway_.v4, Network::kPort}, address_, message, network_.now);
        ASSERT_FALSE(result);
        read += result.error().cause == wireguard::Error::kBadTag ? 1 : 0;
        network_.settle_node(gateway_);
        for (auto i = sent_before; i < gateway_.sent.size(); ++i) {
            const auto& datagram = gateway_.sent[i].datagram;
            if (datagram.to == address_) {
                (void)macs_.accept_cookie_reply(datagram.payload, network_.now);
            }
        }
    }

    /// Messages that the gateway spent a Diffie-Hellman on.
    int read = 0;

private:
    Network& network_;
    Host& gateway_;
    net::SocketAddress address_;
    wireguard::MacWriter macs_;
    Rng rng_ = Rng::from_number(4);
};

TEST_F(Flood, OfSomebodyWithACookieCostsLittle) {
    connect();
    Flooder flooder{network, gateway, at("198.51.100.66:6666")};
    for (int ms = 0; ms < 3000; ++ms) {
        flooder.send();
        network.run_for(1ms);
    }
    // Per second 100 for all without a cookie, and 20 for each who has one.
    EXPECT_LE(flooder.read, 3 * (100 + 20) + 100);
    EXPECT_TRUE(has_contact());
}

/// The hardest place to be: behind the address that floods, so that its budget is always used up.
TEST_F(Flood, APeerGoesOnAndRenewsItsKeysBehindTheFloodersAddress) {
    connect();
    Flooder flooder{network, gateway, {*client.v4, 6666}};
    std::size_t sent = 0;
    gateway.received.clear();
    constexpr int kSeconds = 280;
    for (int s = 0; s < kSeconds; ++s) {
        network.send(client, gateway, ping(1));
        network.send(gateway, client, ping(2));
        ++sent;
        for (int i = 0; i < 20; ++i) {
            // At once what anybody may send in a second, then always a little more than the address may.
            for (int n = 0; n < (i == 0 ? 130 : 3); ++n) {
                flooder.send();
            }
            network.run_for(50ms);
        }
    }
    EXPECT_GE(flooder.read, kSeconds * 90);
    EXPECT_EQ(client.count<ConnectionFailed>(), 0U);
    EXPECT_EQ(gateway.count<ConnectionFailed>(), 0U);
    EXPECT_GE(gateway.received.size(), sent - 1);
    const auto responses = std::ranges::count_if(gateway.sent, [&](const auto& s) {
        return s.datagram.to.ip == *client.v4 && wire_kind(s.datagram.payload) == Wire::kResponse;
    });
    EXPECT_GE(responses, 3);
}

class SameKey : public Flood {
protected:
    static constexpr int kImpostors = 6;

    /// Devices with smaller ids that handed in the client's public key, but know neither its private one nor the secret
    /// that it shares with the gateway.
    void add_impostors() {
        for (int i = 0; i < kImpostors; ++i) {
            const auto id = *Uuid::parse("00000000-0000-4000-8000-00000000000" + std::to_string(i));
            crypto::PresharedKey other;
            other.reveal()[0] = static_cast<std::byte>(i + 1);
            const Credentials theirs{"xx" + std::to_string(i), "password of an impostor"};
            ASSERT_TRUE(gateway.node.upsert_connection(id, client.node.public_key(), other,
                                                       {"yy" + std::to_string(i), "password of the gateway"}, theirs,
                                                       network.now));
            for (const auto& candidate : candidates) {
                gateway.node.add_remote_candidate(id, candidate, network.now);
            }
            network.settle_node(gateway);
        }
    }

    std::vector<std::string> candidates;
};

TEST_F(SameKey, TakesNoHandshakeFromItsOwner) {
    add_impostors();
    connect();
    EXPECT_TRUE(has_contact());
}

TEST_F(SameKey, NotEvenWithTheAddressesOfTheOwner) {
    candidates = {"candidate:1 1 udp 2130706431 192.0.2.1 52625 typ host"};
    add_impostors();
    connect();
    EXPECT_TRUE(has_contact());
}

TEST_F(SameKey, NorFromAConnectionThatIsThere) {
    connect();
    add_impostors();
    // Longer than a session lives.
    for (int s = 0; s < 200; ++s) {
        ASSERT_TRUE(has_contact()) << "after " << s << " s";
    }
}

TEST_F(SameKey, IsAnsweredByFewIfNothingTellsWhoIsMeant) {
    auto rng = Rng::from_number(5);
    const auto key = crypto::KeyPair::generate(rng);
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(gateway.node.upsert_connection(Uuid::random(rng), key.public_key(), {},
                                                   {"a" + std::to_string(i), "p"}, {"b" + std::to_string(i), "p"},
                                                   network.now));
    }
    network.settle_node(gateway);
    wireguard::Tunnel tunnel{
        key, gateway.node.public_key(), {}, 2, rng, network.now, WallTime{std::chrono::seconds{1'763'000'000}}};
    tunnel.initiate_handshake(network.now);
    auto initiation = *tunnel.poll_transmit();
    const auto before = gateway.count<ConnectionEstablished>();
    EXPECT_TRUE(gateway.node.decapsulate({*gateway.v4, Network::kPort}, at("198.51.100.1:1"), initiation, network.now));
    network.settle_node(gateway);
    EXPECT_EQ(gateway.count<ConnectionEstablished>() - before, kMaxAnswersToInitiation);
}

}  // namespace
}  // namespace culvert::connectivity::testing
