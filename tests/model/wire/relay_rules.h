#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "tests/model/wire/datagram.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/stun_message.h"

namespace culvert::model::wire {

/// Checks what relays send: one answer per request, in the relay's form, and relayed data only as it came in. Source:
/// spec/relay.md 2 to 6.
class RelayRules {
public:
    RelayRules(Hosts& hosts, Findings& findings) : hosts_{hosts}, findings_{findings} {}

    void handle_sent(Host& relay, const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan datagram,
                     Instant now);
    void handle_received(Host& relay, const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan datagram,
                         bool is_attack);

private:
    struct Request {
        TransactionId id;
        net::SocketAddress from;
        std::uint16_t type = 0;
        bool has_username = false;
        bool deletes = false;
        /// Byte for byte what the same client sent before: it must do nothing again.
        bool is_repeated = false;
        std::string username;
    };
    /// Data on its way through the relay, by its content.
    struct Cargo {
        std::uint64_t fingerprint = 0;
        std::size_t size = 0;
    };
    struct State {
        unsigned run = 0;
        std::deque<Request> requests;
        std::deque<Cargo> cargo;
        std::set<std::uint16_t> ports;
        /// Until when it promised each client an allocation, by its own clock.
        std::map<net::SocketAddress, Instant> allocations;
        /// And to which user: what follows the expiry in the user name.
        std::map<net::SocketAddress, std::string> owners;
        std::deque<std::uint64_t> seen;
    };

    [[nodiscard]] State& state(const Host& relay);
    [[nodiscard]] Complaint judge_answer(Host& relay, State& state, const net::SocketAddress& to, ByteSpan datagram,
                                         Instant now);
    [[nodiscard]] static Complaint judge_form(const StunMessage& message, const Request& request,
                                              const net::SocketAddress& to);
    [[nodiscard]] Complaint judge_allocation(const Host& relay, State& state, const StunMessage& message);
    /// Whether an answer agrees with what the relay answered before: who has an allocation and who has none.
    [[nodiscard]] static Complaint judge_memory(const Host& relay, State& state, const StunMessage& message,
                                                const Request& request, Instant now);
    [[nodiscard]] Complaint judge_integrity(const Host& relay, const StunMessage& message, const Request& request,
                                            Instant now);
    [[nodiscard]] static Complaint judge_cargo(State& state, ByteSpan payload);

    Hosts& hosts_;
    Findings& findings_;
    std::map<Device, State> states_;
};

}  // namespace culvert::model::wire
