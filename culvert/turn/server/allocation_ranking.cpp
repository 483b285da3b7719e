#include "culvert/turn/server/allocation_ranking.h"

#include <cassert>

#include "culvert/turn/server/source_shares.h"

namespace culvert::turn {

AllocationRanking::Rank AllocationRanking::rank(const Source& source, const net::SocketAddress& client,
                                                const Entry& entry) {
    return {source.clients.find(entry.user)->second.size() == 1, entry.is_used, entry.heard_at, client};
}

void AllocationRanking::add(const net::SocketAddress& client, std::string_view user, Instant heard_at) {
    assert(!entries_.contains(client));
    auto& source = sources_[SourceShares::source_of(client.ip)];
    auto& clients = source.clients[std::string{user}];
    const auto only = clients.size() == 1 ? entries_.find(*clients.begin()) : entries_.end();
    if (only != entries_.end()) {
        source.ranks.erase(rank(source, only->first, only->second));
    }
    clients.insert(client);
    if (only != entries_.end()) {
        source.ranks.insert(rank(source, only->first, only->second));
    }
    const auto& entry = entries_[client] = {.user = std::string{user}, .heard_at = heard_at};
    source.ranks.insert(rank(source, client, entry));
}

void AllocationRanking::remove(const net::SocketAddress& client) {
    const auto entry = entries_.find(client);
    assert(entry != entries_.end());
    const auto place = sources_.find(SourceShares::source_of(client.ip));
    auto& source = place->second;
    const auto clients = source.clients.find(entry->second.user);
    source.ranks.erase(rank(source, client, entry->second));
    if (clients->second.size() == 2) {
        const auto other = *clients->second.begin() == client ? *clients->second.rbegin() : *clients->second.begin();
        const auto& staying = entries_.at(other);
        source.ranks.erase(rank(source, other, staying));
        clients->second.erase(client);
        source.ranks.insert(rank(source, other, staying));
    } else {
        clients->second.erase(client);
    }
    if (clients->second.empty()) {
        source.clients.erase(clients);
    }
    entries_.erase(entry);
    if (source.ranks.empty()) {
        sources_.erase(place);
    }
}

template <typename Change>
void AllocationRanking::change(const net::SocketAddress& client, Change change) {
    auto& source = sources_.at(SourceShares::source_of(client.ip));
    auto& entry = entries_.at(client);
    source.ranks.erase(rank(source, client, entry));
    change(entry);
    source.ranks.insert(rank(source, client, entry));
}

void AllocationRanking::set_used(const net::SocketAddress& client, bool is_used) {
    change(client, [is_used](Entry& entry) { entry.is_used = is_used; });
}

void AllocationRanking::set_heard_at(const net::SocketAddress& client, Instant at) {
    change(client, [at](Entry& entry) { entry.heard_at = at; });
}

const net::SocketAddress& AllocationRanking::least_useful(const net::IpAddress& source) const {
    return std::get<net::SocketAddress>(*sources_.at(source).ranks.begin());
}

}  // namespace culvert::turn
