#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "culvert/base/bytes.h"
#include "culvert/dns/name.h"
#include "culvert/dns/record.h"

namespace culvert::dns {

enum class ResponseCode : std::uint8_t {
    kNoError = 0,
    kFormErr = 1,
    kServFail = 2,
    kNxDomain = 3,
    kNotImp = 4,
    kRefused = 5
};

/// Distinguishes queries of one requester.
using MessageId = std::uint16_t;

struct Question {
    Name name;
    RecordType type = RecordType::kA;
    std::uint16_t question_class = kClassIn;

    friend bool operator==(const Question&, const Question&) = default;
};

/// What a sender says about itself (RFC 6891 section 6.1).
struct Edns {
    /// Largest UDP message that it takes.
    std::uint16_t udp_size = 0;
    bool wants_dnssec = false;

    friend bool operator==(const Edns&, const Edns&) = default;
};

enum class MessageError : std::uint8_t {
    kTooShort,
    kTooLong,
    kWrongDirection,
    kNotOneQuestion,
    kBadQuestion,
    kBadAnswer
};
[[nodiscard]] std::string_view to_string(MessageError error);

/// A view of a DNS message with exactly one question. The bytes must outlive it.
///
/// Accepted by spec/dns.md section 3: question and answer records are looked at, what follows them only if somebody
/// asks for edns(). Of records no more is looked at here than where they end (records.h reads them).
class Message {
public:
    static constexpr std::size_t kHeaderSize = 12;

    [[nodiscard]] static std::expected<Message, MessageError> parse_query(ByteSpan bytes);
    [[nodiscard]] static std::expected<Message, MessageError> parse_response(ByteSpan bytes);

    [[nodiscard]] ByteSpan bytes() const { return bytes_; }
    [[nodiscard]] const Question& question() const { return question_; }
    /// As on the wire.
    [[nodiscard]] ByteSpan question_bytes() const { return bytes_.subspan(kHeaderSize, question_end_ - kHeaderSize); }
    /// Where the answers begin.
    [[nodiscard]] std::size_t question_end() const { return question_end_; }

    [[nodiscard]] MessageId id() const { return load_be<std::uint16_t>(bytes_); }
    [[nodiscard]] std::uint16_t flags() const { return load_be<std::uint16_t>(bytes_.subspan(2)); }
    /// 0: an ordinary query.
    [[nodiscard]] unsigned opcode() const { return flags() >> 11 & 0xfU; }
    [[nodiscard]] bool is_truncated() const { return (flags() & 0x0200U) != 0; }
    [[nodiscard]] bool is_checking_disabled() const { return (flags() & 0x0010U) != 0; }
    [[nodiscard]] ResponseCode response_code() const { return static_cast<ResponseCode>(flags() & 0xfU); }
    [[nodiscard]] std::uint16_t answer_count() const { return load_be<std::uint16_t>(bytes_.subspan(6)); }

    /// nullopt without OPT record, and if the records in front of it cannot be skipped.
    [[nodiscard]] std::optional<Edns> edns() const;

private:
    explicit Message(ByteSpan bytes) : bytes_{bytes} {}
    static std::expected<Message, MessageError> parse(ByteSpan bytes, bool is_response);

    ByteSpan bytes_;
    Question question_;
    std::size_t question_end_ = kHeaderSize;
};

/// Whether these bytes are a response with this id, whatever follows in them.
[[nodiscard]] bool is_response_to(ByteSpan bytes, MessageId id);

/// The same message under another id. Requires bytes.size() >= 2.
[[nodiscard]] Bytes with_id(ByteSpan bytes, MessageId id);

}  // namespace culvert::dns
