#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "culvert/io/constants.h"
#include "culvert/net/ip_network.h"
#include "culvert/portal_api/messages.h"
#include "culvert/turn/server/constants.h"
#include "tests/model/scenario/names.h"
#include "tests/model/scenario/shape.h"

/// How a case begins: who exists, how they are connected, what the portal knows. Plain data.
namespace culvert::model {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// On what a NAT's mapping, or its filter, depends (RFC 4787 sections 4.1 and 5).
enum class Dependence : std::uint8_t { kIndependent, kAddress, kAddressAndPort };

/// A NAT box for IPv4; for IPv6 it only filters, statefully.
struct NatBox {
    Dependence mapping = Dependence::kIndependent;
    Dependence filtering = Dependence::kAddressAndPort;
    /// Uses the inner port as outer port while that is free.
    bool keeps_port = true;
    bool hairpins = false;
    /// Whether inbound packets keep a mapping alive; outbound ones always do.
    bool inbound_refreshes = true;
    seconds idle_timeout{30};
    /// Its first mapping gets outer port 3478, which peers must not take for a relay's.
    bool maps_to_3478 = false;

    static constexpr auto kShape =
        shape("nat", word("mapping", &NatBox::mapping), word("filtering", &NatBox::filtering),
              flag("random-port", &NatBox::keeps_port), flag("hairpins", &NatBox::hairpins),
              flag("only-outbound-refreshes", &NatBox::inbound_refreshes), option("timeout", &NatBox::idle_timeout),
              flag("maps-to-3478", &NatBox::maps_to_3478));
};

/// How a host is attached to the Internet.
struct Access {
    bool has_v4 = true;
    bool has_v6 = true;
    std::optional<NatBox> nat;
    /// Hosts with the same number other than 0 share one LAN segment (and, if the first of them has one, its NAT).
    std::uint8_t lan = 0;
    /// Addresses per family; more than 1: multi-homed.
    std::uint8_t interfaces = 1;
    /// One way, between the host and the Internet's core.
    milliseconds latency{10};
    std::uint16_t port = io::kPreferredPort;

    static constexpr auto kShape =
        shape("access", flag("no-v4", &Access::has_v4), flag("no-v6", &Access::has_v6), option("nat", &Access::nat),
              option("lan", &Access::lan), option("interfaces", &Access::interfaces),
              option("latency", &Access::latency), option("port", &Access::port));
};

/// When a process's timers go off.
enum class Driver : std::uint8_t {
    kExact,      ///< at the reported deadline, never otherwise
    kLate,       ///< up to 200 ms after it, now and then 5 s
    kSpurious,   ///< also when nothing is due
    kEventLoop,  ///< exact; the production event loop runs above simulated sockets
};

struct ClientSetup {
    Access access;
    Driver driver = Driver::kExact;
    std::vector<GroupNo> groups;
    /// Follows no rule of its own side: sends what attack actions tell it to (spec/testing.md section 7.6).
    bool is_hostile = false;
    /// Unset: does not expire.
    std::optional<seconds> token_lifetime;

    static constexpr auto kShape =
        shape("client", flag("hostile", &ClientSetup::is_hostile), fields_of(&ClientSetup::access),
              option("driver", &ClientSetup::driver), option("groups", &ClientSetup::groups),
              option("token-lifetime", &ClientSetup::token_lifetime));
};

struct GatewaySetup {
    Access access;
    Driver driver = Driver::kExact;
    SiteNo site;
    /// Follows no rule of its own side: sends what betrayals tell it to, and forwards nothing.
    bool is_hostile = false;
    /// How far its wall clock is from the portal's; at most one is not 0.
    seconds clock_ahead{0};
    seconds clock_behind{0};

    static constexpr auto kShape =
        shape("gateway", word("site", &GatewaySetup::site), flag("hostile", &GatewaySetup::is_hostile),
              fields_of(&GatewaySetup::access), option("driver", &GatewaySetup::driver),
              option("clock-ahead", &GatewaySetup::clock_ahead), option("clock-behind", &GatewaySetup::clock_behind));
};

/// Relays have public addresses.
struct RelaySetup {
    bool has_v4 = true;
    bool has_v6 = true;
    milliseconds latency{10};
    /// How many allocations it has ports for.
    std::uint16_t ports = turn::kDefaultHighestPort - turn::kDefaultLowestPort + 1;
    /// Does what it likes with what goes through it, once it is told to.
    bool is_hostile = false;

    static constexpr auto kShape = shape("relay", flag("no-v4", &RelaySetup::has_v4),
                                         flag("no-v6", &RelaySetup::has_v6), option("latency", &RelaySetup::latency),
                                         option("ports", &RelaySetup::ports), flag("hostile", &RelaySetup::is_hostile));
};

struct ResourceSetup {
    net::IpNetwork address;
    std::vector<SiteNo> sites;
    /// None: all traffic. One range per filter; ports mean nothing for ICMP.
    std::vector<portal_api::Filter> filters;

    static constexpr auto kShape =
        shape("resource", word("address", &ResourceSetup::address), option("sites", &ResourceSetup::sites),
              option("filters", &ResourceSetup::filters));
};

struct PolicySetup {
    GroupNo group;
    ResourceNo resource;
    bool is_disabled = false;
    static constexpr auto kShape =
        shape("policy", word("group", &PolicySetup::group), word("resource", &PolicySetup::resource),
              flag("disabled", &PolicySetup::is_disabled));
};

struct Setup {
    /// Of everything random that is not a decision of the script: keys, jitter, lost packets.
    std::uint64_t seed = 0;
    std::uint8_t sites = 1;
    std::uint8_t groups = 1;
    milliseconds portal_latency{20};
    std::vector<ClientSetup> clients;
    std::vector<GatewaySetup> gateways;
    std::vector<RelaySetup> relays;
    std::vector<ResourceSetup> resources;
    std::vector<PolicySetup> policies;

    /// Only its scalars; the rest has lines of its own.
    static constexpr auto kShape =
        shape("setup", option("seed", &Setup::seed), option("sites", &Setup::sites), option("groups", &Setup::groups),
              option("portal-latency", &Setup::portal_latency));

    friend bool operator==(const Setup&, const Setup&) = default;
};

}  // namespace culvert::model
