#include "culvert/tcp/dns_client.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "culvert/base/deadlines.h"
#include "culvert/tcp/constants.h"

namespace culvert::tcp {
namespace {

// RFC 1035 section 4.1.1.
constexpr std::size_t kFlagsOffset = 2;
constexpr std::size_t kQuestionsOffset = 4;
constexpr std::byte kIsResponse{0x80};

constexpr std::size_t kTypeAndClass = 4;

/// The only question of a message, as it stands there. Empty: there is none, or several, or it is malformed.
ByteSpan question_of(ByteSpan message) {
    constexpr std::size_t kMaxLabel = 63;
    const auto rest = message.subspan(MessageReader::kMinMessage);
    if (load_be<std::uint16_t>(message.subspan(kQuestionsOffset)) != 1) {
        return {};
    }
    std::size_t at = 0;
    while (at < rest.size()) {
        const auto label = static_cast<std::size_t>(rest[at]);
        if (label > kMaxLabel) {
            return {};  // compressed: before the first name there is nothing to point to
        }
        at += 1 + label;
        if (label == 0) {
            return at + kTypeAndClass <= rest.size() ? rest.first(at + kTypeAndClass) : ByteSpan{};
        }
    }
    return {};
}

std::byte lower(std::byte value) {
    return value >= std::byte{'A'} && value <= std::byte{'Z'} ? value | std::byte{0x20} : value;
}

/// Whether a response is about what was asked. One without a question can only be an error.
bool answers(ByteSpan response, ByteSpan query) {
    if ((response[kFlagsOffset] & kIsResponse) == std::byte{0}) {
        return false;
    }
    if (load_be<std::uint16_t>(response.subspan(kQuestionsOffset)) == 0) {
        return response.size() == MessageReader::kMinMessage;
    }
    const auto asked = question_of(query);
    const auto answered = question_of(response);
    if (asked.empty() || asked.size() != answered.size()) {
        return false;
    }
    const auto name = asked.size() - kTypeAndClass;
    return std::ranges::equal(asked.first(name), answered.first(name), {}, lower, lower) &&
           equal(asked.subspan(name), answered.subspan(name));
}

}  // namespace

DnsClient::DnsClient(Rng rng) : endpoints_{{.idle_time = kDnsClientIdleTime}, rng.fork()}, rng_{std::move(rng)} {}

void DnsClient::set_local_addresses(std::optional<net::IpAddress> v4, std::optional<net::IpAddress> v6, Instant now) {
    assert((!v4 || v4->is_v4()) && (!v6 || v6->is_v6()));
    if (v4 == local_v4_ && v6 == local_v6_) {
        return;
    }
    reset(now);
    local_v4_ = v4;
    local_v6_ = v6;
}

// --- Queries ---

QueryId DnsClient::ask(const net::SocketAddress& resolver, Bytes query, Instant now) {
    assert(query.size() >= MessageReader::kMinMessage && query.size() <= 65535);
    const QueryId id{next_id_++};
    if (queries_.size() >= kMaxQueries) {
        answers_.push_back({id, {}});
        return id;
    }
    queries_.emplace(id, Query{.resolver = resolver, .message = std::move(query), .ends_at = now + kDnsQueryTime});
    send(id, now);
    return id;
}

void DnsClient::send(QueryId id, Instant now) {
    const auto& query = queries_.at(id);
    auto* resolver = connected(query.resolver, now);
    if (resolver == nullptr) {
        fail(id);
    } else if (!resolver->unsent.empty() || !write(*resolver, id, query, now)) {
        resolver->unsent.push_back(id);
    }
}

DnsClient::Resolver* DnsClient::connected(const net::SocketAddress& address, Instant now) {
    if (const auto found = resolvers_.find(address); found != resolvers_.end()) {
        return &found->second;
    }
    const auto& local = address.is_v4() ? local_v4_ : local_v6_;
    const auto connection = local ? std::optional{endpoints_.connect(*local, address, now)} : std::nullopt;
    if (!connection || !*connection) {
        return nullptr;
    }
    return &resolvers_.emplace(address, Resolver{.connection = **connection}).first->second;
}

bool DnsClient::write(Resolver& resolver, QueryId id, const Query& query, Instant now) {
    if (resolver.asked.size() >= kMaxQueries) {
        return false;  // of which most must be over; the connection is about to be
    }
    auto wire_id = static_cast<std::uint16_t>(rng_.next_u32());
    while (resolver.asked.contains(wire_id)) {
        wire_id = static_cast<std::uint16_t>(rng_.next_u32());
    }
    auto framed = with_length(query.message);
    store_be(MutableByteSpan{framed}.subspan(2), wire_id);
    if (!endpoints_.write(resolver.connection, framed, now)) {
        return false;
    }
    resolver.asked.emplace(wire_id, id);
    return true;
}

void DnsClient::write_unsent(Resolver& resolver, Instant now) {
    while (!resolver.unsent.empty()) {
        const auto id = resolver.unsent.front();
        const auto query = queries_.find(id);
        if (query != queries_.end() && !write(resolver, id, query->second, now)) {
            return;
        }
        resolver.unsent.pop_front();
    }
}

void DnsClient::fail(QueryId id) {
    if (queries_.erase(id) > 0) {
        answers_.push_back({id, {}});
    }
}

void DnsClient::cancel(QueryId id) {
    const auto query = queries_.find(id);
    if (query == queries_.end()) {
        return;
    }
    if (const auto resolver = resolvers_.find(query->second.resolver); resolver != resolvers_.end()) {
        forget(resolver->second, id);
    }
    queries_.erase(query);
}

void DnsClient::forget(Resolver& resolver, QueryId id) {
    std::erase(resolver.unsent, id);
    const auto asked =
        std::ranges::find(resolver.asked, std::optional{id}, [](const auto& item) { return item.second; });
    if (asked != resolver.asked.end()) {
        asked->second.reset();
    }
}

std::optional<DnsClient::Answer> DnsClient::poll_answer() {
    if (answers_.empty()) {
        return std::nullopt;
    }
    std::optional answer{std::move(answers_.front())};
    answers_.pop_front();
    return answer;
}

// --- Packets and time ---

bool DnsClient::handle_packet(const packet::IpPacket& packet, Checksums checksums, Instant now) {
    const bool is_ours = endpoints_.handle_packet(packet, checksums, now);
    handle_events(now);
    return is_ours;
}

bool DnsClient::handle_icmp_error(const packet::IcmpError& error, Instant now) {
    const bool is_ours = endpoints_.handle_icmp_error(error, now);
    handle_events(now);
    return is_ours;
}

std::optional<Instant> DnsClient::poll_timeout() const {
    const auto query = queries_.empty() ? std::nullopt : std::optional{queries_.begin()->second.ends_at};
    return earliest(endpoints_.poll_timeout(), query);
}

void DnsClient::handle_timeout(Instant now) {
    endpoints_.handle_timeout(now);
    handle_events(now);
    while (!queries_.empty() && queries_.begin()->second.ends_at <= now) {
        const auto id = queries_.begin()->first;
        const auto resolver = resolvers_.find(queries_.begin()->second.resolver);
        fail(id);
        if (resolver == resolvers_.end()) {
            continue;
        }
        forget(resolver->second, id);
        const bool is_stuck =
            endpoints_.unacknowledged(resolver->second.connection) > 0 || !resolver->second.was_opened;
        if (is_stuck || resolver->second.asked.size() >= kMaxQueries) {
            lose(resolver, Loss::kMayAskAgain, now);  // the way may be another one by now
        }
    }
}

void DnsClient::reset(Instant now) {
    endpoints_.abort_all(now);
    resolvers_.clear();
    while (!queries_.empty()) {
        fail(queries_.begin()->first);
    }
}

// --- Connections ---

DnsClient::Resolvers::iterator DnsClient::find(ConnectionId connection) {
    return std::ranges::find(resolvers_, connection, [](const auto& item) { return item.second.connection; });
}

void DnsClient::handle_events(Instant now) {
    while (const auto event = endpoints_.poll_event()) {
        handle(*event, now);
    }
}

void DnsClient::handle(const Endpoints::Event& event, Instant now) {
    const auto found = find(event.connection);
    if (found == resolvers_.end()) {
        return;
    }
    auto& resolver = found->second;
    switch (event.signal) {
        case Signal::kOpened:
            resolver.was_opened = true;
            break;
        case Signal::kReadable:
            read(found, now);
            break;
        case Signal::kDrained:
            write_unsent(resolver, now);
            break;
        case Signal::kIdle:
            if (std::ranges::none_of(resolver.asked, [](const auto& item) { return item.second.has_value(); }) &&
                resolver.unsent.empty()) {
                endpoints_.close(resolver.connection, now);
                resolvers_.erase(found);
            }
            break;
        case Signal::kPeerClosed:
            lose(found, Loss::kMayAskAgain, now);
            break;
        case Signal::kClosed:
        case Signal::kReset:
            lose(found, Loss::kMayAskAgain, now);
            break;
        case Signal::kRefused:
        case Signal::kTimedOut:
        case Signal::kUnreachable:
            lose(found, Loss::kFails, now);
            break;
    }
}

void DnsClient::read(Resolvers::iterator found, Instant now) {
    auto& resolver = found->second;
    while (true) {
        const auto bytes = endpoints_.readable(resolver.connection);
        if (bytes.empty()) {
            return;
        }
        std::size_t taken = 0;
        auto message = resolver.reader.read(bytes, taken);
        endpoints_.consume(resolver.connection, taken, now);
        if (resolver.reader.is_broken() || (message && !take_answer(resolver, std::move(*message)))) {
            lose(found, Loss::kFails, now);
            return;
        }
        endpoints_.restart_idle(resolver.connection, now);
    }
}

bool DnsClient::take_answer(Resolver& resolver, Bytes message) {
    const auto asked = resolver.asked.find(load_be<std::uint16_t>(message));
    if (asked == resolver.asked.end()) {
        return false;
    }
    const auto id = asked->second;
    const auto query = id ? queries_.find(*id) : queries_.end();
    if (query != queries_.end()) {
        if (!answers(message, query->second.message)) {
            return false;
        }
        std::ranges::copy(ByteSpan{query->second.message}.first(2), message.begin());
        answers_.push_back({*id, std::move(message)});
        queries_.erase(query);
    }
    resolver.asked.erase(asked);
    return true;
}

void DnsClient::lose(Resolvers::iterator found, Loss loss, Instant now) {
    auto resolver = std::move(found->second);
    resolvers_.erase(found);
    if (loss == Loss::kFails || endpoints_.unacknowledged(resolver.connection) > 0 || !resolver.was_opened) {
        endpoints_.abort(resolver.connection, now);
    } else {
        endpoints_.close(resolver.connection, now);
    }
    std::vector<QueryId> again;
    for (const auto& [wire_id, id] : resolver.asked) {
        if (id) {
            again.push_back(*id);
        }
    }
    again.insert(again.end(), resolver.unsent.begin(), resolver.unsent.end());
    std::ranges::sort(again);
    for (const auto id : again) {
        const auto query = queries_.find(id);
        if (query == queries_.end()) {
            continue;
        }
        if (loss == Loss::kFails || std::exchange(query->second.was_repeated, true)) {
            fail(id);
        } else {
            send(id, now);
        }
    }
}

}  // namespace culvert::tcp
