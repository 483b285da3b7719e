#pragma once

#include <map>
#include <optional>

#include "tests/model/wire/datagram.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/stun_message.h"
#include "tests/model/wire/wireguard_message.h"

namespace culvert::model::wire {

/// Checks that hosts without traffic are quiet (RES-1): what keeps paths and NATs alive, and no more often. Source:
/// spec/connectivity.md 4.6, 5.5, 7.2 and 8.2.
///
/// A host counts as idle after any packet, nomination, message of the portal or fault for as long as its connections
/// may need to become idle themselves.
class IdleRules {
public:
    IdleRules(const Hosts& hosts, Findings& findings) : hosts_{hosts}, findings_{findings} {}

    /// A packet, or a message that may have a connection behind it.
    void note_activity(const Host& host, Instant now) { states_[host.device].active_at = host.local(now); }

    void handle_check_sent(const PeerDatagram& datagram, const StunMessage& message);
    void handle_check_received(const PeerDatagram& datagram, const StunMessage& message);
    void handle_wireguard_sent(const PeerDatagram& datagram, const WireGuardMessage& message);
    void handle_wireguard_received(const PeerDatagram& datagram, const WireGuardMessage& message);
    /// To a relay.
    void handle_request_sent(const Host& host, const net::SocketAddress& relay, const StunMessage& message,
                             Instant now);

private:
    /// All times are the host's own.
    struct Pair {
        std::optional<Instant> checked_at;
        bool is_nominated = false;
    };
    struct Binding {
        TransactionId id{};
        Instant at;
    };
    struct State {
        Instant active_at;
        std::optional<Instant> handshake_at;
        std::map<std::pair<Uuid, Leg>, Pair> pairs;
        /// Tie-breakers of the peers' agents.
        std::map<Uuid, std::uint64_t> agents;
        std::map<net::SocketAddress, Binding> bindings;
        /// By the part of a peer's indices that all its sessions share: the leg that WireGuard was last sent over.
        std::map<std::uint32_t, Leg> answered_over;
    };

    /// Whether all connections of the host must have been idle at `local`, and undisturbed since.
    [[nodiscard]] bool is_idle(const Host& host, const State& state, Instant local) const;
    /// How many pairs were checked since then.
    [[nodiscard]] static std::ptrdiff_t count_checked(const State& state, const Uuid& peer, Instant since);
    static void forget_nominations(State& state, const Uuid& peer);
    void handle_wireguard(const Host& host, const WireGuardMessage& message, Instant now);

    const Hosts& hosts_;
    Findings& findings_;
    std::map<Device, State> states_;
};

}  // namespace culvert::model::wire
