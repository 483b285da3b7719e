#include "culvert/tcp/endpoints.h"

#include <algorithm>
#include <vector>

namespace culvert::tcp {
namespace {

using State = Connection::State;

/// RFC 6528: a clock that ticks every 4 microseconds.
constexpr auto kSequenceTick = std::chrono::microseconds{4};

/// Nobody else has connections (RFC 9293 section 3.9.2.3).
bool is_host(const net::IpAddress& address) {
    return !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
}

bool is_ended(const Connection& connection) {
    return connection.state() == State::kTimeWait;
}

}  // namespace

Endpoints::Endpoints(const Limits& limits, Rng rng) : limits_{limits}, rng_{std::move(rng)}, sequence_key_{rng_} {}

// --- Connections come and go ---

std::expected<ConnectionId, Endpoints::ConnectError> Endpoints::connect(const net::IpAddress& local,
                                                                        const net::SocketAddress& remote, Instant now) {
    if (local.family() != remote.family()) {
        return std::unexpected{ConnectError::kFamilyMismatch};
    }
    if (entries_.size() - ended_.size() >= limits_.connections) {
        return std::unexpected{ConnectError::kTooManyConnections};
    }
    constexpr unsigned kPorts = kLastDynamicPort - kFirstDynamicPort + 1U;
    const auto first = static_cast<unsigned>(rng_.below(kPorts));
    Route route{{local, 0}, remote};
    for (unsigned i = 0; i < kPorts; ++i) {
        route.local.port = static_cast<std::uint16_t>(kFirstDynamicPort + (first + i) % kPorts);
        if (!entries_.contains(route) && !listeners_.contains(route.local)) {
            auto& entry = add(route, nullptr, now);
            settle(entry);
            return entry.id;
        }
    }
    return std::unexpected{ConnectError::kNoPort};
}

Endpoints::Entry& Endpoints::add(const Route& route, const Segment* syn, Instant now) {
    const ConnectionId id{next_id_++};
    const Connection::Settings settings{
        .route = route, .initial = initial_sequence(route, now), .idle_time = limits_.idle_time};
    auto connection = syn != nullptr ? Connection{settings, *syn, packets_, now} : Connection{settings, packets_, now};
    auto entry =
        std::make_unique<Entry>(Entry{.id = id, .connection = std::move(connection), .is_passive = syn != nullptr});
    routes_.emplace(id, route);
    return *entries_.emplace(route, std::move(entry)).first->second;
}

Sequence Endpoints::initial_sequence(const Route& route, Instant now) const {
    Bytes ends;
    for (const auto& end : {route.local, route.remote}) {
        append(ends, end.ip.bytes());
        append_be(ends, end.port);
    }
    const auto ticks = now.time_since_epoch() / kSequenceTick;
    return Sequence{static_cast<std::uint32_t>(sequence_key_(ends)) + static_cast<std::uint32_t>(ticks)};
}

bool Endpoints::make_room_for(const Route& route) {
    const auto count = [&](auto is_counted) {
        return static_cast<std::size_t>(std::ranges::count_if(entries_, [&](const auto& item) {
            return !is_ended(item.second->connection) && is_counted(*item.second);
        }));
    };
    const auto is_of_peer = [&](const Entry& entry) { return entry.connection.route().remote.ip == route.remote.ip; };
    const auto is_at_listener = [&](const Entry& entry) { return entry.connection.route().local == route.local; };
    const auto is_any = [](const Entry&) { return true; };

    const auto half_open =
        count([&](const Entry& entry) { return is_of_peer(entry) && entry.connection.is_half_open(); });
    if (half_open >= limits_.half_open_per_peer && !drop_half_open(is_of_peer)) {
        return false;
    }
    if (count(is_of_peer) >= limits_.per_peer && !drop_half_open(is_of_peer)) {
        return false;
    }
    if (count(is_at_listener) >= limits_.per_listener && !drop_half_open(is_at_listener)) {
        return false;
    }
    return count(is_any) < limits_.connections || drop_half_open(is_any);
}

template <typename Predicate>
bool Endpoints::drop_half_open(Predicate is_candidate) {
    std::map<net::IpAddress, std::vector<Entries::iterator>> by_peer;
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
        if (it->second->connection.is_half_open() && is_candidate(*it->second)) {
            by_peer[it->first.remote.ip].push_back(it);
        }
    }
    if (by_peer.empty()) {
        return false;
    }
    const auto& most =
        std::ranges::max_element(by_peer, {}, [](const auto& item) { return item.second.size(); })->second;
    erase(*std::ranges::min_element(most, {}, [](const auto& it) { return it->second->id; }));
    return true;
}

