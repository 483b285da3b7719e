#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"

namespace culvert::tunnel {

/// What the verdict on a packet may depend on. Leave members that do not matter at their defaults.
struct FlowKey {
    Uuid connection;
    net::IpAddress source;
    net::IpAddress destination;
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;

    friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

[[nodiscard]] std::uint64_t hash_of(const FlowKey& key);

/// Remembers verdicts, so that packets of a running flow cost one comparison instead of the look-ups behind it.
///
/// Direct-mapped: a newer flow simply evicts an older one. Whoever changes what verdicts are made of calls
/// invalidate(), and everything cached so far is void (spec/io-and-performance.md section 13.5).
template <typename Value>
class FlowCache {
public:
    static constexpr std::size_t kEntries = 4096;

    FlowCache() : entries_(kEntries) {}

    /// The cached value, or null.
    [[nodiscard]] const Value* find(const FlowKey& key) const {
        const auto& entry = entries_[hash_of(key) % kEntries];
        return entry.generation == generation_ && entry.key == key ? &entry.value : nullptr;
    }

    void insert(const FlowKey& key, const Value& value) {
        entries_[hash_of(key) % kEntries] = {generation_, key, value};
    }

    void invalidate() { ++generation_; }

private:
    struct Entry {
        std::uint64_t generation = 0;
        FlowKey key;
        Value value{};
    };

    std::vector<Entry> entries_;
    std::uint64_t generation_ = 1;
};

}  // namespace culvert::tunnel
