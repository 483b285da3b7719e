#include "tests/model/network/network.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "tests/model/scenario/enumerators.h"

namespace culvert::model {
namespace {

constexpr Instant kStart{seconds{1000}};
constexpr Duration kTick{1};
constexpr ClientNo kClient{1};
constexpr ClientNo kOtherClient{2};
constexpr GatewayNo kGateway{1};
constexpr RelayNo kRelay{1};
constexpr std::uint16_t kPort = 52625;

const Access kV4{.has_v6 = false};
const Access kBehindNat{.has_v6 = false, .nat = NatBox{}};

/// A network and the time.
class NetworkTest : public testing::Test {
protected:
    net::SocketAddress attach(const Device& device, const Access& access) {
        return {network.attach(device, access, now).front(), kPort};
    }
    net::SocketAddress attach_relay() {
        return {network.attach_public(kRelay, true, true, milliseconds{10}, now).front(), 3478};
    }

    void send(const Device& device, const net::SocketAddress& to, std::string_view text = "hello") {
        network.send(device, {{}, kPort}, to, net::Ecn::kEct0, as_bytes(text), now);
    }

    /// Everything that arrives from now on, and when nothing is under way any more.
    std::vector<Delivery> run() {
        std::vector<Delivery> deliveries;
        while (const auto next = network.poll_timeout()) {
            now = std::max(now, *next);
            while (auto delivery = network.poll_delivery(now)) {
                deliveries.push_back(std::move(*delivery));
            }
        }
        return deliveries;
    }

    /// The only datagram that arrives.
    std::optional<Delivery> run_one() {
        auto deliveries = run();
        EXPECT_LE(deliveries.size(), 1U);
        return deliveries.empty() ? std::nullopt : std::optional{std::move(deliveries.front())};
    }

    void expect_dropped(DropReason reason) {
        EXPECT_TRUE(run().empty());
        EXPECT_EQ(network.dropped(reason), 1U) << name_of(reason);
    }

