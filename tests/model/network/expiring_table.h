#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

#include "culvert/base/time.h"

namespace culvert::model {

/// A bounded map whose entries die `lifetime` after their last refresh. The entry that went longest without a refresh
/// makes room for a new one.
///
/// Time never goes backwards between calls; that keeps the entries sorted by their last refresh.
template <typename Key, typename Value>
class ExpiringTable {
public:
    ExpiringTable(Duration lifetime, std::size_t limit) : lifetime_{lifetime}, limit_{limit} {}

    /// nullptr if there is none, or it has expired.
    [[nodiscard]] const Value* find(const Key& key, Instant now) const {
        const auto at = index_.find(key);
        return at == index_.end() || is_expired(*at->second, now) ? nullptr : &at->second->value;
    }

    /// Like find(), and starts the entry's lifetime anew.
    const Value* refresh(const Key& key, Instant now) {
        const auto at = index_.find(key);
        if (at == index_.end() || is_expired(*at->second, now)) {
            return nullptr;
        }
        at->second->refreshed = now;
        by_age_.splice(by_age_.end(), by_age_, at->second);
        return &at->second->value;
    }

    /// Adds an entry, or replaces it.
    void insert(const Key& key, Value value, Instant now) {
        if (const auto at = index_.find(key); at != index_.end()) {
            erase(at->second);
        }
        while (!by_age_.empty() && (is_expired(by_age_.front(), now) || by_age_.size() >= limit_)) {
            erase(by_age_.begin());
        }
        by_age_.push_back({key, std::move(value), now});
        index_.emplace(key, std::prev(by_age_.end()));
    }

    void clear() {
        index_.clear();
        by_age_.clear();
    }

    /// Calls `visit(key, value)` for every entry that is alive, oldest first.
    template <typename Visit>
    void for_each(Instant now, const Visit& visit) const {
        for (const auto& entry : by_age_) {
            if (!is_expired(entry, now)) {
                visit(entry.key, entry.value);
            }
        }
    }

private:
    struct Entry {
        Key key;
        Value value;
        Instant refreshed;
    };
    using Entries = std::list<Entry>;

    [[nodiscard]] bool is_expired(const Entry& entry, Instant now) const { return now - entry.refreshed >= lifetime_; }

    void erase(typename Entries::iterator entry) {
        index_.erase(entry->key);
        by_age_.erase(entry);
    }

    Duration lifetime_;
    std::size_t limit_;
    Entries by_age_;
    std::map<Key, typename Entries::iterator> index_;
};

}  // namespace culvert::model
