#include "culvert/turn/server/source_shares.h"

#include <algorithm>
#include <cassert>

#include "culvert/net/ip_network.h"
#include "culvert/turn/server/constants.h"

namespace culvert::turn {

net::IpAddress SourceShares::source_of(const net::IpAddress& client) {
    return client.is_v4() ? client : net::IpNetwork{client, kSourcePrefixV6}.address();
}

void SourceShares::add(const net::IpAddress& client, std::string_view user, std::size_t count) {
    change(client, user, [count](std::size_t& number) { number += count; });
}

void SourceShares::remove(const net::IpAddress& client, std::string_view user, std::size_t count) {
    change(client, user, [count](std::size_t& number) {
        assert(number >= count);
        number -= count;
    });
}

template <typename Change>
void SourceShares::change(const net::IpAddress& client, std::string_view user, Change change) {
    const auto address = source_of(client);
    auto& source = sources_[address];
    const auto entry = source.users.try_emplace(std::string{user}, 0).first;
    sources_by_count_.erase({source.count, address});
    source.users_by_count.erase({entry->second, entry->first});
    change(source.count);
    change(entry->second);
    if (entry->second > 0) {
        source.users_by_count.emplace(entry->second, entry->first);
    } else {
        source.users.erase(entry);
    }
    if (source.count > 0) {
        sources_by_count_.emplace(source.count, address);
    } else {
        sources_.erase(address);
    }
}

std::size_t SourceShares::share(std::size_t total, const net::IpAddress& client) const {
    const auto sources = sources_.size() + (sources_.contains(source_of(client)) ? 0 : 1);
    const auto smallest = std::clamp(total / kScarceFraction, kSmallestShareOfFewPorts, kSmallestShare);
    return std::max(total / sources, smallest);
}

bool SourceShares::may_have_more(std::size_t total, std::size_t taken, const net::IpAddress& client) const {
    const bool is_plentiful = taken + total / kScarceFraction < total;
    return is_plentiful || count(client) < share(total, client);
}

std::size_t SourceShares::count(const net::IpAddress& client) const {
    const auto source = sources_.find(source_of(client));
    return source == sources_.end() ? 0 : source->second.count;
}

std::optional<SourceShares::Largest> SourceShares::largest() const {
    if (sources_by_count_.empty()) {
        return std::nullopt;
    }
    const auto& [count, address] = *sources_by_count_.rbegin();
    return Largest{address, count, sources_.at(address).users_by_count.rbegin()->second};
}

}  // namespace culvert::turn
