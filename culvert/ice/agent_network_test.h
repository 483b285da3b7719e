#pragma once

#include <array>
#include <functional>
#include <map>
#include <vector>

#include "culvert/base/testing/sans_io_contract.h"
#include "culvert/ice/agent.h"
#include "culvert/stun/message.h"

namespace culvert::ice {

inline net::SocketAddress address(std::string_view text) {
    return *net::SocketAddress::parse(text);
}
inline Candidate host(std::string_view text) {
    return *host_candidate(address(text));
}
inline Candidate relay(std::string_view text, net::Family family = net::Family::kIpv4) {
    return *relay_candidate(address(text), family);
}
/// As it comes out of the parser: the base is not disclosed.
inline Candidate reflexive(std::string_view text) {
    return *server_reflexive_candidate(address(text), address(text));
}

inline const Credentials kClientCredentials{"cufr", "client password"};
inline const Credentials kGatewayCredentials{"gufr", "gateway password"};

/// Two agents, A (client) and B (gateway), joined by a network under virtual time.
///
/// Packets take kDelay. Relay candidates are plain public addresses of their owner. A host behind a symmetric NAT gets
/// one public port per destination, and lets in only that destination.
class AgentNetwork {
public:
    static constexpr Duration kDelay = std::chrono::milliseconds{10};

    struct Side {
        Agent agent;
        std::vector<net::SocketAddress> addresses;
        std::vector<AgentState> states;
        std::vector<Nominated> nominations;
        std::optional<net::IpAddress> symmetric_nat;
        std::map<std::pair<net::SocketAddress, net::SocketAddress>, std::uint16_t> mappings;
        std::uint16_t next_port = 20000;
    };

    AgentNetwork()
        : a{Agent{AgentRole::kControlling, kClientCredentials, kGatewayCredentials, 1, Rng::from_number(1)}},
          b{Agent{AgentRole::kControlled, kGatewayCredentials, kClientCredentials, 2, Rng::from_number(2)}} {}

    /// Adds the candidate locally and, if it is to be signalled, at the other side.
    void trickle(Side& side, const Candidate& candidate) {
        if (candidate.kind == CandidateKind::kServerReflexive) {
            other(side).agent.add_remote_candidate(candidate, now);
            return;
        }
        side.addresses.push_back(candidate.address);
        if (const auto signalled = side.agent.add_local_candidate(candidate, now)) {
            other(side).agent.add_remote_candidate(*parse_candidate(to_string(*signalled)), now);
        }
    }

    void invalidate(Side& side, const Candidate& candidate) {
        if (side.agent.remove_local_candidate(candidate)) {
            other(side).agent.remove_remote_candidate(candidate);
        }
    }

    Side& other(Side& side) { return &side == &a ? b : a; }

    void run_for(Duration duration) {
        const auto end = now + duration;
        while (now <= end) {
            step(a);
            step(b);
            for (auto* side : {&a, &b}) {
                contract::expect_spurious_timeout_is_invisible(side->agent, now);
            }
            auto next = end + std::chrono::nanoseconds{1};
            for (const auto* side : {&a, &b}) {
                next = std::min(next, side->agent.poll_timeout().value_or(next));
            }
            if (!in_flight.empty()) {
                next = std::min(next, in_flight.begin()->first);
            }
            now = std::max(now, next);
            while (!in_flight.empty() && in_flight.begin()->first <= now) {
                const auto packet = in_flight.begin()->second;
                in_flight.erase(in_flight.begin());
                deliver(packet);
            }
        }
        now = end;
    }

    Side a;
    Side b;
    Instant now{};
    /// Whether a packet from source to destination (as the sender sees them) is lost.
    std::function<bool(const net::SocketAddress&, const net::SocketAddress&)> is_lost;
    std::multimap<Instant, AgentTransmit> in_flight;
    /// Every message that was sent, with the time.
    std::vector<std::pair<Instant, AgentTransmit>> sent;

private:
    void step(Side& side) {
        side.agent.handle_timeout(now);
        while (const auto event = side.agent.poll_event()) {
            if (const auto* changed = std::get_if<StateChanged>(&*event)) {
                side.states.push_back(changed->state);
            } else {
                side.nominations.push_back(std::get<Nominated>(*event));
            }
        }
        while (auto transmit = side.agent.poll_transmit()) {
            sent.emplace_back(now, *transmit);
            if (is_lost && is_lost(transmit->source, transmit->destination)) {
                continue;
            }
            translate(side, *transmit);
            in_flight.emplace(now + kDelay, std::move(*transmit));
        }
    }

    /// Source NAT.
    void translate(Side& side, AgentTransmit& transmit) {
        if (!side.symmetric_nat || !is_private(transmit.source)) {
            return;
        }
        auto& port = side.mappings[{transmit.source, transmit.destination}];
        if (port == 0) {
            port = side.next_port++;
        }
        transmit.source = {*side.symmetric_nat, port};
    }

    void deliver(const AgentTransmit& packet) {
        for (auto* side : {&a, &b}) {
            auto destination = packet.destination;
            if (side->symmetric_nat == destination.ip) {
                for (const auto& [flow, port] : side->mappings) {
                    if (port == packet.destination.port && flow.second == packet.source) {
                        destination = flow.first;
                    }
                }
            } else if (side->symmetric_nat && is_private(destination)) {
                continue;  // nobody reaches the inside directly
            }
            if (std::ranges::find(side->addresses, destination) == side->addresses.end()) {
                continue;
            }
            const auto message = stun::Message::parse(packet.payload);
            side->agent.handle_message(destination, packet.source, message.value(), now);
            return;
        }
    }

    static bool is_private(const net::SocketAddress& address) { return address.ip.bytes()[0] == std::byte{10}; }
};

}  // namespace culvert::ice
