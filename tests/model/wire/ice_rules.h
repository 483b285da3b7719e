#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "tests/model/wire/datagram.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/stun_message.h"

namespace culvert::model::wire {

/// Checks connectivity checks and their answers. Source: spec/connectivity.md 4.2 to 4.6, 3.2, 3.7.
class IceRules {
public:
    IceRules(Hosts& hosts, Findings& findings) : hosts_{hosts}, findings_{findings} {}

    /// The peer's candidates reached the host through the portal, or were withdrawn there.
    void handle_candidates(Host& host, const Uuid& peer, const std::vector<std::string>& candidates, Instant now);

    /// A binding request or response.
    void handle_sent(const PeerDatagram& datagram, const StunMessage& message);
    void handle_received(const PeerDatagram& datagram, const StunMessage& message);

    /// Whether ICE lets the host send WireGuard to the peer over that leg: a client after an answer came over it, a
    /// gateway after an authentic check did (spec/connectivity.md 4.5).
    [[nodiscard]] bool is_open(const Host& host, const Uuid& peer, const Leg& leg) const;
    /// When the host last nominated a pair for the first time; the beginning of time if never.
    [[nodiscard]] Instant last_nomination(const Host& host, const Uuid& peer) const;

private:
    /// What is remembered of the checks over one leg.
    struct Path {
        static constexpr std::size_t kMaxChecks = 12;
        std::array<TransactionId, kMaxChecks> ids{};
        std::array<Instant, kMaxChecks> times{};
        std::size_t count = 0;
        Instant last;
        bool is_nominated = false;
        /// Whether the last answer took longer than half of the longest pause between checks.
        bool has_long_trip = false;

        void note_answer(const TransactionId& id, Instant local);
    };
    /// One grant's life.
    struct Connection {
        Instant since;
        std::map<Leg, Path> paths;
        std::set<net::SocketAddress> signalled;
        std::set<net::IpAddress> reflexive_ips;
        std::set<std::uint16_t> host_ports;
        /// Remote ends that sent an authentic check, and that answered one.
        std::set<net::SocketAddress> authentic;
        std::set<net::SocketAddress> answered;
        Instant last_nomination;
        unsigned nominations = 0;
        unsigned allowed_nominations = 0;
        unsigned verified = 0;
        /// Of the agent that checks now, and when the latest agents sent their first checks.
        std::optional<std::uint64_t> tie_breaker;
        std::deque<Instant> lives;
    };
    struct Request {
        TransactionId id;
        Leg leg;
        std::string password;
    };

    [[nodiscard]] Connection& connection(const Host& host, const Grant& grant);
    [[nodiscard]] const Connection* find(const Host& host, const Uuid& peer) const;
    [[nodiscard]] Complaint judge_check(const PeerDatagram& datagram, const StunMessage& message);
    [[nodiscard]] Complaint judge_answer(const PeerDatagram& datagram, const StunMessage& message);
    [[nodiscard]] Complaint judge_schedule(const PeerDatagram& datagram, Path& path, const TransactionId& id);
    [[nodiscard]] Complaint note_agent(const PeerDatagram& datagram, Connection& connection, std::uint64_t tie_breaker);
    void note_nomination(const PeerDatagram& datagram, Connection& connection);
    [[nodiscard]] static bool may_be_checked(const Connection& connection, const net::SocketAddress& remote);

    Hosts& hosts_;
    Findings& findings_;
    std::map<std::pair<Device, Uuid>, Connection> connections_;
    /// Received and not yet answered.
    std::map<Device, std::deque<Request>> requests_;
    unsigned answers_ = 0;
};

}  // namespace culvert::model::wire
