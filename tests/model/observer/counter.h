#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>

namespace culvert::model {

/// Counts by name, tens of millions of times in a run. Names live for ever: each is looked up by its address, and
/// those that are spelt alike are added up when somebody looks.
class Counter {
public:
    using ByName = std::map<std::string_view, std::uint64_t>;

    void add(std::string_view name) {
        auto& entry = by_address_[name.data()];
        entry.size = name.size();
        ++entry.count;
    }
    void add(const Counter& other) {
        for (const auto& [name, count] : other.by_name()) {
            sums_[name] += count;
        }
    }

    [[nodiscard]] const ByName& by_name() const {
        for (auto& [address, entry] : by_address_) {
            if (entry.count > 0) {
                sums_[{address, entry.size}] += entry.count;
                entry.count = 0;
            }
        }
        return sums_;
    }

private:
    struct Entry {
        std::size_t size = 0;
        std::uint64_t count = 0;
    };
    mutable std::unordered_map<const char*, Entry> by_address_;
    mutable ByName sums_;
};

}  // namespace culvert::model
