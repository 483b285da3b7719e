#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/crypto/hash_key.h"
#include "culvert/net/ip_address.h"
#include "culvert/wireguard/handshake_budget.h"

namespace culvert::wireguard {

/// Divides the handshakes of a node under load among the addresses that ask for them, so that one which floods does not
/// take them from the others. An IPv6 network of 48 bits counts as one address.
///
/// A fixed table: what it costs depends neither on how many there are nor on which. Hashes are keyed, so nobody can
/// choose addresses that crowd out a certain other one. When the places an address could have are all in use, it is
/// refused until one has rested.
class SourceLimiter {
public:
    explicit SourceLimiter(Rng rng) : hash_{rng} {}

    /// Whether one more message of `from` may pass; if so, it is counted.
    ///
    /// When many sources together send more than kSourcesPerWindow messages within a second, only those pass that have
    /// rested for a second, whose peers try again and not too often. start_window() each second.
    [[nodiscard]] bool admit(const net::IpAddress& from, Instant now);
    void start_window() { admitted_ = 0; }

private:
    struct Entry {
        /// 0: never used.
        std::uint64_t source = 0;
        HandshakeBudget budget;
    };
    static constexpr std::size_t kWays = 8;
    static constexpr std::size_t kSets = kMaxSources / kWays;

    [[nodiscard]] Entry* find(std::uint64_t source, Instant now);

    crypto::HashKey hash_;
    /// Empty until a node is under load for the first time: most never are.
    std::vector<Entry> entries_;
    unsigned admitted_ = 0;
};

}  // namespace culvert::wireguard
