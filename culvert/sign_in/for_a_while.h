#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "culvert/base/time.h"

namespace culvert::sign_in {

/// What is kept under a key for a while, of which there are so many at most: those that would be over first make room.
template <typename Value>
class ForAWhile {
public:
    explicit ForAWhile(std::size_t max_entries) : max_entries_{max_entries} {}

    void put(const std::string& key, Value value, UnixSeconds until, UnixSeconds now) {
        std::erase_if(entries_, [&](const auto& entry) { return entry.second.until <= now; });
        if (entries_.size() >= max_entries_) {
            auto first = entries_.begin();
            for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
                first = entry->second.until < first->second.until ? entry : first;
            }
            entries_.erase(first);
        }
        entries_.insert_or_assign(key, Entry{std::move(value), until});
    }

    /// nullptr: there is none, or its time is over.
    [[nodiscard]] const Value* find(const std::string& key, UnixSeconds now) const {
        const auto entry = entries_.find(key);
        return entry == entries_.end() || entry->second.until <= now ? nullptr : &entry->second.value;
    }

    void erase(const std::string& key) { entries_.erase(key); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        Value value;
        UnixSeconds until;
    };

    std::size_t max_entries_;
    std::map<std::string, Entry> entries_;
};

}  // namespace culvert::sign_in
