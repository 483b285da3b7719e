#include "culvert/wireguard/source_limiter.h"

#include <algorithm>
#include <span>

namespace culvert::wireguard {
namespace {

ByteSpan prefix_of(const net::IpAddress& address) {
    const auto bytes = address.bytes();
    return address.is_v4() ? bytes : bytes.first(kSourcePrefixBytesV6);
}

}  // namespace

bool SourceLimiter::admit(const net::IpAddress& from, Instant now) {
    // IPv4 and IPv6 differ in length, and so in hash. That two sources share 64 bits is as good as impossible, and
    // would only make them share a budget.
    auto* const entry = find(hash_(prefix_of(from)) | 1, now);
    if (entry == nullptr) {
        return false;
    }
    if (admitted_ >= kSourcesPerWindow && !entry->budget.has_rested(now)) {
        return false;
    }
    if (!entry->budget.take(now)) {
        return false;
    }
    ++admitted_;
    return true;
}

SourceLimiter::Entry* SourceLimiter::find(std::uint64_t source, Instant now) {
    if (entries_.empty()) {
        entries_.resize(kMaxSources);
    }
    // The low bit is taken; the place comes from others.
    const auto set = std::span{entries_}.subspan((source >> 32) % kSets * kWays, kWays);
    if (const auto known = std::ranges::find(set, source, &Entry::source); known != set.end()) {
        return &*known;
    }
    const auto free = std::ranges::find_if(set, [&](const Entry& entry) { return entry.budget.has_rested(now); });
    if (free == set.end()) {
        return nullptr;
    }
    *free = {source, {}};
    return &*free;
}

}  // namespace culvert::wireguard
