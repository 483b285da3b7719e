#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/dns/cache.h"
#include "culvert/dns/message.h"
#include "culvert/dns/proxy_addresses.h"
#include "culvert/dns/resources.h"
#include "culvert/dns/sentinels.h"
#include "culvert/dns/server_health.h"
#include "culvert/dns/stub_io.h"
#include "culvert/dns/tunnel_ports.h"
#include "culvert/net/ip_address.h"

namespace culvert::dns {

/// The resolver that a client makes the machine's own: answers names of DNS resources with proxy addresses, asks a
/// gateway for what only its site knows, and passes on the rest (spec/dns.md sections 4, 7 and 9).
///
/// Sans-IO. Queries arrive as DNS messages, whatever packet or stream they were in, and so do answers; which socket or
/// tunnel a query takes is part of the output Ask.
class StubResolver {
public:
    explicit StubResolver(const Rng& rng) : rng_{rng.child("message ids")}, tunnel_ports_{rng.child("tunnel ports")} {}

    // --- Configuration ---

    /// What portal and system say about resolvers. Whether the sentinels changed: nothing is remembered then, and what
    /// was asked is not answered any more, since the connections it came from are closed.
    bool set_resolvers(const PortalResolvers& portal, std::span<const net::IpAddress> system, Instant now);
    [[nodiscard]] const Sentinels& sentinels() const { return sentinels_; }

    /// Which addresses a resource serves that is not a DNS one, among those of the portal's resolvers. Those are asked
    /// through the tunnel. What was asked there over TCP fails if this changes: routes changed, and the gateways behind
    /// them do not know each other's connections.
    void set_tunnelled(std::set<net::IpAddress> servers, Instant now);

    /// False if `address` is no pattern. Adding what exists replaces it.
    bool add_resource(ResourceId id, std::string_view address, IpStack stack);
    void remove_resource(ResourceId id, Instant now);
    [[nodiscard]] const Resources& resources() const { return resources_; }

    /// Proxy addresses of the session before; how many were not taken.
    std::size_t restore(std::span<const ProxyRecord> records) { return proxies_.restore(records); }
    /// Asked after each query: whether proxies().records() should be kept anew.
    [[nodiscard]] bool take_proxies_changed() { return proxies_.take_changed(); }
    [[nodiscard]] const ProxyAddresses& proxies() const { return proxies_; }

    // --- Queries ---

    /// A message to a sentinel. An error: drop it over UDP, reset the connection over TCP.
    std::expected<void, MessageError> handle_query(const Requester& from, ByteSpan message, Instant now);
    /// A message to an LLMNR group (section 4.5): answered if it can be here, else not at all.
    void handle_llmnr(const Requester& from, ByteSpan message, Instant now);
    /// Nobody is left on this TCP connection.
    void handle_connection_closed(std::uint64_t connection, Instant now);

    // --- What comes of an Ask ---

    /// Over UDP it must have come from the server that was asked; a socket that is connected sees to that.
    void handle_response(AskId id, ByteSpan message, Instant now);
    /// It could not be sent, or the connection failed.
    void handle_failure(AskId id, Instant now);
    /// Whether a UDP packet from there to this port of ours is about a query of ours; else it is the operating
    /// system's.
    [[nodiscard]] bool owns_tunnel_port(const net::SocketAddress& server, std::uint16_t local_port, Instant now) const {
        return !std::holds_alternative<TunnelPorts::NotOurs>(tunnel_ports_.owner(server, local_port, now));
    }
    /// Such a packet.
    void handle_tunnel_datagram(const net::SocketAddress& from, std::uint16_t local_port, ByteSpan message,
                                Instant now);
    /// A router says that a UDP packet of ours did not reach `server`.
    void handle_tunnel_unreachable(const net::SocketAddress& server, std::uint16_t local_port, Instant now);

    // --- Sites ---

    /// A gateway serves this resource now, or another one does.
    void handle_site_connected(ResourceId resource, const SiteAddresses& addresses, Instant now);
    void handle_site_lost(ResourceId resource) { sites_.erase(resource); }

