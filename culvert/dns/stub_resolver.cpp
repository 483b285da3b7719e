#include "culvert/dns/stub_resolver.h"

#include <algorithm>

#include "culvert/base/overloaded.h"
#include "culvert/base/snapshot.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/local_answer.h"
#include "culvert/dns/response.h"
#include "culvert/observability/log.h"

namespace culvert::dns {

namespace {

constexpr log::Logger kLog{"dns"};

}  // namespace

bool StubResolver::set_resolvers(const PortalResolvers& portal, std::span<const net::IpAddress> system, Instant now) {
    const auto effective = effective_servers(portal, system);
    servers_are_from_portal_ = effective.are_from_portal;
    if (!sentinels_.update(effective.servers)) {
        return false;
    }
    if (sentinels_.mappings().empty()) {
        kLog.info("No resolvers are known: names of resources cannot be resolved until the network has some");
    }
    cache_.clear();
    health_.clear();
    while (!pending_.empty()) {
        finish(pending_.begin(), now);
    }
    return true;
}

void StubResolver::set_tunnelled(std::set<net::IpAddress> servers, Instant now) {
    if (servers != tunnelled_) {
        tunnelled_ = std::move(servers);
        cache_.clear();  // a resolver may say something else to who comes another way
        fail_all([&](const Pending& pending) { return is_in_tunnel_stream(pending); }, now);
    }
}

bool StubResolver::add_resource(ResourceId id, std::string_view address, IpStack stack) {
    cache_.clear();
    return resources_.add(id, address, stack);
}

void StubResolver::remove_resource(ResourceId id, Instant now) {
    cache_.clear();
    resources_.remove(id);
    sites_.erase(id);
    waiting_.erase({id, Transport::kUdp});
    waiting_.erase({id, Transport::kTcp});
    fail_all([&](const Pending& pending) { return pending.site == id; }, now);
}

std::expected<void, MessageError> StubResolver::handle_query(const Requester& from, ByteSpan message, Instant now) {
    const auto* server = sentinels_.find(from.asked.ip);
    if (server == nullptr || from.asked.port != kDnsPort) {
        return {};  // it may have been a sentinel when the query came
    }
    const auto query = Message::parse_query(message);
    if (!query) {
        kLog.debug("Ignoring malformed query", log::field("error", to_string(query.error())));
        return std::unexpected{query.error()};
    }
    if (message.size() > kMaxQuery) {
        refuse(from, *query, "too long");
        return {};
    }
    if (auto cached = cache_.find(*query, now)) {
        answer(from, *query, std::move(*cached));
        return {};
    }
    auto decision = decide(*query, resources_, proxies_);
    std::visit(overloaded{[&](AnswerHere& here) {
                              answer(from, *query, std::move(here.response));
                              outputs_.emplace_back(NameAnswered{query->question().name});
                          },
                          [&](const AskSite& site) { forward_to_site(from, *query, site.resource, now); },
                          [&](const AskUpstream&) { forward(from, *query, *server, now); }},
               decision);
    return {};
}

void StubResolver::handle_llmnr(const Requester& from, ByteSpan message, Instant) {
    const auto query = Message::parse_query(message);
    if (!query || from.asked.port != kLlmnrPort || message.size() > kMaxQuery) {
        return;
    }
    auto decision = decide(*query, resources_, proxies_);
    auto* here = std::get_if<AnswerHere>(&decision);
    // Who is asked on behalf of all must not deny a name that somebody else may have.
    if (here == nullptr || Message::parse_response(here->response)->response_code() != ResponseCode::kNoError) {
        return;
    }
    answer(from, *query, std::move(here->response));
    outputs_.emplace_back(NameAnswered{query->question().name});
}

void StubResolver::handle_connection_closed(std::uint64_t connection, Instant now) {
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        const auto current = entry++;
        const auto& requester = current->second.requester;
        if (requester && requester->transport == Transport::kTcp && requester->connection == connection) {
            finish(current, now);
        }
    }
}

