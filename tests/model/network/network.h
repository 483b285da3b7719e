#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/enumerators.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/ecn.h"
#include "culvert/net/socket_address.h"
#include "tests/model/network/address_book.h"
#include "tests/model/network/drop_reason.h"
#include "tests/model/network/flight_queue.h"
#include "tests/model/network/host.h"
#include "tests/model/scenario/action.h"
#include "tests/model/scenario/setup.h"

/// The simulated Internet between clients, gateways and relays (spec/testing.md section 7.3).
namespace culvert::model {

/// A datagram arrives at a host.
struct Delivery {
    Device host;
    net::SocketAddress from;
    net::SocketAddress to;  ///< the host's own address
    net::Ecn ecn = net::Ecn::kNotEct;
    Bytes payload;
    bool is_attack = false;
    bool is_authentic = false;  ///< an attack that a relay must take for a user's own request
};

/// Carries UDP datagrams between hosts, under virtual time.
///
///     host - NAT - access link (latency, impairment) - core - access link - NAT - host
///
/// A datagram takes the latencies of both access links. It meets the sender's NAT and uplink when it is sent and the
/// receiver's downlink and NAT when it gets there. Hosts of one LAN reach each other's own addresses within
/// kLanLatency, whatever happens to their links.
///
/// Order is kept from one host to another, but for links that reorder. Datagrams of different pairs of hosts that
/// arrive at the same instant come in an order that depends on seed, pair and instant only.
///
/// Time never goes backwards between calls. Faults act at the time of the latest call that took a time; so deliveries
/// that are due should be polled first.
class Network {
public:
    static constexpr milliseconds kLanLatency{1};

    /// All randomness comes from `rng`, with a generator of its own for each link.
    explicit Network(Rng rng);

    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    /// Connects the host, after detach(), to a new network: addresses that nobody ever had, a new NAT with empty tables
    /// unless a host with the same LAN number is attached. Returns the host's own addresses, IPv4 first: behind a NAT
    /// the IPv4 ones are private.
    std::vector<net::IpAddress> attach(const Device& device, const Access& access, Instant now);
    /// The same for a relay, which has public addresses.
    std::vector<net::IpAddress> attach_public(RelayNo relay, bool has_v4, bool has_v6, milliseconds latency,
                                              Instant now);
    /// The host loses its addresses. What is under way to them is lost; what it has sent arrives.
    void detach(const Device& device);

    /// A host sends from one of its addresses, or from its first of the family of `to` if `from.ip` is unspecified.
    void send(const Device& device, const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
              ByteSpan payload, Instant now);
    /// The same for what the host's program would not send if it kept the rules.
    void send_forged(const Device& device, const net::SocketAddress& from, const net::SocketAddress& to,
                     ByteSpan payload, Instant now);
    /// An attacker somewhere on the Internet sends with any source address it likes.
    void inject(const net::SocketAddress& from, const net::SocketAddress& to, ByteSpan payload, Instant now,
                bool is_authentic = false);

    /// When something happens next; there need not be a delivery then.
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    /// The next datagram that arrives no later than `now`.
    std::optional<Delivery> poll_delivery(Instant now);

    // --- Faults ---

    /// Replaces what impairs these directions of the host's access link.
    void impair(const Device& device, bool up, bool down, const Impairment& impairment);
    void heal(const Device& device);
    /// No datagram of one of them reaches the other, whatever addresses they use.
    void block(const Device& a, const Device& b);
    void unblock(const Device& a, const Device& b);
    /// No datagram of this family leaves the host or reaches it.
    void lose_family(const Device& device, net::Family family);
    void restore_family(const Device& device, net::Family family);
    /// The NAT between this host and the Internet, if there is one, forgets its mappings, and has a new public address.
    void reboot_nat(const Device& device);
    void renumber_nat(const Device& device);
    void replace_nat(const Device& device, const NatBox& box);

    // --- What an omniscient observer sees ---

    /// As what the Internet knows a port of the host: its own addresses, and what an IPv4 NAT has mapped it to.
    [[nodiscard]] std::vector<net::SocketAddress> public_endpoints(const Device& device, std::uint16_t port,
                                                                   Instant now) const;
    /// Whether they are on one LAN, so that their access links do not matter.
    [[nodiscard]] bool are_neighbours(const Device& a, const Device& b) const;
    /// How many datagrams were lost for this reason.
    [[nodiscard]] std::uint64_t dropped(DropReason reason) const { return dropped_[static_cast<std::size_t>(reason)]; }

private:
    enum class Stage : std::uint8_t {
        kDownlink,  ///< meets the receiver's downlink next
        kNat,       ///< meets the receiver's NAT next, if there is one
        kLan,       ///< is in the receiver's LAN
    };
    struct Datagram {
        Stage stage = Stage::kNat;
        bool is_attack = false;
        bool is_authentic = false;
        net::Ecn ecn = net::Ecn::kNotEct;
        Host* sender = nullptr;    ///< nullptr: an attacker
        Host* receiver = nullptr;  ///< whose downlink it takes
        net::SocketAddress from;
        net::SocketAddress to;
        const AddressBook::Place* place = nullptr;  ///< of `to`; nullptr: nobody ever had that address
        Bytes payload;
    };

    [[nodiscard]] Host& host(const Device& device);
    [[nodiscard]] const Host* find_host(const Device& device) const;
    [[nodiscard]] Rng rng_of_link(const Device& device, bool is_up) const;
    void join_segment(Host& joining, const Access& access);
    void leave_segment(Host& leaving);

    void send(Host& sender, Datagram datagram, Instant now);
    void send_to_neighbour(Datagram datagram, Instant now);
    void send_through_own_nat(Datagram datagram, Instant now);
    void send_to_internet(Host& sender, Datagram datagram, Instant now);
    void enter_core(Datagram datagram, Instant at);
    [[nodiscard]] Host& behind_nat(const Segment& segment, const net::SocketAddress& outer) const;
    void pass_downlink(Datagram datagram, Instant now);
    void enter_nat(Datagram datagram, Instant now);
    void deliver(Datagram datagram);

    void schedule(Datagram datagram, Stage stage, Instant at);
    void advance(Instant now);
    void drop(DropReason reason) { ++dropped_[static_cast<std::size_t>(reason)]; }
    [[nodiscard]] bool is_blocked(const Host& a, const Host& b) const;
    [[nodiscard]] bool has_lost(const Host& host, net::Family family) const;

    Rng::Seed seed_;
    std::uint64_t salt_;
    AddressBook book_;
    std::map<Device, Host> hosts_;  ///< hosts are never erased: datagrams under way point to them
    std::map<std::uint8_t, std::shared_ptr<Segment>> lans_;
    std::set<std::pair<Device, Device>> blocked_;
    std::set<std::pair<Device, net::Family>> lost_families_;
    FlightQueue<Datagram> in_flight_;
    std::deque<Delivery> arrived_;
    Instant now_{};
    std::array<std::uint64_t, kEnumeratorCount<DropReason>> dropped_{};
};

}  // namespace culvert::model