    /// The machine is on another network. What was learned on this one is forgotten. What was asked gets no answer, so
    /// that it is asked again, but over TCP, where nothing gets lost, it fails.
    void handle_network_reset(Instant now);

    // --- Time and outputs ---

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    [[nodiscard]] std::optional<StubOutput> poll_output();

    /// Queries that wait for somebody else.
    [[nodiscard]] std::size_t pending() const { return pending_.size(); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    using PendingId = std::uint64_t;
    enum class Due : std::uint8_t { kNextServer, kGiveUp };

    /// A query that waits for an answer.
    struct Pending {
        std::optional<Requester> requester;  // unset: a probe
        Bytes query;
        Question question;
        std::optional<ResourceId> site;
        /// Takes longer, and always ends with an answer.
        bool is_tunnelled = false;
        std::vector<Upstream> left;  // servers to ask still
        std::vector<AskId> asks;     // open
        Deadlines<Due> due;
        std::optional<Instant> scheduled;
    };
    /// A query of ours that may be answered.
    struct OpenAsk {
        PendingId pending = 0;
        std::optional<Upstream> server;  // unset: a gateway
        Route route;
        Transport transport = Transport::kUdp;
        MessageId wire_id = 0;
        Instant since;
    };
    using PendingEntry = std::map<PendingId, Pending>::iterator;
    using SiteQueue = std::pair<ResourceId, Transport>;

    // stub_resolver.cpp: queries and configuration
    void answer(const Requester& to, const Message& query, Bytes response);
    void forward(const Requester& from, const Message& query, const Upstream& server, Instant now);
    void forward_to_site(const Requester& from, const Message& query, ResourceId resource, Instant now);
    void refuse(const Requester& from, const Message& query, std::string_view reason);
    [[nodiscard]] bool has_room(const Requester& from, bool is_tunnelled) const;
    [[nodiscard]] Route route_to(const Upstream& server) const;
    template <typename Predicate>
    void fail_all(Predicate predicate, Instant now);

    // stub_pending.cpp: what is in flight
    PendingEntry add_pending(std::optional<Requester> from, const Message& query, bool is_tunnelled, Instant now);
    void wait_for_site(PendingEntry entry, Instant now);
    void ask_next(PendingEntry entry, Instant now);
    void ask_site(PendingEntry entry, const SiteAddresses& addresses, Instant now);
    bool ask(PendingEntry entry, std::optional<Upstream> server, Route route, Instant now);
    void probe(const Message& query, const Upstream& server, Instant now);
    void fail(AskId id, Instant now);
    void give_up(PendingEntry entry, Instant now);
    /// Ends it with SERVFAIL.
    void fail(PendingEntry entry, Instant now);
    /// Ends it without answer.
    void finish(PendingEntry entry, Instant now);
    void close(AskId id, Instant now);
    void schedule(PendingEntry entry);
    [[nodiscard]] bool is_in_tunnel_stream(const Pending& pending) const;

    Rng rng_;
    Resources resources_;
    ProxyAddresses proxies_;
    Sentinels sentinels_;
    bool servers_are_from_portal_ = false;
    std::set<net::IpAddress> tunnelled_;
    std::map<ResourceId, SiteAddresses> sites_;
    Cache cache_;
    ServerHealth health_;

    PendingId next_pending_ = 0;
    std::uint64_t next_ask_ = 0;
    std::map<PendingId, Pending> pending_;
    std::map<AskId, OpenAsk> asks_;
    std::set<std::pair<Instant, PendingId>> schedule_;
    std::map<net::SocketAddress, std::size_t> pending_by_client_;
    std::size_t pending_in_tunnel_ = 0;
    std::map<SiteQueue, std::deque<PendingId>> waiting_;
    TunnelPorts tunnel_ports_;

    std::deque<StubOutput> outputs_;
};

static_assert(SansIo<StubResolver>);

}  // namespace culvert::dns
