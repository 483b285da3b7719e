#include "culvert/dns/response.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "culvert/dns/constants.h"

namespace culvert::dns {

namespace {

constexpr std::uint16_t kResponse = 0x8000;
constexpr std::uint16_t kOpcode = 0x7800;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;

constexpr std::size_t kFlagsAt = 2;
constexpr std::size_t kQuestionCountAt = 4;
constexpr std::size_t kAnswerCountAt = 6;
constexpr std::uint16_t kPointer = 0xc000;
constexpr std::size_t kFarthestPointer = 0x3fff;
constexpr std::uint16_t kPointerToQuestion = kPointer | Message::kHeaderSize;

}  // namespace

ResponseBuilder::ResponseBuilder(const Message& query, ResponseCode code) : question_{query.question().name} {
    const auto question = query.question_bytes();
    bytes_.reserve(Message::kHeaderSize + question.size() + 4 * 28);
    std::array<std::byte, Message::kHeaderSize> header{};
    const MutableByteSpan head{header};
    store_be(head, query.id());
    store_be(head.subspan(kFlagsAt),
             static_cast<std::uint16_t>(kResponse | (query.flags() & (kOpcode | kRecursionDesired)) |
                                        static_cast<std::uint16_t>(code)));
    store_be(head.subspan(kQuestionCountAt), std::uint16_t{1});
    append(bytes_, header);
    append(bytes_, question);
}

void ResponseBuilder::add(RecordType type, std::uint32_t ttl, ByteSpan data) {
    append_be(bytes_, kPointerToQuestion);
    add_head(type, kClassIn, ttl, data);
}

void ResponseBuilder::add(const Record& record, std::uint32_t ttl) {
    add_owner(record.owner);
    add_head(record.type, record.record_class, ttl, record.data);
    if (record.type == RecordType::kCname) {
        std::size_t at = 0;
        if (const auto target = Name::read(record.data, at)) {
            remember(*target, bytes_.size() - record.data.size());
        }
    }
}

void ResponseBuilder::add_owner(const Name& owner) {
    if (owner == question_) {
        append_be(bytes_, kPointerToQuestion);
        return;
    }
    const auto known = std::ranges::find(names_, owner, &std::pair<Name, std::uint16_t>::first);
    if (known != names_.end()) {
        append_be(bytes_, static_cast<std::uint16_t>(kPointer | known->second));
        return;
    }
    remember(owner, bytes_.size());
    append(bytes_, owner.wire());
}

void ResponseBuilder::remember(const Name& name, std::size_t at) {
    if (at <= kFarthestPointer && !name.is_root()) {
        names_.emplace_back(name, static_cast<std::uint16_t>(at));
    }
}

void ResponseBuilder::add_head(RecordType type, std::uint16_t record_class, std::uint32_t ttl, ByteSpan data) {
    assert(data.size() <= UINT16_MAX);
    std::array<std::byte, 10> fields;
    const MutableByteSpan head{fields};
    store_be(head, static_cast<std::uint16_t>(type));
    store_be(head.subspan(2), record_class);
    store_be(head.subspan(4), ttl);
    store_be(head.subspan(8), static_cast<std::uint16_t>(data.size()));
    append(bytes_, fields);
    append(bytes_, data);
    const auto count = MutableByteSpan{bytes_}.subspan(kAnswerCountAt);
    store_be(count, static_cast<std::uint16_t>(load_be<std::uint16_t>(count) + 1));
}

Bytes empty_response(const Message& query, ResponseCode code) {
    return ResponseBuilder{query, code}.take();
}

Bytes fit_into(std::size_t limit, Bytes response) {
    if (response.size() <= limit) {
        return response;
    }
    const auto message = Message::parse_response(response);
    assert(message);
    const auto flags = static_cast<std::uint16_t>(message->flags() | kTruncated);
    response.resize(message->question_end());
    store_be(MutableByteSpan{response}.subspan(kFlagsAt), flags);
    std::ranges::fill(MutableByteSpan{response}.subspan(kAnswerCountAt, 6), std::byte{0});
    return response;
}

std::size_t udp_limit(const Message& query) {
    const auto edns = query.edns();
    return std::clamp<std::size_t>(edns ? edns->udp_size : 0, kClassicUdpMessage, kMaxUdpMessage);
}

}  // namespace culvert::dns
