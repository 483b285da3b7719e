#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "culvert/net/ip_network.h"

namespace culvert::net {

/// Longest-prefix-match table. Lookup costs one ordered search per distinct prefix length in use, which for the
/// handful of lengths real policies have beats a trie; callers with per-packet needs cache the result per flow.
template <typename T>
class PrefixTable {
public:
    /// Inserts or replaces.
    void insert(const IpNetwork& network, T value) {
        tables(network.family())[network.prefix()].insert_or_assign(network.address(), std::move(value));
    }

    bool erase(const IpNetwork& network) {
        auto& by_length = tables(network.family());
        const auto table = by_length.find(network.prefix());
        if (table == by_length.end() || table->second.erase(network.address()) == 0) {
            return false;
        }
        if (table->second.empty()) {
            by_length.erase(table);
        }
        return true;
    }

    void clear() {
        v4_.clear();
        v6_.clear();
    }

    [[nodiscard]] bool empty() const { return v4_.empty() && v6_.empty(); }

    /// The value at exactly `network`, or null.
    [[nodiscard]] const T* find(const IpNetwork& network) const {
        const auto& by_length = tables(network.family());
        const auto table = by_length.find(network.prefix());
        if (table == by_length.end()) {
            return nullptr;
        }
        const auto entry = table->second.find(network.address());
        return entry == table->second.end() ? nullptr : &entry->second;
    }
    [[nodiscard]] T* find(const IpNetwork& network) { return const_cast<T*>(std::as_const(*this).find(network)); }

    struct Match {
        IpNetwork network;
        const T* value;
    };

    /// The entry with the longest prefix that contains `address`.
    [[nodiscard]] std::optional<Match> match(const IpAddress& address) const {
        return match_if(address, [](const T&) { return true; });
    }
    /// The same among those whose value is as wanted; asks for the longest prefix first.
    template <typename Predicate>
    [[nodiscard]] std::optional<Match> match_if(const IpAddress& address, Predicate is_wanted) const {
        for (const auto& [prefix, table] : tables(address.family())) {
            const IpNetwork network{address, prefix};
            if (const auto entry = table.find(network.address()); entry != table.end() && is_wanted(entry->second)) {
                return Match{network, &entry->second};
            }
        }
        return std::nullopt;
    }

    /// Calls visit(network, value) for each entry: IPv4 first, longest prefix first, then by address.
    template <typename Visitor>
    void for_each(Visitor visit) const {
        for (const auto* by_length : {&v4_, &v6_}) {
            for (const auto& [prefix, table] : *by_length) {
                for (const auto& [address, value] : table) {
                    visit(IpNetwork{address, prefix}, value);
                }
            }
        }
    }

private:
    using Table = std::map<IpAddress, T>;
    using TablesByLength = std::map<unsigned, Table, std::greater<>>;

    TablesByLength& tables(Family family) { return family == Family::kIpv4 ? v4_ : v6_; }
    const TablesByLength& tables(Family family) const { return family == Family::kIpv4 ? v4_ : v6_; }

    TablesByLength v4_;
    TablesByLength v6_;
};

}  // namespace culvert::net
