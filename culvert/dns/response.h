#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/dns/message.h"
#include "culvert/dns/record.h"

namespace culvert::dns {

/// Builds a response of our own to a query (spec/dns.md section 4.3): id, opcode and RD are the query's, so is the
/// question, letter by letter; no authority, no additional records, and no OPT.
///
/// The query must live until take().
class ResponseBuilder {
public:
    ResponseBuilder(const Message& query, ResponseCode code);

    /// A record of the name that was asked for, which is a pointer to the question: so what we answer ourselves fits
    /// into 512 bytes, however long the name.
    void add(RecordType type, std::uint32_t ttl, ByteSpan data);
    /// A record of somebody else. Its owner is written once, also if an alias in front of it leads there.
    void add(const Record& record, std::uint32_t ttl);

    [[nodiscard]] Bytes take() && { return std::move(bytes_); }

private:
    void add_head(RecordType type, std::uint16_t record_class, std::uint32_t ttl, ByteSpan data);

    void add_owner(const Name& owner);
    /// Later records may point there.
    void remember(const Name& name, std::size_t at);

    const Name& question_;
    Bytes bytes_;
    std::vector<std::pair<Name, std::uint16_t>> names_;  // others, and where they are
};

[[nodiscard]] Bytes empty_response(const Message& query, ResponseCode code);

/// A response as it may leave over UDP: unchanged up to `limit` bytes, else question and TC only (section 4.4), so that
/// the asker comes again over TCP.
[[nodiscard]] Bytes fit_into(std::size_t limit, Bytes response);

/// How long a response of our own to this query may be over UDP: what the asker takes, and at most kMaxUdpMessage.
[[nodiscard]] std::size_t udp_limit(const Message& query);

}  // namespace culvert::dns
