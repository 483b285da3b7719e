#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "culvert/net/ip_network.h"
#include "culvert/portal_api/messages.h"
#include "tests/model/scenario/names.h"

/// How a case begins: who exists, how they are connected, what the portal knows. Plain data.
namespace culvert::model {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// On what a NAT's mapping, or its filter, depends (RFC 4787 sections 4.1 and 5).
enum class Dependence : std::uint8_t { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };

/// A NAT box for IPv4; for IPv6 it only filters, statefully.
struct NatBox {
    Dependence mapping = Dependence::kEndpointIndependent;
    Dependence filtering = Dependence::kAddressAndPortDependent;
    /// Uses the inner port as outer port while that is free.
    bool keeps_port = true;
    bool hairpins = false;
    /// Whether inbound packets keep a mapping alive; outbound ones always do.
    bool inbound_refreshes = true;
    seconds idle_timeout{30};
    /// Its first mapping gets outer port 3478, which peers must not take for a relay's.
    bool maps_to_3478 = false;

    friend bool operator==(const NatBox&, const NatBox&) = default;
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
    std::uint16_t port = 52625;

    friend bool operator==(const Access&, const Access&) = default;
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

    friend bool operator==(const ClientSetup&, const ClientSetup&) = default;
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

    friend bool operator==(const GatewaySetup&, const GatewaySetup&) = default;
};

/// Relays have public addresses.
struct RelaySetup {
    bool has_v4 = true;
    bool has_v6 = true;
    milliseconds latency{10};
    /// How many allocations it has ports for.
    std::uint16_t ports = 16'384;
    /// Does what it likes with what goes through it, once it is told to.
    bool is_hostile = false;

    friend bool operator==(const RelaySetup&, const RelaySetup&) = default;
};

struct ResourceSetup {
    net::IpNetwork address;
    std::vector<SiteNo> sites;
    /// None: all traffic. One range per filter; ports mean nothing for ICMP.
    std::vector<portal_api::Filter> filters;

    friend bool operator==(const ResourceSetup&, const ResourceSetup&) = default;
};

struct PolicySetup {
    GroupNo group;
    ResourceNo resource;
    bool is_disabled = false;

    friend bool operator==(const PolicySetup&, const PolicySetup&) = default;
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

    friend bool operator==(const Setup&, const Setup&) = default;
};

}  // namespace culvert::model
