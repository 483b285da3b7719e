#include "culvert/tcp/dns_server.h"
#include "culvert/tcp/constants.h"

#include <utility>

namespace culvert::tcp {
namespace {

std::uint16_t id_of(ByteSpan message) {
    return load_be<std::uint16_t>(message);
}

Endpoints::Limits limits_for(DnsServer::Peers peers) {
    const bool are_strangers = peers == DnsServer::Peers::kStrangers;
    const auto per_peer = are_strangers ? DnsServer::kMaxConnectionsPerStranger : DnsServer::kMaxConnections;
    return {.connections = DnsServer::kMaxConnections,
            .per_listener = are_strangers ? DnsServer::kMaxConnections : DnsServer::kMaxConnectionsPerSentinel,
            .per_peer = per_peer,
            .half_open_per_peer = per_peer,
            .idle_time = kDnsServerIdleTime};
}

}  // namespace

DnsServer::DnsServer(Rng rng, Peers peers) : endpoints_{limits_for(peers), std::move(rng)} {}

void DnsServer::set_addresses(std::set<net::SocketAddress> addresses, Instant now) {
    if (addresses == addresses_) {
        return;
    }
    endpoints_.abort_all(now);
    connections_.clear();
    queries_.clear();
    closed_.clear();
    for (const auto& address : addresses_) {
        endpoints_.stop_listening(address);
    }
    addresses_ = std::move(addresses);
    for (const auto& address : addresses_) {
        endpoints_.listen(address);
    }
}

bool DnsServer::handle_packet(const packet::IpPacket& packet, Checksums checksums, Instant now) {
    const bool is_ours = endpoints_.handle_packet(packet, checksums, now);
    handle_events(now);
    return is_ours;
}

void DnsServer::handle_timeout(Instant now) {
    endpoints_.handle_timeout(now);
    handle_events(now);
}

std::optional<DnsServer::Query> DnsServer::poll_query() {
    while (!queries_.empty()) {
        auto query = std::move(queries_.front());
        queries_.pop_front();
        if (connections_.contains(query.connection)) {
            return query;
        }
    }
    return std::nullopt;
}

std::optional<ConnectionId> DnsServer::poll_closed() {
    if (closed_.empty()) {
        return std::nullopt;
    }
    const auto id = closed_.front();
    closed_.pop_front();
    return id;
}

void DnsServer::respond(ConnectionId id, ByteSpan message, Instant now) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.waiting.erase(id_of(message)) == 0) {
        return;
    }
    if (!endpoints_.write(id, with_length(message), now)) {
        reset(id, now);  // asks more than it reads
        return;
    }
    read(id, found->second, now);
    handle_events(now);
}

void DnsServer::reject(ConnectionId id, Instant now) {
    if (connections_.contains(id)) {
        reset(id, now);
    }
}

void DnsServer::handle_events(Instant now) {
    while (const auto event = endpoints_.poll_event()) {
        handle(*event, now);
    }
}

void DnsServer::handle(const Endpoints::Event& event, Instant now) {
    const auto id = event.connection;
    if (event.signal == Signal::kOpened) {
        connections_.try_emplace(id);
        return;
    }
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
        return;
    }
    auto& connection = found->second;
    switch (event.signal) {
        case Signal::kOpened:
            break;
        case Signal::kReadable:
        case Signal::kDrained:
            read(id, connection, now);
            break;
        case Signal::kPeerClosed:
            connection.peer_closed = true;
            finish_if_done(id, connection, now);
            break;
        case Signal::kIdle:
            if (connection.reader.is_inside_message()) {
                reset(id, now);
            } else if (connection.waiting.empty()) {
                close(id, now);
            }
            break;
        case Signal::kClosed:
        case Signal::kRefused:
        case Signal::kReset:
        case Signal::kTimedOut:
        case Signal::kUnreachable:
            erase(id);
            break;
    }
}

void DnsServer::read(ConnectionId id, Connection& connection, Instant now) {
    const auto route = endpoints_.route(id);
    // Only while nothing is on its way back: who reads no answers asks no further questions.
    while (route && endpoints_.unacknowledged(id) == 0 && connection.waiting.size() < kMaxWaiting) {
        auto message =
            connection.next ? std::exchange(connection.next, std::nullopt) : read_message(id, connection, now);
        if (!connections_.contains(id)) {
            return;
        }
        if (!message) {
            break;
        }
        if (!connection.waiting.insert(id_of(*message)).second) {
            connection.next = std::move(message);
            break;
        }
        queries_.push_back({id, route->local, route->remote, std::move(*message)});
    }
    finish_if_done(id, connection, now);
}

std::optional<Bytes> DnsServer::read_message(ConnectionId id, Connection& connection, Instant now) {
    const auto bytes = endpoints_.readable(id);
    if (bytes.empty()) {
        return std::nullopt;
    }
    std::size_t taken = 0;
    auto message = connection.reader.read(bytes, taken);
    endpoints_.consume(id, taken, now);
    if (connection.reader.is_broken()) {
        reset(id, now);
    } else if (message) {
        endpoints_.restart_idle(id, now);
    }
    return message;
}

void DnsServer::finish_if_done(ConnectionId id, const Connection& connection, Instant now) {
    if (connection.peer_closed && connection.waiting.empty() && endpoints_.readable(id).empty()) {
        close(id, now);
    }
}

void DnsServer::close(ConnectionId id, Instant now) {
    endpoints_.close(id, now);
    erase(id);  // a query that is on its way now has to be asked again
}

void DnsServer::reset(ConnectionId id, Instant now) {
    endpoints_.abort(id, now);
    erase(id);
}

void DnsServer::erase(ConnectionId id) {
    const auto found = connections_.find(id);
    if (!found->second.waiting.empty()) {
        closed_.push_back(id);
    }
    connections_.erase(found);
}

}  // namespace culvert::tcp
