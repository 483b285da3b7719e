#include "culvert/dns/site_resolver.h"

#include <algorithm>

#include "culvert/dns/constants.h"
#include "culvert/dns/response.h"
#include "culvert/observability/log.h"

namespace culvert::dns {

namespace {

constexpr log::Logger kLog{"dns"};

Bytes address_query(const Name& name) {
    Bytes query;
    append_be(query, std::uint16_t{0});       // id: drawn when it is sent
    append_be(query, std::uint16_t{0x0100});  // recursion desired
    append_be(query, std::uint16_t{1});
    append_be(query, std::uint16_t{0});
    append_be(query, std::uint32_t{0});
    append(query, name.wire());
    append_be(query, static_cast<std::uint16_t>(RecordType::kA));
    append_be(query, kClassIn);
    return query;
}

/// Nameservers of a site may let the gateway's address do more than ask: change records (RFC 2136), or have whole
/// zones. Its clients may not.
std::optional<ResponseCode> refusal_of(const Message& query) {
    constexpr unsigned kStandardQuery = 0;
    if (query.opcode() != kStandardQuery) {
        return ResponseCode::kNotImp;
    }
    const auto type = query.question().type;
    const bool wants_zone = type == RecordType::kAxfr || type == RecordType::kIxfr;
    return wants_zone ? std::optional{ResponseCode::kRefused} : std::nullopt;
}

}  // namespace

SiteResolver::SiteResolver(std::vector<net::IpAddress> nameservers, Name probe_name, const Rng& rng, Instant now)
    : nameservers_{std::move(nameservers)}, probe_{address_query(probe_name)}, rng_{rng.child("message ids")} {
    if (nameservers_.size() > kEvaluatedServers) {
        nameservers_.resize(kEvaluatedServers);
    }
    evaluate(now);
}

std::expected<void, MessageError> SiteResolver::handle_query(const Requester& from, ByteSpan message, Instant now) {
    const auto query =
        message.size() > kMaxQuery ? std::unexpected{MessageError::kTooLong} : Message::parse_query(message);
    if (!query) {
        kLog.debug("Ignoring malformed query of a client", log::field("error", to_string(query.error())));
        return std::unexpected{query.error()};
    }
    if (const auto refusal = refusal_of(*query)) {
        kLog.debug("A client asks a nameserver for more than answers", log::field("opcode", query->opcode()));
        outputs_.emplace_back(Answer{from, empty_response(*query, *refusal)});
        return {};
    }
    const auto server = nameserver();
    if (!server || !may_ask(from.client.ip, now)) {
        kLog.debug("Cannot ask any nameserver", log::field("has_nameserver", server.has_value()));
        outputs_.emplace_back(Answer{from, empty_response(*query, ResponseCode::kServFail)});
        return {};
    }
    ++queries_;
    ++by_client_[from.client.ip];
    ask({.requester = from,
         .query = to_bytes(message),
         .question = query->question(),
         .server = *server,
         .transport = from.transport,
         .since = now,
         .until = now + kHostTimeout});
    return {};
}

void SiteResolver::handle_connection_closed(std::uint64_t connection) {
    for (auto entry = asks_.begin(); entry != asks_.end();) {
        const auto current = entry++;
        const auto& requester = current->second.requester;
        if (requester && requester->transport == Transport::kTcp && requester->connection == connection) {
            finish(current);
        }
    }
}

void SiteResolver::handle_response(AskId id, ByteSpan message, Instant now) {
    const auto entry = asks_.find(id);
    if (entry == asks_.end()) {
        return;
    }
    const auto& ask = entry->second;
    const bool is_last = ask.transport == Transport::kTcp;
    if (!is_response_to(message, ask.wire_id)) {
        return is_last ? fail(entry) : void();
    }
    const auto response = Message::parse_response(message);
    if (!response) {
        return fail(entry);
    }
    if (response->question() != ask.question) {
        return is_last ? fail(entry) : void();
    }
    if (!ask.requester) {
        rate(ask, *response, now);
        return finish(entry);
    }
    auto answer = with_id(message, load_be<std::uint16_t>(ask.query));
    if (ask.transport == Transport::kUdp) {
        answer = fit_into(kMaxSiteUdpMessage, std::move(answer));
    }
    outputs_.emplace_back(Answer{*ask.requester, std::move(answer)});
    finish(entry);
}

void SiteResolver::handle_failure(AskId id) {
    if (const auto entry = asks_.find(id); entry != asks_.end()) {
        fail(entry);
    }
}

void SiteResolver::handle_timeout(Instant now) {
    while (!schedule_.empty() && schedule_.begin()->first <= now) {
        fail(asks_.find(schedule_.begin()->second));
    }
    due_.expire(now, [&](Due due) {
        switch (due) {
            case Due::kEvaluation:
                return evaluate(now);
        }
    });
}

std::optional<Instant> SiteResolver::poll_timeout() const {
    return earliest(due_.next(), schedule_.empty() ? std::nullopt : std::optional{schedule_.begin()->first});
}

std::optional<StubOutput> SiteResolver::poll_output() {
    if (outputs_.empty()) {
        return std::nullopt;
    }
    auto output = std::move(outputs_.front());
    outputs_.pop_front();
    return output;
}

std::optional<net::IpAddress> SiteResolver::nameserver() const {
    const auto& rating = best_ ? best_ : chosen_;
    return rating ? std::optional{nameservers_[rating->position]} : std::nullopt;
}

void SiteResolver::evaluate(Instant now) {
    // What the comparison before found counts until this one has found somebody, or has ended: one that was fast and
    // died must not stay.
    chosen_ = std::exchange(best_, std::nullopt);
    for (const auto& server : nameservers_) {
        for (const auto transport : {Transport::kUdp, Transport::kTcp}) {  // a lost datagram says nothing
            ask({.query = probe_,
                 .question = Message::parse_query(probe_)->question(),
                 .server = server,
                 .transport = transport,
                 .since = now,
                 .until = now + kEvaluationTimeout});
        }
    }
    due_.set(Due::kEvaluation, now + kEvaluationInterval);
    std::erase_if(rates_, [&](const auto& entry) { return entry.second.is_full(now); });
}

void SiteResolver::rate(const OpenAsk& ask, const Message& response, Instant now) {
    const auto position = std::ranges::find(nameservers_, ask.server) - nameservers_.begin();
    const Rating rating{.is_failure = response.response_code() != ResponseCode::kNoError,
                        .round_trip = now - ask.since,
                        .position = static_cast<std::size_t>(position)};
    best_ = best_ ? std::min(*best_, rating) : rating;
}

void SiteResolver::ask(OpenAsk ask) {
    const AskId id{next_ask_++};
    ask.wire_id = static_cast<MessageId>(rng_.next_u32());
    outputs_.emplace_back(Ask{id, ViaHost{{ask.server, kDnsPort}}, ask.transport, with_id(ask.query, ask.wire_id)});
    schedule_.emplace(ask.until, id);
    asks_.emplace(id, std::move(ask));
}

void SiteResolver::fail(Entry entry) {
    if (const auto& requester = entry->second.requester) {
        const auto query = Message::parse_query(entry->second.query);
        outputs_.emplace_back(Answer{*requester, empty_response(*query, ResponseCode::kServFail)});
    }
    finish(entry);
}

void SiteResolver::finish(Entry entry) {
    const auto& [id, ask] = *entry;
    if (ask.requester) {
        --queries_;
        const auto of_client = by_client_.find(ask.requester->client.ip);
        if (--of_client->second == 0) {
            by_client_.erase(of_client);
        }
    }
    outputs_.emplace_back(StopAsking{id});
    schedule_.erase({ask.until, id});
    const bool was_probe = !ask.requester;
    asks_.erase(entry);
    const auto is_probe = [](const auto& other) { return !other.second.requester; };
    if (was_probe && std::ranges::none_of(asks_, is_probe)) {
        chosen_ = best_;  // the comparison is over
    }
}

bool SiteResolver::may_ask(const net::IpAddress& client, Instant now) {
    const auto found = by_client_.find(client);
    const auto of_client = found == by_client_.end() ? 0 : found->second;
    const bool is_scarce = queries_ >= kHostQueries / 2;
    const bool has_room =
        queries_ < kHostQueries && of_client < (is_scarce ? kScarceSiteQueriesPerClient : kSiteQueriesPerClient);
    return has_room && rates_[client].take(kSiteQueryRate, now);
}

}  // namespace culvert::dns