void Endpoints::erase(Entries::iterator it) {
    const auto& entry = *it->second;
    if (entry.timeout) {
        timeouts_.erase({*entry.timeout, entry.id});
    }
    ended_.erase(entry.id);
    routes_.erase(entry.id);
    entries_.erase(it);
}

// --- Input ---

bool Endpoints::handle_packet(const packet::IpPacket& packet, Checksums checksums, Instant now) {
    if (!packet.is_tcp()) {
        return false;
    }
    const auto route = route_of(packet);
    const auto found = entries_.find(route);
    if (found == entries_.end() && !listeners_.contains(route.local)) {
        return false;
    }
    const bool is_corrupt = checksums == Checksums::kVerify && !packet.checksums_are_valid();
    if (is_corrupt || !is_host(route.remote.ip)) {
        return true;
    }
    const auto segment = read_segment(packet);
    if (found == entries_.end()) {
        return handle_stranger(route, segment, now);
    }
    auto& entry = *found->second;
    const bool is_opening = segment.has(packet::kTcpSyn) && !segment.has(packet::kTcpAck | packet::kTcpRst);
    if (is_opening && entry.is_passive && entry.connection.may_be_replaced_by(segment)) {
        erase(found);
        return handle_stranger(route, segment, now);
    }
    entry.connection.handle_segment(segment, now);
    settle(entry);
    return true;
}

bool Endpoints::handle_stranger(const Route& route, const Segment& segment, Instant now) {
    const bool is_opening = segment.has(packet::kTcpSyn) && !segment.has(packet::kTcpAck | packet::kTcpRst);
    const bool may_open = is_opening && !segment.has(packet::kTcpFin) && listeners_.contains(route.local);
    if (may_open && make_room_for(route)) {
        settle(add(route, &segment, now));
    } else if (const auto refusal = refusal_of(segment)) {
        packets_.push(make_packet(route, *refusal));
    }
    return true;
}

bool Endpoints::handle_icmp_error(const packet::IcmpError& error, Instant) {
    const auto& embedded = error.embedded;
    const auto l4 = embedded.bytes.subspan(embedded.l4_offset);
    if (embedded.source_value.protocol != packet::L4Protocol::kTcp || l4.size() < 8) {
        return false;
    }
    const auto found = entries_.find(Route{{embedded.source, embedded.source_value.value},
                                           {embedded.destination, embedded.destination_value.value}});
    if (found == entries_.end()) {
        return false;
    }
    if (!error.next_hop_mtu()) {
        found->second->connection.handle_unreachable(Sequence{load_be<std::uint32_t>(l4.subspan(4))});
        settle(*found->second);
    }
    return true;
}

void Endpoints::handle_timeout(Instant now) {
    std::vector<ConnectionId> due;
    for (const auto& [at, id] : timeouts_) {
        if (at > now) {
            break;
        }
        due.push_back(id);
    }
    for (const auto id : due) {
        if (auto* entry = find(id)) {
            entry->connection.handle_timeout(now);
            settle(*entry);
        }
    }
}

// --- Output ---

