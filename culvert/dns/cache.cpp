#include "culvert/dns/cache.h"

#include <algorithm>

#include "culvert/dns/constants.h"
#include "culvert/dns/records.h"
#include "culvert/dns/response.h"

namespace culvert::dns {

namespace {

constexpr unsigned kOrdinaryQuery = 0;

/// RFC 2181 section 8: what has the highest bit set means zero.
std::uint32_t ttl_of(const Record& record) {
    return record.ttl > INT32_MAX ? 0 : record.ttl;
}

/// How long an answer of these records counts: as long as those of the type that was asked for. nullopt if there are
/// none.
std::optional<std::chrono::seconds> lifetime(const std::vector<Record>& records, RecordType type) {
    std::optional<std::chrono::seconds> shortest;
    for (const auto& record : records) {
        if (record.type == type) {
            const std::chrono::seconds ttl{ttl_of(record)};
            shortest = std::min(shortest.value_or(ttl), ttl);
        }
    }
    return shortest;
}

std::size_t size_of(const std::vector<Record>& records) {
    std::size_t size = 0;
    for (const auto& record : records) {
        size += sizeof record + record.owner.wire().size() + record.data.size();
    }
    return size;
}

}  // namespace

void Cache::insert(const Message& query, const Message& response, Instant now) {
    const auto key = key_of(query);
    if (!key || response.response_code() != ResponseCode::kNoError || response.is_truncated() ||
        response.answer_count() == 0) {
        return;
    }
    auto records = read_answers(response);
    const auto ttl = records ? lifetime(*records, key->type) : std::nullopt;
    if (!ttl || *ttl < kMinCachedTtl) {
        return;
    }
    const auto size = size_of(*records);
    if (size > kMaxAnswerBytes) {
        return;
    }
    if (const auto known = entries_.find(*key); known != entries_.end()) {
        erase(known);
    }
    recent_.push_front(*key);
    entries_.emplace(*key, Entry{.records = std::move(*records),
                                 .since = now,
                                 .until = now + std::min(*ttl, kMaxCachedTtl),
                                 .bytes = size,
                                 .recency = recent_.begin()});
    bytes_ += size;
    make_room();
}

std::optional<Bytes> Cache::find(const Message& query, Instant now) {
    if (entries_.empty()) {
        return std::nullopt;
    }
    const auto key = key_of(query);
    const auto found = key ? entries_.find(*key) : entries_.end();
    if (found == entries_.end()) {
        return std::nullopt;
    }
    const auto& entry = found->second;
    if (now >= entry.until) {
        erase(found);
        return std::nullopt;
    }
    recent_.splice(recent_.begin(), recent_, entry.recency);
    const auto passed = std::chrono::floor<std::chrono::seconds>(now - entry.since).count();
    ResponseBuilder builder{query, ResponseCode::kNoError};
    for (const auto& record : entry.records) {
        const auto ttl = std::max<std::int64_t>(ttl_of(record) - passed, 0);
        builder.add(record, static_cast<std::uint32_t>(ttl));
    }
    return std::move(builder).take();
}

void Cache::clear() {
    entries_.clear();
    recent_.clear();
    bytes_ = 0;
}

std::optional<Cache::Key> Cache::key_of(const Message& query) {
    const auto& question = query.question();
    if (query.opcode() != kOrdinaryQuery || question.question_class != kClassIn) {
        return std::nullopt;
    }
    const auto edns = query.edns();
    return Key{.name = question.name,
               .type = question.type,
               .wants_dnssec = edns && edns->wants_dnssec,
               .is_checking_disabled = query.is_checking_disabled()};
}

void Cache::erase(Entries::iterator entry) {
    bytes_ -= entry->second.bytes;
    recent_.erase(entry->second.recency);
    entries_.erase(entry);
}

void Cache::make_room() {
    while (entries_.size() > kMaxEntries || bytes_ > kMaxBytes) {
        erase(entries_.find(recent_.back()));
    }
}

}  // namespace culvert::dns
