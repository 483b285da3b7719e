#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "culvert/base/rng.h"
#include "culvert/base/uuid.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {

/// The nonces this relay has handed out and how many requests each may still serve (spec/relay.md section 3.4).
///
/// Holds at most `capacity` nonces and forgets the oldest first.
class NonceTable {
public:
    explicit NonceTable(std::size_t capacity = kMaxNonces) : capacity_{capacity} {}

    /// The value of a NONCE in any usual textual form of a UUID (hyphenated, 32 digits, braces, URN).
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

    /// A new nonce: 16 random bytes, which is no valid version 4 UUID.
    [[nodiscard]] Uuid issue(Rng& rng);

    /// Makes `nonce` known with a full budget.
    void insert(const Uuid& nonce);

    /// Takes one use from the nonce's budget. False if it is unknown or used up; then it is forgotten.
    [[nodiscard]] bool use(const Uuid& nonce);

    [[nodiscard]] std::size_t size() const { return nonces_.size(); }

private:
    struct Entry {
        std::uint32_t remaining;
        std::list<Uuid>::iterator age;
    };

    std::size_t capacity_;
    std::unordered_map<Uuid, Entry> nonces_;
    std::list<Uuid> oldest_first_;
};

}  // namespace culvert::turn