void Endpoints::settle(Entry& entry) {
    collect_signals(entry);
    const auto state = entry.connection.state();
    if (state == State::kClosed) {
        erase(entries_.find(entry.connection.route()));
        return;
    }
    const auto timeout = entry.connection.poll_timeout();
    if (timeout != entry.timeout) {
        if (entry.timeout) {
            timeouts_.erase({*entry.timeout, entry.id});
        }
        if (timeout) {
            timeouts_.emplace(*timeout, entry.id);
        }
        entry.timeout = timeout;
    }
    if (state == State::kTimeWait && ended_.insert(entry.id).second && ended_.size() > limits_.time_wait) {
        const auto oldest = *ended_.begin();
        erase(entries_.find(routes_.at(oldest)));
    }
}

void Endpoints::collect_signals(Entry& entry) {
    while (const auto signal = entry.connection.poll_signal()) {
        entry.was_opened = entry.was_opened || *signal == Signal::kOpened;
        if (entry.is_passive && !entry.was_opened) {
            continue;  // nobody heard of it
        }
        const auto bit = 1U << static_cast<unsigned>(*signal);
        if ((entry.queued_signals & bit) == 0) {
            entry.queued_signals |= bit;
            events_.push_back({entry.id, *signal});
        }
    }
}

std::optional<Endpoints::Event> Endpoints::poll_event() {
    while (!events_.empty()) {
        const auto event = events_.front();
        events_.pop_front();
        auto* entry = find(event.connection);
        if (entry != nullptr) {
            entry->queued_signals &= ~(1U << static_cast<unsigned>(event.signal));
        }
        if (entry != nullptr || event.signal >= Signal::kClosed) {
            return event;
        }
    }
    return std::nullopt;
}

std::optional<Instant> Endpoints::poll_timeout() const {
    return timeouts_.empty() ? std::nullopt : std::optional{timeouts_.begin()->first};
}

// --- One connection ---

Endpoints::Entry* Endpoints::find(ConnectionId id) const {
    const auto route = routes_.find(id);
    return route == routes_.end() ? nullptr : entries_.at(route->second).get();
}

std::optional<Route> Endpoints::route(ConnectionId id) const {
    const auto found = routes_.find(id);
    return found == routes_.end() ? std::nullopt : std::optional{found->second};
}

std::size_t Endpoints::room(ConnectionId id) const {
    const auto* entry = find(id);
    return entry == nullptr ? 0 : entry->connection.room();
}

std::size_t Endpoints::unacknowledged(ConnectionId id) const {
    const auto* entry = find(id);
    return entry == nullptr ? 0 : entry->connection.unacknowledged();
}

bool Endpoints::write(ConnectionId id, ByteSpan bytes, Instant now) {
    auto* entry = find(id);
    if (entry == nullptr || !entry->connection.write(bytes, now)) {
        return false;
    }
    settle(*entry);
    return true;
}

ByteSpan Endpoints::readable(ConnectionId id) const {
    const auto* entry = find(id);
    return entry == nullptr ? ByteSpan{} : entry->connection.readable();
}

void Endpoints::consume(ConnectionId id, std::size_t count, Instant now) {
    if (auto* entry = find(id)) {
        entry->connection.consume(count, now);
        settle(*entry);
    }
}

void Endpoints::restart_idle(ConnectionId id, Instant now) {
    if (auto* entry = find(id)) {
        entry->connection.restart_idle(now);
        settle(*entry);
    }
}

void Endpoints::close(ConnectionId id, Instant now) {
    if (auto* entry = find(id)) {
        entry->connection.close(now);
        settle(*entry);
    }
}

void Endpoints::abort(ConnectionId id, Instant) {
    if (auto* entry = find(id)) {
        entry->connection.abort();
        settle(*entry);
    }
}

void Endpoints::abort_all(Instant now) {
    const auto ids = routes_;
    for (const auto& [id, route] : ids) {
        abort(id, now);
    }
}

}  // namespace culvert::tcp
