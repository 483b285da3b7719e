// What NATs let through is what theory says.

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "culvert/base/testing/repetitions.h"
#include "tests/model/network/network.h"

namespace culvert::model {
namespace {

using enum Dependence;

constexpr std::array kAll{kIndependent, kAddress, kAddressAndPort};
constexpr RelayNo kServer{1};
constexpr std::array<Device, 2> kPeers{ClientNo{1}, GatewayNo{1}};
constexpr std::uint16_t kPort = 52625;
constexpr std::uint16_t kServerPort = 3478;

bool is_endpoint_independent(Dependence dependence) {
    return dependence == Dependence::kIndependent;
}
bool depends_on_port(Dependence dependence) {
    return dependence == Dependence::kAddressAndPort;
}

/// `sender` sends from a port that `receiver` cannot know beforehand, and `receiver` admits only ports that it knows.
bool is_shut_out(const NatBox& sender, const NatBox& receiver) {
    return !is_endpoint_independent(sender.mapping) && depends_on_port(receiver.filtering);
}

bool can_punch_holes(const NatBox& a, const NatBox& b) {
    if (is_shut_out(a, b) || is_shut_out(b, a)) {
        return false;
    }
    // Somebody's first check must get in: at a mapping that the answering side has used towards the other, or past a
    // filter that admits everybody.
    const bool first_check_gets_in = is_endpoint_independent(a.mapping) || is_endpoint_independent(a.filtering) ||
                                     is_endpoint_independent(b.mapping) || is_endpoint_independent(b.filtering);
    // If each answers every new port from another new port, no answer ever comes from where the check went
    // (RFC 8445 section 7.2.5.2.1).
    const bool never_symmetric = depends_on_port(a.mapping) && depends_on_port(b.mapping);
    return first_check_gets_in && !never_symmetric;
}

/// Whether two hosts can find a direct path by ICE: both learn from a server as what the Internet knows them, exchange
/// that, and send connectivity checks to each other at the same time (RFC 8445; spec/testing.md section 4.3).
///
/// Hosts of one LAN share the NAT of the one that came first: `nat` must be the box that a host really is behind.
bool can_connect_directly(const Access& a, const Access& b) {
    // Filters alone stop nobody who sends at the same time: addresses and ports are known beforehand.
    if (a.has_v6 && b.has_v6) {
        return true;
    }
    if (!a.has_v4 || !b.has_v4) {
        return false;
    }
    const bool same_lan = a.lan != 0 && a.lan == b.lan;
    return same_lan || !a.nat || !b.nat || can_punch_holes(*a.nat, *b.nat);
}

/// What ICE comes down to: two peers that exchange as what a server sees them, then check every address of the other
/// that they know or see, and count only answers that come from where the check went.
class SimultaneousOpen {
public:
    SimultaneousOpen(const Access& a, const Access& b) {
        servers_ = network_.attach_public(kServer, true, true, milliseconds{10}, now_);
        peers_[kPeers[0]].own = network_.attach(kPeers[0], a, now_);
        peers_[kPeers[1]].own = network_.attach(kPeers[1], b, now_);
    }

    bool succeeds() {
        gather();
        for (int round = 0; round < 6; ++round) {
            for (const auto& peer : kPeers) {
                check_all(peer);
            }
            run();
        }
        EXPECT_EQ(peers_[kPeers[0]].has_valid_pair, peers_[kPeers[1]].has_valid_pair);
        return peers_[kPeers[0]].has_valid_pair;
    }

private:
    /// Enough for what can succeed. What cannot may find new addresses for ever.
    static constexpr std::size_t kMostCandidates = 50;

    struct Peer {
        std::vector<net::IpAddress> own;
        std::vector<net::SocketAddress> candidates;  ///< of the other one
        bool has_valid_pair = false;
    };

    [[nodiscard]] static const Device& other(const Device& peer) { return peer == kPeers[0] ? kPeers[1] : kPeers[0]; }

    void gather() {
        for (const auto& peer : kPeers) {
            for (const auto& address : peers_[peer].own) {
                learn(other(peer), {address, kPort});
            }
            for (const auto& server : servers_) {
                send(peer, {server, kServerPort}, peer == kPeers[0] ? "0" : "1");
            }
        }
        run();
    }

    void check_all(const Device& peer) {
        for (const auto& candidate : peers_[peer].candidates) {
            send(peer, candidate, "?" + candidate.to_string());
        }
    }

    void run() {
        while (const auto next = network_.poll_timeout()) {
            now_ = *next;
            while (const auto delivery = network_.poll_delivery(now_)) {
                receive(*delivery);
            }
        }
    }

