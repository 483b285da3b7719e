#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/deadlines.h"
#include "culvert/base/rate_limiter.h"
#include "culvert/base/rng.h"
#include "culvert/base/sans_io.h"
#include "culvert/base/time.h"
#include "culvert/dns/message.h"
#include "culvert/dns/stub_io.h"
#include "culvert/net/ip_address.h"
#include "culvert/net/socket_address.h"

namespace culvert::dns {

/// What a gateway answers on its tunnel addresses: any query of any client that changes nothing and wants no zone, by
/// asking the fastest of the nameservers that the machine has (spec/dns.md sections 10.4 and 10.5). Unlike the stub it
/// never leaves a query without answer.
///
/// Sans-IO, as the stub is: outputs are Answer, Ask over the host's network and StopAsking.
class SiteResolver {
public:
    /// Compares `nameservers` at once, and then every minute, by asking them for `probe_name`.
    SiteResolver(std::vector<net::IpAddress> nameservers, Name probe_name, const Rng& rng, Instant now);

    /// An error: drop it over UDP, close the connection over TCP.
    std::expected<void, MessageError> handle_query(const Requester& from, ByteSpan message, Instant now);
    /// Nobody is left on this TCP connection.
    void handle_connection_closed(std::uint64_t connection);

    /// Over UDP it must have come from the server that was asked; a socket that is connected sees to that.
    void handle_response(AskId id, ByteSpan message, Instant now);
    void handle_failure(AskId id);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    [[nodiscard]] std::optional<StubOutput> poll_output();

    /// Who is asked now. None: nobody answered when they were compared last.
    [[nodiscard]] std::optional<net::IpAddress> nameserver() const;

private:
    enum class Due : std::uint8_t { kEvaluation };

    /// A query of ours. Without requester: for comparing nameservers.
    struct OpenAsk {
        std::optional<Requester> requester;
        Bytes query;
        Question question;
        net::IpAddress server;
        Transport transport = Transport::kUdp;
        MessageId wire_id = 0;
        Instant since;
        Instant until;
    };
    /// How well a nameserver answers: least is best.
    struct Rating {
        bool is_failure = false;  // it answered, but knows nothing
        Duration round_trip{};
        std::size_t position = 0;

        friend auto operator<=>(const Rating&, const Rating&) = default;
    };
    using Entry = std::map<AskId, OpenAsk>::iterator;

    void evaluate(Instant now);
    void rate(const OpenAsk& ask, const Message& response, Instant now);
    void ask(OpenAsk ask);
    void fail(Entry entry);
    void finish(Entry entry);
    [[nodiscard]] bool may_ask(const net::IpAddress& client, Instant now);

    std::vector<net::IpAddress> nameservers_;
    Bytes probe_;
    Rng rng_;
    Deadlines<Due> due_;

    std::uint64_t next_ask_ = 0;
    std::map<AskId, OpenAsk> asks_;
    std::set<std::pair<Instant, AskId>> schedule_;
    std::map<net::IpAddress, std::size_t> by_client_;
    std::map<net::IpAddress, RateLimiter> rates_;
    std::size_t queries_ = 0;

    std::optional<Rating> best_;    // of the last comparison, as far as it has come
    std::optional<Rating> chosen_;  // stays until a comparison has found somebody, or nobody
    std::deque<StubOutput> outputs_;
};

static_assert(SansIo<SiteResolver>);

}  // namespace culvert::dns