void StubResolver::handle_site_connected(ResourceId resource, const SiteAddresses& addresses, Instant now) {
    sites_[resource] = addresses;
    for (const auto transport : {Transport::kUdp, Transport::kTcp}) {
        const auto queue = waiting_.extract({resource, transport});
        if (queue.empty()) {
            continue;
        }
        for (const auto id : queue.mapped()) {
            if (const auto entry = pending_.find(id); entry != pending_.end()) {
                ask_site(entry, addresses, now);
            }
        }
    }
}

void StubResolver::handle_network_reset(Instant now) {
    cache_.clear();  // what somebody in a café said must not count at home, and resolvers there may share an address
    health_.clear();
    sites_.clear();
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        const auto current = entry++;
        const auto& pending = current->second;
        if (pending.asks.empty()) {
            continue;  // waits for its site, and goes on waiting
        }
        const bool is_stream = pending.requester && pending.requester->transport == Transport::kTcp;
        is_stream ? fail(current, now) : finish(current, now);
    }
}

std::optional<StubOutput> StubResolver::poll_output() {
    if (outputs_.empty()) {
        return std::nullopt;
    }
    auto output = std::move(outputs_.front());
    outputs_.pop_front();
    return output;
}

void StubResolver::describe(Snapshot& out) const {
    out.line("stub").field("pending", pending_.size()).field("asks", asks_.size()).field("cached", cache_.size());
    out.nested([&] {
        sentinels_.describe(out);
        proxies_.describe(out);
        for (const auto& [id, pending] : pending_) {
            out.line("query").field("name", pending.question.name).field("type", pending.question.type);
            pending.due.describe(out);
        }
    });
}

void StubResolver::answer(const Requester& to, const Message& query, Bytes response) {
    if (to.transport == Transport::kUdp) {
        response = fit_into(udp_limit(query), std::move(response));
    }
    outputs_.emplace_back(Answer{to, std::move(response)});
}

void StubResolver::forward(const Requester& from, const Message& query, const Upstream& server, Instant now) {
    const bool is_tunnelled = std::holds_alternative<ViaTunnel>(route_to(server));
    if (!has_room(from, is_tunnelled)) {
        return refuse(from, query, "too many in flight");
    }
    auto order = health_.order(server, sentinels_.mappings());
    const bool is_replaced = order.front() != server;
    const auto entry = add_pending(from, query, is_tunnelled, now);
    entry->second.left = std::move(order);
    ask_next(entry, now);
    if (is_replaced && health_.take_probe(server, now)) {
        probe(query, server, now);
    }
}

void StubResolver::forward_to_site(const Requester& from, const Message& query, ResourceId resource, Instant now) {
    if (!has_room(from, true)) {
        return refuse(from, query, "too many in flight");
    }
    const auto entry = add_pending(from, query, true, now);
    entry->second.site = resource;
    const auto site = sites_.find(resource);
    if (site != sites_.end()) {
        return ask_site(entry, site->second, now);
    }
    outputs_.emplace_back(ConnectSite{resource});
    wait_for_site(entry, now);
}

void StubResolver::refuse(const Requester& from, const Message& query, std::string_view reason) {
    kLog.debug("Refusing a query", log::field("reason", reason));
    if (from.transport == Transport::kTcp) {
        answer(from, query, empty_response(query, ResponseCode::kServFail));
    }
}

bool StubResolver::has_room(const Requester& from, bool is_tunnelled) const {
    const auto of_client = pending_by_client_.find(from.client);
    if (of_client != pending_by_client_.end() && of_client->second >= kQueriesPerClient) {
        return false;
    }
    return is_tunnelled ? pending_in_tunnel_ < kTunnelQueries : pending_.size() - pending_in_tunnel_ < kHostQueries;
}

Route StubResolver::route_to(const Upstream& server) const {
    return std::visit(overloaded{[&](const net::SocketAddress& address) -> Route {
                                     if (servers_are_from_portal_ && tunnelled_.contains(address.ip)) {
                                         return ViaTunnel{.server = address};
                                     }
                                     return ViaHost{address};
                                 },
                                 [](const DohServer& doh) -> Route { return doh; }},
                      server);
}

template <typename Predicate>
void StubResolver::fail_all(Predicate predicate, Instant now) {
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        const auto current = entry++;
        if (predicate(current->second)) {
            fail(current, now);
        }
    }
}

}  // namespace culvert::dns