    void receive(const Delivery& delivery) {
        const std::string text{as_text(delivery.payload)};
        if (delivery.host == Device{kServer}) {
            learn(text == "0" ? kPeers[1] : kPeers[0], delivery.from);
        } else if (text.starts_with('?')) {
            learn(delivery.host, delivery.from);
            send(delivery.host, delivery.from, "!" + text.substr(1));
        } else if (text.starts_with('!')) {
            peers_[delivery.host].has_valid_pair |= text.substr(1) == delivery.from.to_string();
        }
    }

    void learn(const Device& peer, const net::SocketAddress& candidate) {
        auto& known = peers_[peer].candidates;
        if (known.size() < kMostCandidates && std::ranges::find(known, candidate) == known.end()) {
            known.push_back(candidate);
        }
    }

    void send(const Device& peer, const net::SocketAddress& to, const std::string& text) {
        network_.send(peer, {{}, kPort}, to, net::Ecn::kNotEct, as_bytes(text), now_);
    }

    Network network_{Rng::from_number(1)};
    Instant now_{seconds{1000}};
    std::vector<net::IpAddress> servers_;
    std::map<Device, Peer> peers_;
};

/// Some behaviours in a line of their own, for failure messages.
std::string describe(const Access& access) {
    std::string text = std::string{access.has_v4 ? "v4 " : ""} + (access.has_v6 ? "v6 " : "");
    text += "lan " + std::to_string(access.lan);
    if (access.nat) {
        text += " nat: mapping " + std::to_string(static_cast<int>(access.nat->mapping)) + ", filtering " +
                std::to_string(static_cast<int>(access.nat->filtering)) +
                (access.nat->keeps_port ? ", keeps port" : "") + (access.nat->maps_to_3478 ? ", maps to 3478" : "") +
                (access.nat->hairpins ? ", hairpins" : "");
    }
    return text;
}

void expect_prediction(const Access& a, const Access& b) {
    const bool predicted = can_connect_directly(a, b);
    EXPECT_EQ(SimultaneousOpen(a, b).succeeds(), predicted) << describe(a) << " / " << describe(b);
    EXPECT_EQ(can_connect_directly(b, a), predicted);
}

TEST(DirectPath, NeedsNoHoleWhereOneEndIsPublic) {
    const Access open{.has_v6 = false};
    const Access symmetric{.has_v6 = false, .nat = NatBox{.mapping = kAddressAndPort}};

    EXPECT_TRUE(can_connect_directly(open, open));
    EXPECT_TRUE(can_connect_directly(open, symmetric));
}

TEST(DirectPath, FailsBetweenSymmetricAndPortRestricted) {
    const Access symmetric{.has_v6 = false, .nat = NatBox{.mapping = kAddressAndPort}};
    const Access port_restricted{.has_v6 = false, .nat = NatBox{.filtering = kAddressAndPort}};
    const Access address_restricted{.has_v6 = false, .nat = NatBox{.filtering = kAddress}};

    EXPECT_FALSE(can_connect_directly(symmetric, port_restricted));
    EXPECT_TRUE(can_connect_directly(symmetric, address_restricted));
    EXPECT_TRUE(can_connect_directly(port_restricted, port_restricted));
}

TEST(DirectPath, NeedsACommonFamily) {
    EXPECT_FALSE(can_connect_directly({.has_v6 = false}, {.has_v4 = false}));
}

TEST(DirectPath, IsWhatTwoNatsAllow) {
    std::vector<Access> accesses;
    for (const auto mapping : kAll) {
        for (const auto filtering : kAll) {
            for (const bool keeps_port : {false, true}) {
                const NatBox box{.mapping = mapping, .filtering = filtering, .keeps_port = keeps_port};
                accesses.push_back({.has_v6 = false, .nat = box});
            }
        }
    }
    for (const auto& a : accesses) {
        for (const auto& b : accesses) {
            expect_prediction(a, b);
        }
    }
}

Access random_access(Rng& rng) {
    const auto chance = [&] { return rng.below(2) == 0; };
    Access access{.has_v4 = chance(), .lan = static_cast<std::uint8_t>(rng.below(3))};
    access.has_v6 = !access.has_v4 || chance();
    access.interfaces = static_cast<std::uint8_t>(1 + rng.below(2));
    access.latency = milliseconds{rng.below(100)};
    if (chance()) {
        access.nat = NatBox{.mapping = kAll[rng.below(3)],
                            .filtering = kAll[rng.below(3)],
                            .keeps_port = chance(),
                            .hairpins = chance(),
                            .inbound_refreshes = chance(),
                            .maps_to_3478 = chance()};
    }
    return access;
}

TEST(DirectPath, IsWhatTheNetworkAllows) {
    auto rng = Rng::from_number(42);
    for (int i = 0; i < repetitions(2000); ++i) {
        expect_prediction(random_access(rng), random_access(rng));
    }
}

}  // namespace
}  // namespace culvert::model
