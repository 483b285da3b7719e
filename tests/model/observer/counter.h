#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace culvert::model {

/// Counts by name, tens of millions of times in a run. Names live for ever: each is looked up by its address, and
/// those that are spelt alike are added up when somebody looks.
class Counter {
public:
    using ByName = std::map<std::string_view, std::uint64_t>;

    void add(std::string_view name) {
        const auto [known, is_new] = by_address_.try_emplace(name.data(), entries_.size());
        if (is_new) {
            entries_.push_back({name, 0});
        }
        ++entries_[known->second].count;
    }
    void add(const Counter& other) {
        for (const auto& [name, count] : other.by_name()) {
            sums_[name] += count;
        }
    }

    [[nodiscard]] const ByName& by_name() const {
        for (auto& entry : entries_) {
            if (entry.count > 0) {
                sums_[entry.name] += entry.count;
                entry.count = 0;
            }
        }
        return sums_;
    }

private:
    struct Entry {
        std::string_view name;
        std::uint64_t count;
    };
    std::unordered_map<const char*, std::size_t> by_address_;
    mutable std::vector<Entry> entries_;
    mutable ByName sums_;
};

}  // namespace culvert::model