    Network network{Rng::from_number(1)};
    Instant now = kStart;
};

TEST_F(NetworkTest, TakesTheLatenciesOfBothEnds) {
    const auto client = attach(kClient, {.has_v6 = false, .latency = milliseconds{30}});
    const auto gateway = attach(kGateway, {.has_v6 = false, .latency = milliseconds{5}});

    send(kClient, gateway);

    EXPECT_EQ(network.poll_timeout(), kStart + milliseconds{35});
    EXPECT_FALSE(network.poll_delivery(kStart + milliseconds{35} - kTick));
    const auto delivery = network.poll_delivery(kStart + milliseconds{35});
    ASSERT_TRUE(delivery);
    EXPECT_EQ(delivery->host, Device{kGateway});
    EXPECT_EQ(delivery->from, client);
    EXPECT_EQ(delivery->to, gateway);
    EXPECT_EQ(delivery->ecn, net::Ecn::kEct0);
    EXPECT_EQ(as_text(delivery->payload), "hello");
    EXPECT_FALSE(delivery->is_attack);
    EXPECT_FALSE(network.poll_timeout());
}

TEST_F(NetworkTest, GivesEveryInterfaceAnAddressOfEachFamily) {
    const auto addresses = network.attach(kClient, {.interfaces = 2}, now);

    ASSERT_EQ(addresses.size(), 4U);
    EXPECT_EQ(std::ranges::count(addresses, net::Family::kIpv4, &net::IpAddress::family), 2);
    const auto gateway = attach(kGateway, {});
    for (const auto& address : addresses) {
        if (address.is_v4()) {
            network.send(kClient, {address, kPort}, gateway, {}, {}, now);
            EXPECT_EQ(run_one()->from.ip, address);
        }
    }
}

TEST_F(NetworkTest, NeverGivesAnAddressTwice) {
    const auto before = network.attach(kClient, {}, now);
    const auto after = network.attach(kClient, {}, now);

    EXPECT_NE(before.front(), after.front());
    EXPECT_NE(before.back(), after.back());
}

TEST_F(NetworkTest, LosesWhatHasNoSource) {
    const auto gateway = attach(kGateway, {});
    send(kClient, gateway);
    expect_dropped(DropReason::kNotAttached);

    attach(kClient, {.has_v4 = false});
    send(kClient, gateway);
    expect_dropped(DropReason::kNoSourceAddress);

    network.send(kClient, gateway, gateway, {}, {}, now);
    expect_dropped(DropReason::kForeignSource);
}

TEST_F(NetworkTest, LosesWhatIsSentToNobody) {
    attach(kClient, {});

    send(kClient, {net::IpAddress::parse("10.0.0.1").value(), 53});

    expect_dropped(DropReason::kNoSuchAddress);
}

TEST_F(NetworkTest, LosesWhatIsSentToAnAddressOfThePast) {
    attach(kClient, {});
    const auto gateway = attach(kGateway, {});
    attach(kGateway, {});

    send(kClient, gateway);

    expect_dropped(DropReason::kStaleAddress);
}

TEST_F(NetworkTest, LosesWhatIsUnderWayToAHostThatLeaves) {
    attach(kClient, {});
    send(kClient, attach(kGateway, {}));

    network.detach(kGateway);

    expect_dropped(DropReason::kStaleAddress);
}

TEST_F(NetworkTest, DeliversWhatAHostSentBeforeItLeft) {
    attach(kClient, {});
    send(kClient, attach(kGateway, {}));

    network.detach(kClient);

    EXPECT_TRUE(run_one());
}

// --- NAT ---

TEST_F(NetworkTest, TranslatesThereAndBack) {
    const auto client = attach(kClient, kBehindNat);
    const auto relay = attach_relay();

    send(kClient, relay);
    const auto request = run_one().value();
    network.send(kRelay, relay, request.from, {}, {}, now);
    const auto response = run_one().value();

    EXPECT_NE(request.from.ip, client.ip);
    EXPECT_EQ(request.from, network.public_endpoints(kClient, kPort, now).front());
    EXPECT_EQ(response.host, Device{kClient});
    EXPECT_EQ(response.to, client);
    EXPECT_EQ(response.from, relay);
}

TEST_F(NetworkTest, DecidesAtTheReceiversNatWhenTheDatagramGetsThere) {
    const auto relay = attach_relay();
    attach(kClient, {.has_v6 = false, .nat = NatBox{}, .latency = milliseconds{50}});
    const auto gateway = attach(kGateway, kV4);
    send(kClient, relay);
    const auto client = run_one()->from;

    send(kGateway, client);
    now += milliseconds{59};
    send(kClient, gateway);

    EXPECT_EQ(run().size(), 2U);
}

TEST_F(NetworkTest, LosesWhatANatDoesNotAdmit) {
    const auto relay = attach_relay();
    attach(kClient, kBehindNat);
    attach(kGateway, kV4);
    send(kClient, relay);
    const auto client = run_one()->from;

    send(kGateway, client);
    expect_dropped(DropReason::kNatFiltered);
    send(kGateway, {client.ip, 1});
    expect_dropped(DropReason::kNatNoMapping);
}

TEST_F(NetworkTest, ForgetsMappingsWhenTheNatReboots) {
    const auto relay = attach_relay();
    attach(kClient, kBehindNat);
    send(kClient, relay);
    const auto client = run_one()->from;

    network.reboot_nat(kClient);

    network.send(kRelay, relay, client, {}, {}, now);
    expect_dropped(DropReason::kNatNoMapping);
}

TEST_F(NetworkTest, ChangesTheAddressOfTheNat) {
    const auto relay = attach_relay();
    attach(kClient, kBehindNat);
    send(kClient, relay);
    const auto before = run_one()->from;

    network.renumber_nat(kClient);
    send(kClient, relay);
    const auto after = run_one()->from;

    EXPECT_NE(before.ip, after.ip);
    network.send(kRelay, relay, after, {}, {}, now);
    EXPECT_TRUE(run_one());
    network.send(kRelay, relay, before, {}, {}, now);
    expect_dropped(DropReason::kStaleAddress);
}

TEST_F(NetworkTest, FiltersIpv6BehindANat) {
    const auto client = attach(kClient, {.has_v4 = false, .nat = NatBox{}});
    const auto gateway = attach(kGateway, {.has_v4 = false});

    send(kGateway, client);
    expect_dropped(DropReason::kNatNoMapping);
    send(kClient, gateway);
    EXPECT_EQ(run_one()->from, client);
    send(kGateway, client);
    EXPECT_TRUE(run_one());
}

TEST_F(NetworkTest, TurnsPacketsAroundOnlyInANatThatHairpins) {
    for (const bool hairpins : {false, true}) {
        const Access access{
            .has_v6 = false, .nat = NatBox{.filtering = Dependence::kIndependent, .hairpins = hairpins}, .lan = 1};
        const auto relay = attach_relay();
        attach(kClient, access);
        attach(kGateway, access);
        send(kGateway, relay);
        const auto gateway = run_one()->from;

        send(kClient, gateway);
        const auto delivery = run_one();

        EXPECT_EQ(delivery.has_value(), hairpins);
        EXPECT_EQ(network.dropped(DropReason::kNatNoHairpin), 1U);
        if (delivery) {
            EXPECT_EQ(delivery->from.ip, gateway.ip) << "the outer address of the sender";
        }
        network.detach(kClient);
        network.detach(kGateway);
    }
}

// --- LAN ---

TEST_F(NetworkTest, ReachesPrivateAddressesOnTheSameLanOnly) {
    Access access = kBehindNat;
    access.lan = 1;
    const auto client = attach(kClient, access);
    const auto gateway = attach(kGateway, access);
    access.lan = 2;
    attach(kOtherClient, access);

    send(kClient, gateway);
    const auto sent = now;
    EXPECT_EQ(run_one()->from, client);
    EXPECT_EQ(now - sent, Network::kLanLatency);

    send(kOtherClient, gateway);
    expect_dropped(DropReason::kPrivateUnreachable);
    EXPECT_TRUE(network.are_neighbours(kClient, kGateway));
    EXPECT_FALSE(network.are_neighbours(kClient, kOtherClient));
}

TEST_F(NetworkTest, SharesTheNatOfALan) {
    Access access = kBehindNat;
    access.lan = 1;
    const auto relay = attach_relay();
    attach(kClient, access);
    attach(kGateway, access);

    send(kClient, relay);
    const auto client = run_one()->from;
    send(kGateway, relay);
    const auto gateway = run_one()->from;

    EXPECT_EQ(client.ip, gateway.ip);
    EXPECT_NE(client.port, gateway.port);
    network.send(kRelay, relay, gateway, {}, {}, now);
    EXPECT_EQ(run_one()->host, Device{kGateway});
}

TEST_F(NetworkTest, ReachesEachHostOfALanThroughItsOwnLink) {
    const auto access = [](milliseconds latency) {
        return Access{.has_v6 = false, .nat = NatBox{}, .lan = 1, .latency = latency};
    };
    const auto relay = attach_relay();
    attach(kClient, access(milliseconds{10}));
    attach(kGateway, access(milliseconds{70}));
    send(kGateway, relay);
    const auto gateway = run_one()->from;

    const auto sent = now;
    network.send(kRelay, relay, gateway, {}, {}, now);

    EXPECT_TRUE(run_one());
    EXPECT_EQ(now - sent, milliseconds{10 + 70});
}

TEST_F(NetworkTest, HasANewNatOnceEverybodyHasLeftALan) {
    Access access = kBehindNat;
    access.lan = 1;
    const auto relay = attach_relay();
    attach(kClient, access);
    send(kClient, relay);
    const auto before = run_one()->from.ip;

    attach(kClient, access);
    send(kClient, relay);

    EXPECT_NE(run_one()->from.ip, before);
}

// --- Faults ---

TEST_F(NetworkTest, ImpairsOneDirection) {
    const auto client = attach(kClient, kV4);
    const auto gateway = attach(kGateway, kV4);

    network.impair(kGateway, false, true, {.loss = 1000});

    send(kClient, gateway);
    expect_dropped(DropReason::kLoss);
    send(kGateway, client);
    EXPECT_TRUE(run_one());

    network.heal(kGateway);
    send(kClient, gateway);
    EXPECT_TRUE(run_one());
}

TEST_F(NetworkTest, DelaysOnUplinkAndDownlink) {
    attach(kClient, kV4);
    const auto gateway = attach(kGateway, kV4);
    network.impair(kClient, true, false, {.delay = milliseconds{100}});
    network.impair(kGateway, false, true, {.delay = milliseconds{200}});

    send(kClient, gateway);

    EXPECT_TRUE(run_one());
    EXPECT_EQ(now - kStart, milliseconds{10 + 100 + 200 + 10});
}

TEST_F(NetworkTest, LeavesTheQueuesOfALinkBehindWhenAHostMoves) {
    attach(kClient, kV4);
    const auto gateway = attach(kGateway, kV4);
    network.impair(kClient, true, true, {.delay = seconds{10}});
    send(kClient, gateway, "slow");

    network.heal(kClient);
    attach(kClient, kV4);
    send(kClient, gateway, "fast");

    EXPECT_EQ(as_text(run().front().payload), "fast");
}

TEST_F(NetworkTest, KeepsAnImpairmentWhenAHostMoves) {
    attach(kClient, kV4);
    const auto gateway = attach(kGateway, kV4);
    network.impair(kClient, true, true, {.loss = 1000});

    attach(kClient, kV4);

    send(kClient, gateway);
    expect_dropped(DropReason::kLoss);
}

TEST_F(NetworkTest, BlocksAPairOfHosts) {
    const auto client = attach(kClient, kV4);
    const auto gateway = attach(kGateway, kV4);
    const auto relay = attach_relay();

    network.block(kClient, kGateway);
    send(kClient, gateway);
    send(kGateway, client);
    EXPECT_TRUE(run().empty());
    EXPECT_EQ(network.dropped(DropReason::kBlocked), 2U);
    send(kClient, relay);
    EXPECT_TRUE(run_one());

    network.unblock(kGateway, kClient);
    send(kClient, gateway);
    EXPECT_TRUE(run_one());
}

TEST_F(NetworkTest, LosesOneFamilyOfAHostBothWays) {
    const Access dual{};
    network.attach(kClient, dual, now);
    const auto addresses = network.attach(kGateway, dual, now);
    const net::SocketAddress v4{addresses.front(), kPort};
    const net::SocketAddress v6{addresses.back(), kPort};
    ASSERT_TRUE(v4.ip.is_v4() && v6.ip.is_v6());

    for (const auto& device : {Device{kClient}, Device{kGateway}}) {
        network.lose_family(device, net::Family::kIpv6);
        send(kClient, v6);
        EXPECT_TRUE(run().empty());
        send(kClient, v4);
        EXPECT_TRUE(run_one());
        network.restore_family(device, net::Family::kIpv6);
        send(kClient, v6);
        EXPECT_TRUE(run_one());
    }
    EXPECT_EQ(network.dropped(DropReason::kFamilyLost), 2U);
}

TEST_F(NetworkTest, LosesTooLongPackets) {
    attach(kClient, {});
    const auto gateway = network.attach(kGateway, {}, now);
    const auto sized = [&](std::size_t payload, std::size_t address) {
        send(kClient, {gateway[address], kPort}, std::string(payload, 'x'));
        return run_one().has_value();
    };

    EXPECT_TRUE(sized(1472, 0));
    EXPECT_FALSE(sized(1473, 0));
    EXPECT_TRUE(sized(1452, 1));
    EXPECT_FALSE(sized(1453, 1));
    EXPECT_EQ(network.dropped(DropReason::kTooBig), 2U);
}

// --- Attackers ---

TEST_F(NetworkTest, CarriesAnAttackersDatagramsWithAnySource) {
    const auto client = attach(kClient, {.has_v6 = false, .latency = milliseconds{30}});
    const auto gateway = attach(kGateway, kV4);

    network.inject(gateway, client, as_bytes("boo"), now);
    const auto delivery = run_one().value();

    EXPECT_TRUE(delivery.is_attack);
    EXPECT_EQ(delivery.from, gateway);
    EXPECT_EQ(now - kStart, milliseconds{30});
}

TEST_F(NetworkTest, HoldsAttackersOffLikeEverybody) {
    const auto relay = attach_relay();
    const auto client = attach(kClient, kBehindNat);
    send(kClient, relay);
    const auto outer = run_one()->from;

    network.inject({relay.ip, 1}, outer, {}, now);
    expect_dropped(DropReason::kNatFiltered);
    network.inject(relay, client, {}, now);
    expect_dropped(DropReason::kPrivateUnreachable);
    network.inject(relay, outer, {}, now);
    EXPECT_TRUE(run_one());
}

// --- Order ---

TEST_F(NetworkTest, KeepsTheOrderOfAPairAcrossChangesOfItsLinks) {
    attach(kClient, kV4);
    const auto gateway = attach(kGateway, kV4);
    auto rng = Rng::from_number(5);
    std::string sent;
    std::string received;

    for (char c = 'a'; c <= 'z'; ++c) {
        send(kClient, gateway, std::string(1, c));
        sent += c;
        now += std::chrono::microseconds{rng.below(3000)};
        while (const auto delivery = network.poll_delivery(now)) {
            received += as_text(delivery->payload);
        }
        const Impairment impairment{.delay = milliseconds{rng.below(50)}, .jitter = milliseconds{rng.below(50)}};
        rng.below(2) == 0 ? network.impair(kGateway, rng.below(2) == 0, true, impairment)
                          : network.impair(kClient, true, false, impairment);
        if (rng.below(3) == 0) {
            network.heal(kClient);
            network.heal(kGateway);
        }
    }
    for (const auto& delivery : run()) {
        received += as_text(delivery.payload);
    }

    EXPECT_EQ(received, sent);
}

/// Which of two datagrams arrives first that two hosts send to a third one at the same time.
bool is_first_by_number(std::uint64_t seed, Instant at, bool sent_first_by_number) {
    Network network{Rng::from_number(seed)};
    network.attach(kClient, kV4, at);
    network.attach(kOtherClient, kV4, at);
    const net::SocketAddress gateway{network.attach(kGateway, kV4, at).front(), kPort};
    const std::array clients{sent_first_by_number ? kClient : kOtherClient,
                             sent_first_by_number ? kOtherClient : kClient};
    for (const auto client : clients) {
        network.send(client, {{}, client.value}, gateway, {}, {}, at);
    }
    return network.poll_delivery(at + seconds{1})->from.port == kClient.value;
}

TEST(Network, BreaksTiesByChanceButNotByOrderOfSending) {
    int first = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const bool expected = is_first_by_number(seed, kStart, true);
        EXPECT_EQ(is_first_by_number(seed, kStart, false), expected);
        first += expected ? 1 : 0;
    }
    EXPECT_GT(first, 20);
    EXPECT_LT(first, 80);
}

// --- Determinism ---

/// Everything that arrives in a network of impaired links, as text.
std::string trace_of(std::uint64_t seed, bool with_third_host) {
    Network network{Rng::from_number(seed)};
    const Access access{.nat = NatBox{.filtering = Dependence::kIndependent, .keeps_port = false}};
    if (with_third_host) {
        network.attach_public(RelayNo{2}, true, true, milliseconds{10}, kStart);
        network.impair(RelayNo{2}, true, true, {.loss = 500});
    }
    network.attach(kClient, access, kStart);
    const net::SocketAddress relay{network.attach_public(kRelay, true, false, milliseconds{10}, kStart).front(), 1};
    network.impair(kClient, true, true,
                   {.loss = 100, .duplicate = 100, .corrupt = 100, .jitter = milliseconds{20}, .reorders = true});

    std::string trace;
    for (int i = 0; i < 500; ++i) {
        const auto now = kStart + milliseconds{i};
        const auto text = "datagram " + std::to_string(i);
        network.send(kClient, {{}, kPort}, relay, {}, as_bytes(text), now);
        if (with_third_host) {
            network.send(RelayNo{2}, {{}, kPort}, relay, {}, as_bytes(text), now);
        }
        while (const auto delivery = network.poll_delivery(now)) {
            if (delivery->from.ip.bytes()[0] == std::byte{198}) {
                trace += std::to_string(i) + " " + delivery->from.to_string() + " " + to_hex(delivery->payload) + "\n";
            }
        }
    }
    return trace;
}

TEST(Network, DoesTheSameWithTheSameSeed) {
    EXPECT_EQ(trace_of(1, false), trace_of(1, false));
    EXPECT_NE(trace_of(1, false), trace_of(2, false));
}

TEST(Network, DoesTheSameOnALinkWhateverHappensOnOthers) {
    EXPECT_EQ(trace_of(1, true), trace_of(1, false));
}

}  // namespace
}  // namespace culvert::model
