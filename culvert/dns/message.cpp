#include "culvert/dns/message.h"

namespace culvert::dns {

namespace {

constexpr std::uint16_t kIsResponse = 0x8000;
constexpr std::uint32_t kWantsDnssec = 0x8000;

/// Where the parts of a record are that stand between its name and its data.
struct RecordHead {
    RecordType type;
    std::uint16_t record_class;
    std::uint32_t ttl;
};

/// Moves `at` behind the record that begins there.
std::optional<RecordHead> skip_record(ByteSpan bytes, std::size_t& at) {
    if (!skip_name(bytes, at) || bytes.size() - at < 10) {
        return std::nullopt;
    }
    const auto rest = bytes.subspan(at);
    const auto size = load_be<std::uint16_t>(rest.subspan(8));
    if (rest.size() - 10 < size) {
        return std::nullopt;
    }
    at += 10 + std::size_t{size};
    return RecordHead{.type = static_cast<RecordType>(load_be<std::uint16_t>(rest)),
                      .record_class = load_be<std::uint16_t>(rest.subspan(2)),
                      .ttl = load_be<std::uint32_t>(rest.subspan(4))};
}

}  // namespace

std::string_view to_string(MessageError error) {
    switch (error) {
        case MessageError::kTooShort:
            return "too short";
        case MessageError::kTooLong:
            return "too long";
        case MessageError::kWrongDirection:
            return "wrong direction";
        case MessageError::kNotOneQuestion:
            return "not one question";
        case MessageError::kBadQuestion:
            return "bad question";
        case MessageError::kBadAnswer:
            return "bad answer";
    }
    return "";
}

std::expected<Message, MessageError> Message::parse_query(ByteSpan bytes) {
    return parse(bytes, false);
}

std::expected<Message, MessageError> Message::parse_response(ByteSpan bytes) {
    return parse(bytes, true);
}

std::expected<Message, MessageError> Message::parse(ByteSpan bytes, bool is_response) {
    if (bytes.size() < kHeaderSize) {
        return std::unexpected{MessageError::kTooShort};
    }
    Message message{bytes};
    if (((message.flags() & kIsResponse) != 0) != is_response) {
        return std::unexpected{MessageError::kWrongDirection};
    }
    if (load_be<std::uint16_t>(bytes.subspan(4)) != 1) {
        return std::unexpected{MessageError::kNotOneQuestion};
    }
    std::size_t at = kHeaderSize;
    auto name = Name::read(bytes, at);
    if (!name || bytes.size() - at < 4) {
        return std::unexpected{MessageError::kBadQuestion};
    }
    message.question_ = {.name = std::move(*name),
                         .type = static_cast<RecordType>(load_be<std::uint16_t>(bytes.subspan(at))),
                         .question_class = load_be<std::uint16_t>(bytes.subspan(at + 2))};
    at += 4;
    message.question_end_ = at;
    for (unsigned i = 0; i < message.answer_count(); ++i) {
        if (!skip_record(bytes, at)) {
            return std::unexpected{MessageError::kBadAnswer};
        }
    }
    return message;
}

std::optional<Edns> Message::edns() const {
    const auto authority = load_be<std::uint16_t>(bytes_.subspan(8));
    const auto additional = load_be<std::uint16_t>(bytes_.subspan(10));
    const auto before = unsigned{answer_count()} + authority;
    auto at = question_end_;
    for (unsigned i = 0; i < before + additional; ++i) {
        const auto record = skip_record(bytes_, at);
        if (!record) {
            return std::nullopt;
        }
        if (i >= before && record->type == RecordType::kOpt) {
            return Edns{.udp_size = record->record_class, .wants_dnssec = (record->ttl & kWantsDnssec) != 0};
        }
    }
    return std::nullopt;
}

bool is_response_to(ByteSpan bytes, MessageId id) {
    return bytes.size() >= Message::kHeaderSize && load_be<std::uint16_t>(bytes) == id &&
           (load_be<std::uint16_t>(bytes.subspan(2)) & kIsResponse) != 0;
}

Bytes with_id(ByteSpan bytes, MessageId id) {
    auto copy = to_bytes(bytes);
    store_be(MutableByteSpan{copy}, id);
    return copy;
}

}  // namespace culvert::dns
