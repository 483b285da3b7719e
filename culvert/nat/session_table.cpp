#include "culvert/nat/session_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "culvert/nat/constants.h"
#include "culvert/packet/constants.h"

namespace culvert::nat {
namespace {

constexpr std::size_t kFirstBuckets = 256;

// What was seen of a TCP connection.
constexpr std::uint8_t kAnswered = 0x01;
constexpr std::uint8_t kConfirmed = 0x02;  // by the client, with more than its SYN
constexpr std::uint8_t kClientFin = 0x04;
constexpr std::uint8_t kRemoteFin = 0x08;

bool has(std::uint8_t flags, std::uint8_t flag) {
    return (flags & flag) != 0;
}

std::uint8_t with(std::uint8_t state, std::uint8_t flag, bool is_set) {
    return is_set ? static_cast<std::uint8_t>(state | flag) : state;
}

bool is_closed_by_both(std::uint8_t state) {
    return has(state, kClientFin) && has(state, kRemoteFin);
}

bool is_opening(const packet::IpPacket& packet) {
    return packet.is_tcp() && (packet.tcp_flags() & (packet::kTcpSyn | packet::kTcpAck)) == packet::kTcpSyn;
}

bool is_reset(const packet::IpPacket& packet) {
    return packet.is_tcp() && has(packet.tcp_flags(), packet::kTcpRst);
}

/// Whether a client sends such a packet without having sent another one before.
bool may_begin(const packet::IpPacket& packet) {
    if (packet.is_tcp()) {
        const auto flags = packet.tcp_flags();
        return !has(flags, packet::kTcpRst) && !(has(flags, packet::kTcpSyn) && has(flags, packet::kTcpAck));
    }
    if (packet.is_icmp()) {
        return packet.icmp_type() == (packet.is_v4() ? packet::kIcmpEchoRequest : packet::kIcmpv6EchoRequest);
    }
    return true;
}

}  // namespace

SessionTable::SessionTable(const Limits& limits, Rng rng)
    : limits_{limits},
      rng_{std::move(rng)},
      hash_{rng_},
      inside_(kFirstBuckets, kNone),
      outside_(kFirstBuckets, kNone) {
    assert(limits.per_client <= 32'768 && limits.per_client <= limits.total);
}

// --- From the client ---

SessionTable::Side SessionTable::outward_side(const packet::IpPacket& packet, packet::L4Value source) {
    return {packet.source(), packet.destination(), source};
}

SessionTable::Out SessionTable::translate_out(const ClientId& client, packet::IpPacket& packet, Instant now) {
    const auto source = packet.source_value();
    if (!source) {
        return Out::kUntranslatable;
    }
    auto index = find_inside(client, outward_side(packet, *source));
    if (index != kNone && is_expired(sessions_[index], now)) {
        finish(index, now);
        index = kNone;
    }
    // A new connection between the ports of an old one is free to go elsewhere.
    if (index != kNone && is_opening(packet) && is_closed_by_both(sessions_[index].state)) {
        finish(index, now);
        index = kNone;
    }
    if (index == kNone) {
        return may_begin(packet) ? Out::kNoSession : Out::kAnswerToNothing;
    }
    const auto& outside = sessions_[index].outside;
    packet.set_destination(outside.other);
    packet.set_source_value(outside.value.value);
    note_sent(index, packet, now);
    return Out::kTranslated;
}

bool SessionTable::open(const ClientId& client, packet::IpPacket& packet, const net::IpAddress& real, Instant now,
                        const MayUsePort& may_use) {
    const auto source = packet.source_value();
    assert(source && real.family() == packet.destination().family());
    const auto inside = outward_side(packet, *source);
    // Of another client who had the same address before. It cannot have it any more.
    if (const auto stale = search(inside_, &Session::next_inside, &Session::inside, inside); stale != kNone) {
        erase(stale);
    }
    Side outside{inside.client, real, inside.value};
    const auto try_port = [&](std::uint16_t port) {
        outside.value.value = port;
        return is_free(client, inside, outside, now) && (!may_use || may_use(port));
    };
    auto port = inside.value.value;
    bool is_found = try_port(port);
    for (unsigned i = 0; i < kAdjacentPorts && !is_found; ++i) {
        port = port == 65535 ? std::uint16_t{1} : static_cast<std::uint16_t>(port + 1);
        is_found = try_port(port);
    }
    for (unsigned i = 0; i < kRandomPorts && !is_found; ++i) {
        is_found = try_port(static_cast<std::uint16_t>(1 + rng_.below(65535)));
    }
    if (!is_found) {
        return false;
    }
    if (const auto before = find_outside(outside); before != kNone) {
        erase(before);
    }
    const auto index = insert(client, inside, outside, now);
    packet.set_destination(real);
    packet.set_source_value(outside.value.value);
    note_sent(index, packet, now);
    return true;
}

bool SessionTable::is_free(const ClientId& client, const Side& inside, const Side& outside, Instant now) const {
    const auto index = find_outside(outside);
    if (index == kNone) {
        return true;
    }
    const auto& session = sessions_[index];
    const bool is_same_again = session.kind == Kind::kOver && session.inside == inside;
    return is_same_again || is_expired(session, now) || session.client_id != client;
}

std::optional<SessionTable::Inside> SessionTable::session_like(const ClientId& client, const packet::IpPacket& packet,
                                                               Instant now) const {
    const auto source = packet.source_value();
    const auto index = source ? find_outside(outward_side(packet, *source)) : kNone;
    if (index == kNone) {
        return std::nullopt;
    }
    const auto& session = sessions_[index];
    if (session.client_id != client || session.kind == Kind::kOver || is_expired(session, now)) {
        return std::nullopt;
    }
    return Inside{session.inside.other, session.inside.value.value};
}

// --- To the client ---

SessionTable::In SessionTable::translate_in(const ClientId& client, packet::IpPacket& packet, Instant now) {
    const auto destination = packet.destination_value();
    if (!destination) {
        return In::kNotTranslated;
    }
    const auto index = find_outside({packet.destination(), packet.source(), *destination});
    if (index == kNone || sessions_[index].client_id != client) {
        return In::kNotTranslated;
    }
    auto& session = sessions_[index];
    if (session.kind != Kind::kOver && is_expired(session, now)) {
        finish(index, now);
    }
    if (session.kind == Kind::kOver) {
        return In::kLate;
    }
    packet.set_source(session.inside.other);
    packet.set_destination_value(session.inside.value.value);
    note_received(index, packet, now);
    return In::kTranslated;
}

// --- ICMP errors ---

SessionTable::ErrorIn SessionTable::translate_error_in(const ClientId& client, const packet::IcmpError& error,
                                                       Instant now) const {
    const auto& embedded = error.embedded;
    const auto index = find_outside({embedded.source, embedded.destination, embedded.source_value});
    if (index == kNone || sessions_[index].client_id != client) {
        return {In::kNotTranslated, {}};
    }
    const auto& session = sessions_[index];
    if (session.kind == Kind::kOver || is_expired(session, now)) {
        return {In::kLate, {}};
    }
    return {In::kTranslated, packet::translate_icmp_error(error, session.inside.other, session.inside.client,
                                                          session.inside.value.value)};
}

std::optional<Bytes> SessionTable::translate_error_out(const ClientId& client, const packet::IpPacket& packet,
                                                       const packet::IcmpError& error, Instant now) const {
    const auto& embedded = error.embedded;
    const bool is_about_echo = embedded.source_value.protocol == packet::L4Protocol::kIcmp;  // that came to the client
    if (is_about_echo || packet.source() != embedded.destination || packet.destination() != embedded.source) {
        return std::nullopt;
    }
    const auto index = find_inside(client, {embedded.destination, embedded.source, embedded.destination_value});
    if (index == kNone || is_expired(sessions_[index], now)) {
        return std::nullopt;
    }
    const auto& outside = sessions_[index].outside;
    return packet::translate_icmp_error_outwards(error, outside.client, outside.other, outside.value.value);
}

// --- State ---

void SessionTable::note_sent(Index index, const packet::IpPacket& packet, Instant now) {
    if (is_reset(packet)) {
        finish(index, now);
        return;
    }
    const auto& session = sessions_[index];
    auto state = session.state;
    if (packet.is_tcp()) {
        const auto flags = packet.tcp_flags();
        state = with(state, kConfirmed, !has(flags, packet::kTcpSyn));
        state = with(state, kClientFin, has(flags, packet::kTcpFin));
    }
    if (state != session.state || now - session.used_at >= kTimeResolution) {
        update(index, state, now);
    }
}

void SessionTable::note_received(Index index, const packet::IpPacket& packet, Instant now) {
    if (is_reset(packet)) {
        finish(index, now);
        return;
    }
    const auto& session = sessions_[index];
    auto state = with(session.state, kAnswered, true);
    if (packet.is_tcp()) {
        state = with(state, kRemoteFin, has(packet.tcp_flags(), packet::kTcpFin));
    }
    if (state != session.state || now - session.used_at >= kTimeResolution) {
        update(index, state, now);
    }
}

void SessionTable::update(Index index, std::uint8_t state, Instant now) {
    auto& session = sessions_[index];
    take_out(index);
    session.state = state;
    session.used_at = now;
    session.kind = kind_of(session);
    put_first(index);
}

void SessionTable::finish(Index index, Instant now) {
    auto& session = sessions_[index];
    unlink(inside_, &Session::next_inside, session.inside, index);
    take_out(index);
    session.kind = Kind::kOver;
    session.used_at = now;
    put_first(index);
}

SessionTable::Kind SessionTable::kind_of(const Session& session) {
    switch (session.inside.value.protocol) {
        case packet::L4Protocol::kTcp: {
            const bool is_established =
                has(session.state, kAnswered) && has(session.state, kConfirmed) && !is_closed_by_both(session.state);
            return is_established ? Kind::kEstablishedTcp : Kind::kTransitoryTcp;
        }
        case packet::L4Protocol::kIcmp:
            return Kind::kEcho;
        case packet::L4Protocol::kUdp:
            break;
    }
    return Kind::kDatagrams;
}

bool SessionTable::is_expired(const Session& session, Instant now) {
    constexpr std::array<Duration, kKinds> kLimits = {kLateTime, kEchoIdleTime, kTransitoryTcpIdleTime,
                                                      kDatagramIdleTime, kEstablishedTcpIdleTime};
    return now - session.used_at >= kLimits[static_cast<std::size_t>(session.kind)] + kTimeResolution;
}

// --- Room ---

SessionTable::Index SessionTable::insert(const ClientId& client_id, const Side& inside, const Side& outside,
                                         Instant now) {
    auto& client = clients_[client_id];
    make_room(client, now);
    if (size_ >= inside_.size()) {
        grow_buckets();
    }
    Index index = free_;
    if (index == kNone) {
        index = static_cast<Index>(sessions_.size());
        sessions_.emplace_back();
    } else {
        free_ = sessions_[index].next_inside;
        sessions_[index] = {};
    }
    auto& session = sessions_[index];
    session.inside = inside;
    session.outside = outside;
    session.client_id = client_id;
    session.client = &client;
    session.used_at = now;
    session.kind = kind_of(session);
    session.next_inside = std::exchange(inside_[bucket_of(inside)], index);
    session.next_outside = std::exchange(outside_[bucket_of(outside)], index);
    put_first(index);
    ++client.size;
    ++size_;
    return index;
}

void SessionTable::make_room(Client& client, Instant now) {
    // For the session that is to come, so that nobody else takes the client for gone.
    ++client.size;
    // Two for one, so that what is over does not stay for as long as there is room.
    for (int i = 0; i < 2; ++i) {
        if (const auto expired = expired_of(client, now); expired != kNone) {
            erase(expired);
        }
    }
    if (client.size > limits_.per_client) {
        erase(first_to_go(client));
    } else if (size_ >= limits_.total) {
        auto& largest = largest_client(client);
        const auto expired = expired_of(largest, now);
        erase(expired != kNone ? expired : first_to_go(largest));
    }
    --client.size;
}

SessionTable::Index SessionTable::expired_of(Client& client, Instant now) const {
    for (const auto& list : client.lists) {
        if (list.oldest != kNone && is_expired(sessions_[list.oldest], now)) {
            return list.oldest;
        }
    }
    return kNone;
}

SessionTable::Index SessionTable::first_to_go(Client& client) {
    for (const auto& list : client.lists) {
        if (list.oldest != kNone) {
            return list.oldest;
        }
    }
    return kNone;
}

SessionTable::Client& SessionTable::largest_client(const Client& newcomer) {
    return std::ranges::max_element(clients_, {},
                                    [&](const auto& entry) {
                                        const auto& client = entry.second;
                                        const bool has_none = &client == &newcomer && client.size == 1;
                                        return has_none ? 0 : client.size;
                                    })
        ->second;
}

void SessionTable::finish_client(const ClientId& client, Instant now) {
    finish_proxies(client, [](const auto&) { return true; }, now);
    std::erase_if(clients_, [](const auto& entry) { return entry.second.size == 0; });
}

void SessionTable::finish_proxies(const ClientId& client, const std::function<bool(const net::IpAddress&)>& is_gone,
                                  Instant now) {
    const auto found = clients_.find(client);
    if (found == clients_.end()) {
        return;
    }
    auto& over = found->second.list(Kind::kOver);
    for (const auto& list : found->second.lists) {
        for (auto index = &list == &over ? kNone : list.oldest; index != kNone;) {
            const auto newer = sessions_[index].newer;
            if (is_gone(sessions_[index].inside.other)) {
                finish(index, now);
            }
            index = newer;
        }
    }
}

std::size_t SessionTable::size(const ClientId& client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? 0 : found->second.size;
}

// --- Structure ---

std::size_t SessionTable::bucket_of(const Side& side) const {
    const auto rest = (std::uint64_t{static_cast<std::uint8_t>(side.value.protocol)} << 16U) | side.value.value;
    return hash_(side.client, side.other, rest) & (inside_.size() - 1);
}

SessionTable::Index SessionTable::search(const std::vector<Index>& buckets, Link next, Side Session::* side,
                                         const Side& key) const {
    auto index = buckets[bucket_of(key)];
    while (index != kNone && !(sessions_[index].*side == key)) {
        index = sessions_[index].*next;
    }
    return index;
}

SessionTable::Index SessionTable::find_inside(const ClientId& client, const Side& side) const {
    const auto index = search(inside_, &Session::next_inside, &Session::inside, side);
    return index != kNone && sessions_[index].client_id == client ? index : kNone;
}

SessionTable::Index SessionTable::find_outside(const Side& side) const {
    return search(outside_, &Session::next_outside, &Session::outside, side);
}

void SessionTable::unlink(std::vector<Index>& buckets, Link next, const Side& key, Index index) {
    auto* link = &buckets[bucket_of(key)];
    while (*link != index) {
        link = &(sessions_[*link].*next);
    }
    *link = sessions_[index].*next;
}

void SessionTable::grow_buckets() {
    inside_.assign(inside_.size() * 2, kNone);
    outside_.assign(outside_.size() * 2, kNone);
    for (auto& [id, client] : clients_) {
        for (const auto& list : client.lists) {
            for (auto index = list.oldest; index != kNone; index = sessions_[index].newer) {
                auto& session = sessions_[index];
                session.next_outside = std::exchange(outside_[bucket_of(session.outside)], index);
                if (session.kind != Kind::kOver) {
                    session.next_inside = std::exchange(inside_[bucket_of(session.inside)], index);
                }
            }
        }
    }
}

void SessionTable::erase(Index index) {
    auto& session = sessions_[index];
    if (session.kind != Kind::kOver) {
        unlink(inside_, &Session::next_inside, session.inside, index);
    }
    unlink(outside_, &Session::next_outside, session.outside, index);
    take_out(index);
    --size_;
    --session.client->size;
    session.next_inside = std::exchange(free_, index);
}

void SessionTable::put_first(Index index) {
    auto& session = sessions_[index];
    auto& list = session.client->list(session.kind);
    session.newer = kNone;
    session.older = std::exchange(list.newest, index);
    (session.older == kNone ? list.oldest : sessions_[session.older].newer) = index;
}

void SessionTable::take_out(Index index) {
    const auto& session = sessions_[index];
    auto& list = session.client->list(session.kind);
    (session.newer == kNone ? list.newest : sessions_[session.newer].older) = session.older;
    (session.older == kNone ? list.oldest : sessions_[session.older].newer) = session.newer;
}

}  // namespace culvert::nat
