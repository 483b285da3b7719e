#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/wire/datagram.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/stun_message.h"

namespace culvert::model::wire {

/// Checks what devices say to relays, and follows the answers far enough to know what may be said next. Source:
/// spec/connectivity.md 5, spec/relay.md 7.
class TurnClientRules {
public:
    TurnClientRules(Hosts& hosts, Findings& findings) : hosts_{hosts}, findings_{findings} {}

    /// A request to `relay`; never one of ICE.
    void handle_sent(Host& host, const net::SocketAddress& relay, const StunMessage& message, Instant now);
    void handle_received(Host& host, const net::SocketAddress& relay, const StunMessage& message, Instant now);

    /// The peer of a channel through which data is sent or received. On failure, what is wrong with it.
    [[nodiscard]] std::expected<net::SocketAddress, Complaint> find_peer(Host& host, const net::SocketAddress& relay,
                                                                         std::uint16_t channel, Instant now);

    /// Whether a relay once told the host that this is an address of its: relayed, or mapped.
    [[nodiscard]] bool was_relayed(const Host& host, const net::SocketAddress& address) const;
    [[nodiscard]] bool was_mapped(const Host& host, const net::SocketAddress& address) const;
    /// How often `address` was allocated for the host.
    [[nodiscard]] unsigned allocations_of(const Host& host, const net::SocketAddress& address) const;

    /// Timers that should have gone off by now.
    void finish(Instant now);

private:
    struct Pending {
        TransactionId id;
        std::uint16_t type = 0;
        bool has_nonce = false;
        std::uint16_t channel = 0;
        bool deletes = false;
        Instant sent;  ///< by the host's own clock
    };
    /// Transmissions of one request, the first and its repetitions.
    struct Series {
        Instant last;
        unsigned transmissions = 0;
        bool is_open = false;
        TransactionId id{};
    };
    struct Channel {
        net::SocketAddress peer;
        Instant bound;
    };
    /// One allocation's life at the device.
    struct Allocation {
        unsigned run = 0;
        std::string software;
        Instant since;

        bool is_probed = false;
        bool is_allocated = false;
        bool must_delete = false;
        bool is_refused = false;  ///< its credentials are
        bool is_given_up = false;
        Instant created;
        Instant allocated;  ///< or its lifetime last restarted
        Duration lifetime{};
        Instant refreshed;
        std::vector<net::SocketAddress> relayed;
        std::optional<net::SocketAddress> mapped;
        std::string nonce;
        Instant nonce_learnt;  ///< by the world's clock
        std::optional<Instant> keepalive;
        std::map<std::uint16_t, Channel> channels;
        std::map<std::pair<std::uint16_t, std::uint16_t>, Series> series;
        std::deque<Pending> pending;
    };

    [[nodiscard]] Allocation& allocation(const Host& host, const net::SocketAddress& relay,
                                         const RelayCredentials& credentials);
    [[nodiscard]] Complaint judge(Host& host, const net::SocketAddress& relay, const StunMessage& message, Instant now);
    [[nodiscard]] static Complaint judge_form(const StunMessage& message, std::string_view software);
    [[nodiscard]] static bool has_given_up(const Allocation& allocation, Instant local);
    [[nodiscard]] static bool asks_anew(const Host& host, const Allocation& allocation, const StunMessage& message);
    [[nodiscard]] bool is_newest_nonce(const Host& host, const RelayCredentials& credentials,
                                       const Allocation& allocation, std::string_view nonce) const;
    [[nodiscard]] Complaint judge_credentials(const Host& host, const StunMessage& message,
                                              const RelayCredentials& credentials, const Allocation& allocation) const;
    [[nodiscard]] Complaint judge_order(const Host& host, const StunMessage& message, Allocation& allocation,
                                        Instant now);
    [[nodiscard]] Complaint judge_channel(const StunMessage& message, Allocation& allocation, Instant local);
    [[nodiscard]] static Complaint judge_schedule(const Host& host, const StunMessage& message, Allocation& allocation,
                                                  Instant local);
    void judge_error(const Host& host, const net::SocketAddress& relay, const Pending& request,
                     const RelayCredentials& credentials, std::uint32_t code, Instant now);
    [[nodiscard]] static bool has_expired(const RelayCredentials& credentials, Instant now);
    void handle_success(const Host& host, const Pending& request, const StunMessage& message, Allocation& allocation,
                        Instant local);
    static void handle_error(const Pending& request, std::uint32_t code, const StunMessage& message,
                             Allocation& allocation, Instant now);

    Hosts& hosts_;
    Findings& findings_;
    std::map<std::pair<Device, net::SocketAddress>, Allocation> allocations_;
    std::map<std::pair<Device, net::SocketAddress>, unsigned> relayed_;
    std::map<std::pair<Device, net::SocketAddress>, unsigned> mapped_;
};

/// Code of an error response; 0 if it has none.
[[nodiscard]] std::uint32_t error_code(const StunMessage& message);

}  // namespace culvert::model::wire
