#include <algorithm>
#include <cassert>

#include "culvert/dns/constants.h"
#include "culvert/dns/response.h"
#include "culvert/dns/stub_resolver.h"
#include "culvert/observability/log.h"

namespace culvert::dns {

namespace {

constexpr log::Logger kLog{"dns"};

/// Nothing follows an answer there that would be another one.
bool is_stream(const Route& route, Transport transport) {
    return transport == Transport::kTcp || std::holds_alternative<DohServer>(route);
}

bool is_tunnel_stream(const Route& route, Transport transport) {
    return transport == Transport::kTcp && std::holds_alternative<ViaTunnel>(route);
}

}  // namespace

void StubResolver::handle_response(AskId id, ByteSpan message, Instant now) {
    const auto found = asks_.find(id);
    if (found == asks_.end()) {
        return;
    }
    const auto& ask = found->second;
    const auto entry = pending_.find(ask.pending);
    assert(entry != pending_.end());
    const auto& pending = entry->second;
    const bool is_last = is_stream(ask.route, ask.transport);
    if (!is_response_to(message, ask.wire_id)) {
        kLog.debug("Ignoring what is no response to our query");
        return is_last ? fail(id, now) : void();
    }
    const auto response = Message::parse_response(message);
    if (!response) {
        kLog.debug("Resolver answered with a malformed response", log::field("error", to_string(response.error())));
        return fail(id, now);
    }
    if (response->question() != pending.question) {
        kLog.debug("Ignoring response to another question");
        return is_last ? fail(id, now) : void();
    }
    if (ask.server) {
        health_.answered(*ask.server, now);
    }
    if (pending.requester) {
        const auto query = Message::parse_query(pending.query);
        cache_.insert(*query, *response, now);
        auto answer = with_id(message, query->id());
        if (pending.requester->transport == Transport::kUdp) {
            answer = fit_into(kMaxUdpMessage, std::move(answer));
        }
        outputs_.emplace_back(Answer{*pending.requester, std::move(answer)});
    }
    finish(entry, now);
}

void StubResolver::handle_failure(AskId id, Instant now) {
    fail(id, now);
}

void StubResolver::handle_tunnel_datagram(const net::SocketAddress& from, std::uint16_t local_port, ByteSpan message,
                                          Instant now) {
    const auto owner = tunnel_ports_.owner(from, local_port, now);
    if (const auto* id = std::get_if<AskId>(&owner)) {
        handle_response(*id, message, now);
    }
}

void StubResolver::handle_tunnel_unreachable(const net::SocketAddress& server, std::uint16_t local_port, Instant now) {
    const auto owner = tunnel_ports_.owner(server, local_port, now);
    if (const auto* id = std::get_if<AskId>(&owner)) {
        fail(*id, now);
    }
}

void StubResolver::handle_timeout(Instant now) {
    // What is set anew is due later: everything is looked at once.
    while (!schedule_.empty() && schedule_.begin()->first <= now) {
        const auto entry = pending_.find(schedule_.begin()->second);
        bool is_next_server_due = false;
        bool is_over = false;
        entry->second.due.expire(now, [&](Due due) {
            switch (due) {
                case Due::kNextServer:
                    is_next_server_due = true;
                    return;
                case Due::kGiveUp:
                    is_over = true;
                    return;
            }
        });
        if (is_over) {
            give_up(entry, now);
        } else if (is_next_server_due) {
            const auto& last = asks_.find(entry->second.asks.back())->second;
            health_.failed(*last.server, last.since, now);
            ask_next(entry, now);
        }
    }
}

std::optional<Instant> StubResolver::poll_timeout() const {
    return schedule_.empty() ? std::nullopt : std::optional{schedule_.begin()->first};
}

StubResolver::PendingEntry StubResolver::add_pending(std::optional<Requester> from, const Message& query,
                                                     bool is_tunnelled, Instant now) {
    if (from) {
        ++pending_by_client_[from->client];
    }
    pending_in_tunnel_ += is_tunnelled ? 1 : 0;
    const auto entry = pending_
                           .emplace(next_pending_++, Pending{.requester = from,
                                                             .query = to_bytes(query.bytes()),
                                                             .question = query.question(),
                                                             .is_tunnelled = is_tunnelled})
                           .first;
    entry->second.due.set(Due::kGiveUp, now + (is_tunnelled ? kTunnelTimeout : kHostTimeout));
    schedule(entry);
    return entry;
}

void StubResolver::wait_for_site(PendingEntry entry, Instant now) {
    auto& queue = waiting_[{*entry->second.site, entry->second.requester->transport}];
    std::erase_if(queue, [&](PendingId id) { return !pending_.contains(id); });
    if (queue.size() >= kQueriesPerSite) {
        const auto oldest = pending_.find(queue.front());
        queue.pop_front();
        fail(oldest, now);
    }
    queue.push_back(entry->first);
}

void StubResolver::ask_next(PendingEntry entry, Instant now) {
    auto& pending = entry->second;
    while (!pending.left.empty()) {
        const auto server = pending.left.front();
        pending.left.erase(pending.left.begin());
        if (!ask(entry, server, route_to(server), now)) {
            continue;
        }
        if (pending.left.empty()) {
            pending.due.clear(Due::kNextServer);
        } else {
            pending.due.set(Due::kNextServer, now + kServerTimeout);
        }
        return schedule(entry);
    }
    if (pending.asks.empty()) {
        return fail(entry, now);
    }
    pending.due.clear(Due::kNextServer);
    schedule(entry);
}

void StubResolver::ask_site(PendingEntry entry, const SiteAddresses& addresses, Instant now) {
    const auto family = entry->second.requester->asked.family();
    if (!ask(entry, std::nullopt, ViaTunnel{.server = {addresses.of(family), kGatewayDnsPort}}, now)) {
        fail(entry, now);
    }
}

bool StubResolver::ask(PendingEntry entry, std::optional<Upstream> server, Route route, Instant now) {
    auto& pending = entry->second;
    const auto transport = pending.requester ? pending.requester->transport : Transport::kUdp;
    const AskId id{next_ask_++};
    auto wire_id = static_cast<MessageId>(rng_.next_u32());
    if (std::holds_alternative<DohServer>(route)) {
        wire_id = 0;  // RFC 8484 section 4.1: caches on the way see the same request
    }
    if (auto* tunnel = std::get_if<ViaTunnel>(&route); tunnel != nullptr && transport == Transport::kUdp) {
        const auto port = tunnel_ports_.open(id, tunnel->server);
        if (!port) {
            return false;
        }
        tunnel->local_port = *port;
    }
    pending.asks.push_back(id);
    outputs_.emplace_back(Ask{id, route, transport, with_id(pending.query, wire_id)});
    asks_.emplace(id, OpenAsk{.pending = entry->first,
                              .server = std::move(server),
                              .route = std::move(route),
                              .transport = transport,
                              .wire_id = wire_id,
                              .since = now});
    return true;
}

void StubResolver::probe(const Message& query, const Upstream& server, Instant now) {
    const auto route = route_to(server);
    const auto entry = add_pending(std::nullopt, query, std::holds_alternative<ViaTunnel>(route), now);
    if (!ask(entry, server, route, now)) {
        finish(entry, now);
    }
}

void StubResolver::fail(AskId id, Instant now) {
    const auto found = asks_.find(id);
    if (found == asks_.end()) {
        return;
    }
    const auto entry = pending_.find(found->second.pending);
    if (found->second.server) {
        health_.failed(*found->second.server, found->second.since, now);
    }
    close(id, now);
    std::erase(entry->second.asks, id);
    if (!entry->second.left.empty() || entry->second.asks.empty()) {
        ask_next(entry, now);
    }
}

void StubResolver::give_up(PendingEntry entry, Instant now) {
    const auto& pending = entry->second;
    for (const auto id : pending.asks) {
        const auto& ask = asks_.find(id)->second;
        if (ask.server && ask.since + kServerTimeout <= now) {
            health_.failed(*ask.server, ask.since, now);
        }
    }
    // Over UDP nobody would have answered without us either: the application asks again, or somebody else.
    const bool is_silent =
        !pending.requester || (!pending.is_tunnelled && pending.requester->transport == Transport::kUdp);
    is_silent ? finish(entry, now) : fail(entry, now);
}

void StubResolver::fail(PendingEntry entry, Instant now) {
    if (const auto& requester = entry->second.requester) {
        const auto query = Message::parse_query(entry->second.query);
        outputs_.emplace_back(Answer{*requester, empty_response(*query, ResponseCode::kServFail)});
    }
    finish(entry, now);
}

void StubResolver::finish(PendingEntry entry, Instant now) {
    const auto& pending = entry->second;
    for (const auto id : pending.asks) {
        close(id, now);
    }
    if (pending.requester) {
        const auto of_client = pending_by_client_.find(pending.requester->client);
        if (--of_client->second == 0) {
            pending_by_client_.erase(of_client);
        }
    }
    pending_in_tunnel_ -= pending.is_tunnelled ? 1 : 0;
    if (pending.scheduled) {
        schedule_.erase({*pending.scheduled, entry->first});
    }
    pending_.erase(entry);
}

void StubResolver::close(AskId id, Instant now) {
    const auto found = asks_.find(id);
    const auto& ask = found->second;
    const auto* tunnel = std::get_if<ViaTunnel>(&ask.route);
    if (tunnel != nullptr && ask.transport == Transport::kUdp) {
        tunnel_ports_.close(tunnel->local_port, now);  // there is nothing else to close
    } else {
        outputs_.emplace_back(StopAsking{id});
    }
    asks_.erase(found);
}

void StubResolver::schedule(PendingEntry entry) {
    auto& pending = entry->second;
    if (pending.scheduled) {
        schedule_.erase({*pending.scheduled, entry->first});
    }
    pending.scheduled = pending.due.next();
    if (pending.scheduled) {
        schedule_.emplace(*pending.scheduled, entry->first);
    }
}

bool StubResolver::is_in_tunnel_stream(const Pending& pending) const {
    return std::ranges::any_of(pending.asks, [&](AskId id) {
        const auto& ask = asks_.find(id)->second;
        return is_tunnel_stream(ask.route, ask.transport);
    });
}

}  // namespace culvert::dns
