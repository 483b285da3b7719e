#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/dns/message.h"
#include "culvert/dns/records.h"
#include "culvert/net/ip_address.h"

/// DNS messages for tests.
namespace culvert::dns::test {

inline Name name(std::string_view text) {
    return Name::parse(text).value();
}

inline net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

struct QueryOptions {
    MessageId id = 0x1234;
    std::uint16_t flags = 0x0100;
    std::uint16_t question_class = kClassIn;
    std::optional<Edns> edns = std::nullopt;
};

inline void append_question(Bytes& out, std::string_view text, RecordType type, std::uint16_t question_class) {
    append(out, name(text).wire());
    append_be(out, static_cast<std::uint16_t>(type));
    append_be(out, question_class);
}

inline void append_record(Bytes& out, const Record& record) {
    append(out, record.owner.wire());
    append_be(out, static_cast<std::uint16_t>(record.type));
    append_be(out, record.record_class);
    append_be(out, record.ttl);
    append_be(out, static_cast<std::uint16_t>(record.data.size()));
    append(out, record.data);
}

inline Bytes header(MessageId id, std::uint16_t flags, std::size_t answers, std::size_t additional = 0) {
    Bytes out;
    for (const auto value :
         {std::size_t{id}, std::size_t{flags}, std::size_t{1}, answers, std::size_t{0}, additional}) {
        append_be(out, static_cast<std::uint16_t>(value));
    }
    return out;
}

inline Bytes query(std::string_view text, RecordType type = RecordType::kA, const QueryOptions& options = {}) {
    auto out = header(options.id, options.flags, 0, options.edns ? 1 : 0);
    append_question(out, text, type, options.question_class);
    if (options.edns) {
        append_record(out, {.type = RecordType::kOpt,
                            .record_class = options.edns->udp_size,
                            .ttl = options.edns->wants_dnssec ? 0x8000U : 0U});
    }
    return out;
}

/// What an upstream answers to `query`.
inline Bytes response(ByteSpan query, const std::vector<Record>& answers, std::uint16_t flags = 0x8180) {
    const auto message = Message::parse_query(query).value();
    auto out = header(message.id(), flags, answers.size());
    append(out, message.question_bytes());
    for (const auto& record : answers) {
        append_record(out, record);
    }
    return out;
}

inline Record a_record(std::string_view owner, std::uint32_t ttl, std::string_view address) {
    const auto parsed = ip(address);
    return {.owner = name(owner),
            .type = parsed.is_v4() ? RecordType::kA : RecordType::kAaaa,
            .ttl = ttl,
            .data = to_bytes(parsed.bytes())};
}

inline Record cname_record(std::string_view owner, std::uint32_t ttl, std::string_view target) {
    return {.owner = name(owner), .type = RecordType::kCname, .ttl = ttl, .data = to_bytes(name(target).wire())};
}

/// What stands in a response, for comparisons: "NOERROR A 100.96.0.1 A 100.96.0.2".
inline std::string summary(ByteSpan bytes) {
    const auto message = Message::parse_response(bytes);
    if (!message) {
        return "malformed";
    }
    const auto code = message->response_code();
    std::string text = code == ResponseCode::kNoError    ? "NOERROR"
                       : code == ResponseCode::kNxDomain ? "NXDOMAIN"
                       : code == ResponseCode::kServFail ? "SERVFAIL"
                                                         : "other";
    if (message->is_truncated()) {
        text += " TC";
    }
    const auto records = read_answers(*message).value();
    for (const auto& record : records) {
        switch (record.type) {
            case RecordType::kA:
            case RecordType::kAaaa:
                text += ' ' + net::IpAddress::from_bytes(record.data).to_string();
                break;
            case RecordType::kPtr:
            case RecordType::kCname: {
                std::size_t at = 0;
                text += ' ' + Name::read(record.data, at).value().to_string();
                break;
            }
            default:
                text += " type" + std::to_string(static_cast<unsigned>(record.type));
        }
    }
    return text;
}

inline std::vector<std::uint32_t> ttls(ByteSpan bytes) {
    const auto message = Message::parse_response(bytes).value();
    std::vector<std::uint32_t> found;
    const auto records = read_answers(message).value();
    for (const auto& record : records) {
        found.push_back(record.ttl);
    }
    return found;
}

}  // namespace culvert::dns::test
