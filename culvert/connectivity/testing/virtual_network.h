#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "culvert/connectivity/node.h"
#include "culvert/turn/server/server.h"

/// A network of nodes and relays under virtual time, for tests. Packets take Network::delay; NATs, losses and
/// blockades are up to the test.
namespace culvert::connectivity::testing {

inline net::SocketAddress at(std::string_view text) {
    return *net::SocketAddress::parse(text);
}
inline net::IpAddress ip(std::string_view text) {
    return *net::IpAddress::parse(text);
}

struct Datagram {
    net::SocketAddress from;
    net::SocketAddress to;
    net::Ecn ecn = net::Ecn::kNotEct;
    Bytes payload;
};

struct Host {
    struct Received {
        Instant at;
        ConnectionId connection;
        Bytes packet;
    };
    struct Sent {
        Instant at;
        Datagram datagram;
    };
    struct Happened {
        Instant at;
        Event event;
    };

    Host(Role role, Uuid host_id, std::uint64_t seed, Instant now);

    Role role;
    Uuid id;
    Node node;
    std::optional<net::IpAddress> v4;
    std::optional<net::IpAddress> v6;
    /// Outside address of a symmetric NAT in front of v4.
    std::optional<net::IpAddress> nat;
    bool is_up = true;
    /// Whether candidate events reach the peer.
    bool is_signalling = true;

    std::vector<Received> received;
    std::vector<Sent> sent;
    std::vector<Happened> events;
    std::vector<DecapsulateError> errors;
    net::TransmitQueue queue;

    std::map<std::pair<net::SocketAddress, net::SocketAddress>, std::uint16_t> mappings;
    std::uint16_t next_port = 30000;

    [[nodiscard]] bool owns(const net::IpAddress& address) const { return v4 == address || v6 == address; }
    template <typename E>
    [[nodiscard]] std::vector<Instant> times_of() const {
        std::vector<Instant> times;
        for (const auto& happened : events) {
            if (std::holds_alternative<E>(happened.event)) {
                times.push_back(happened.at);
            }
        }
        return times;
    }
    template <typename E>
    [[nodiscard]] std::size_t count() const {
        return times_of<E>().size();
    }
};

struct Relay {
    RelayServer description;
    std::unique_ptr<turn::Server> server;
    std::set<std::uint16_t> ports;
    bool is_up = true;
    std::vector<std::uint16_t> error_codes;
};

class Network {
public:
    static constexpr std::uint16_t kPort = 52625;

    explicit Network(std::uint64_t seed = 1) : rng_{Rng::from_number(seed)} {}

    Duration delay = std::chrono::milliseconds{10};
    /// How long a datagram takes; `delay` if unset.
    std::function<Duration(const Datagram&)> delay_of;
    Instant now{};
    /// Lost on the way; addresses as on the wire behind the sender's NAT.
    std::function<bool(const Datagram&)> is_lost;

    Host& add_host(Role role, std::optional<std::string_view> v4, std::optional<std::string_view> v6);
    Relay& add_relay(std::optional<std::string_view> v4, std::optional<std::string_view> v6);
    /// A relay that lost its memory and got a new secret.
    void reboot(Relay& relay);
    void give_relays(Host& host, const std::vector<const Relay*>& relays);
    /// The usual: all relays to all hosts, and time for them to answer.
    void settle();

    /// Upserts the gateway's side, then the client's, as the portal would.
    void connect(Host& client, Host& gateway);
    void upsert(Host& host, const Host& peer);
    crypto::PresharedKey preshared_key{};
    /// Part of all ICE credentials: other keys mean other credentials.
    std::string credentials_epoch = "a";

    /// Through the fast path.
    void send(Host& from, const Host& to, ByteSpan ip_packet);
    void send_slow(Host& from, const Host& to, ByteSpan ip_packet);
    /// Puts a datagram on the wire.
    void inject(Datagram datagram);

    void block_direct(const Host& a, const Host& b);
    void run_for(Duration duration);
    /// Handles what is due now: call after an input made without this class.
    void settle_node(Host& host);

    std::deque<Host> hosts;
    std::deque<Relay> relays;

private:
    struct Signal {
        Host* to;
        ConnectionId id;
        std::string candidate;
        bool is_new;
    };

    [[nodiscard]] Credentials credentials_of(const Host& host) const;
    Instant next_event(Instant end);
    void drain(Host& host);
    void flush_queue(Host& host);
    void transmit(Host& host, const net::Path& path, net::Ecn ecn, ByteSpan payload);
    void deliver(Datagram datagram);
    bool deliver_to_relay(Relay& relay, const Datagram& datagram);
    void run_commands(Relay& relay);
    void deliver_to_host(Host& host, const net::SocketAddress& local, Datagram& datagram);
    [[nodiscard]] static std::optional<net::SocketAddress> inside_of_nat(const Host& host, const Datagram& datagram);
    [[nodiscard]] WallTime wall_now() const;

    Rng rng_;
    std::multimap<Instant, std::variant<Datagram, Signal>> in_flight_;
};

/// A small UDP packet with recognisable content.
[[nodiscard]] Bytes ping(std::uint8_t number, std::size_t payload_size = 16, net::Ecn ecn = net::Ecn::kNotEct);

/// Goodbye of the tunnel's control protocol (spec/connectivity.md section 8.6).
[[nodiscard]] Bytes goodbye();

/// What a datagram is, for assertions about order.
enum class Wire {
    kInitiation,
    kResponse,
    kData,
    kKeepAlive,
    kCheck,
    kNominatingCheck,
    kCheckSuccess,
    kChannelData,
    kOther
};
[[nodiscard]] Wire wire_kind(ByteSpan datagram);

}  // namespace culvert::connectivity::testing
