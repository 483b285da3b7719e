#include "culvert/turn/server/nonce_table.h"

#include <algorithm>

#include "culvert/base/sabotage.h"

namespace culvert::turn {

std::optional<Uuid> NonceTable::parse(std::string_view text) {
    constexpr std::string_view kUrn = "urn:uuid:";
    if (text.starts_with(kUrn)) {
        text.remove_prefix(kUrn.size());
    } else if (text.starts_with('{') && text.ends_with('}')) {
        text = text.substr(1, text.size() - 2);
    }
    if (text.size() != 32) {
        return Uuid::parse(text);
    }
    const auto bytes = from_hex(text);
    if (!bytes) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> value;
    std::ranges::transform(*bytes, value.begin(), [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return Uuid{value};
}

Uuid NonceTable::issue(Rng& rng) {
    std::array<std::uint8_t, 16> value;
    rng.fill(std::as_writable_bytes(std::span{value}));
    const Uuid nonce{value};
    insert(nonce);
    return nonce;
}

void NonceTable::insert(const Uuid& nonce) {
    if (const auto known = nonces_.find(nonce); known != nonces_.end()) {
        known->second.remaining = kNonceBudget;
        return;
    }
    if (nonces_.size() >= capacity_) {
        nonces_.erase(oldest_first_.front());
        oldest_first_.pop_front();
    }
    oldest_first_.push_back(nonce);
    nonces_.emplace(nonce,
                    Entry{CULVERT_SABOTAGE(kNonceOfHundredUses) ? 100 : kNonceBudget, std::prev(oldest_first_.end())});
}

bool NonceTable::use(const Uuid& nonce) {
    const auto entry = nonces_.find(nonce);
    if (entry == nonces_.end()) {
        return false;
    }
    if (entry->second.remaining == 0) {
        oldest_first_.erase(entry->second.age);
        nonces_.erase(entry);
        return false;
    }
    --entry->second.remaining;
    return true;
}

}  // namespace culvert::turn
