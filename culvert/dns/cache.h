#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/time.h"
#include "culvert/dns/message.h"
#include "culvert/dns/record.h"

namespace culvert::dns {

/// What upstream answered, while it is true (spec/dns.md section 9). Positive answers only.
///
/// What lies in it is bounded: what was asked for least recently gives way.
class Cache {
public:
    static constexpr std::size_t kMaxEntries = 4096;
    static constexpr std::size_t kMaxBytes = 4U << 20;
    /// Of one answer. What is longer is rare, and with all names uncompressed might be no DNS message any more.
    static constexpr std::size_t kMaxAnswerBytes = 48U << 10;

    /// Keeps `response` to `query` if it may be kept.
    void insert(const Message& query, const Message& response, Instant now);
    /// A response to `query`, TTLs reduced by the time that has passed; of whatever length.
    [[nodiscard]] std::optional<Bytes> find(const Message& query, Instant now);
    void clear();

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// Of the records' names and data.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    /// Whoever wants signatures, or answers that failed validation, gets answers of their own.
    struct Key {
        Name name;
        RecordType type;
        bool wants_dnssec;
        bool is_checking_disabled;

        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Entry {
        std::vector<Record> records;
        Instant since;
        Instant until;
        std::size_t bytes;
        std::list<Key>::iterator recency;
    };
    using Entries = std::map<Key, Entry>;

    /// nullopt for queries whose answers are not kept.
    [[nodiscard]] static std::optional<Key> key_of(const Message& query);
    void erase(Entries::iterator entry);
    void make_room();

    Entries entries_;
    std::list<Key> recent_;  // most recent first
    std::size_t bytes_ = 0;
};

}  // namespace culvert::dns
