#include "culvert/portal/signalled_candidates.h"

#include <algorithm>

#include "culvert/base/snapshot.h"
#include "culvert/portal/constants.h"

namespace culvert::portal {

SignalledCandidates::OfClients SignalledCandidates::start(const Gateway& gateway) {
    OfClients of_clients;
    const auto known = sites_.find(gateway.site);
    if (known == sites_.end()) {
        return of_clients;
    }
    auto& site = known->second;
    auto told = site.told.lower_bound({gateway.id, ClientId{}});
    while (told != site.told.end() && told->first.first == gateway.id) {
        const auto entry = told++;
        if (entry->second.key != gateway.public_key) {
            of_clients.emplace(entry->first.second, entry->second.candidates);
            forget(site, entry);
        }
    }
    return of_clients;
}

void SignalledCandidates::add(const Gateway& gateway, const ClientId& client, std::span<const std::string> candidates) {
    auto& site = sites_[gateway.site];
    const Ends ends{gateway.id, client};
    if (const auto before = site.told.find(ends);
        before != site.told.end() && before->second.key != gateway.public_key) {
        forget(site, before);
    }
    const auto [entry, is_new] = site.told.try_emplace(ends, Told{.key = gateway.public_key, .candidates = {}});
    auto& told = entry->second;
    if (is_new) {
        site.size += kRememberedClientSize;
    }
    for (const auto& candidate : candidates) {
        if (std::ranges::find(told.candidates, candidate) != told.candidates.end()) {
            continue;
        }
        if (told.candidates.size() >= kMaxRememberedCandidates) {
            site.size -= size_of(told.candidates.front());
            told.candidates.pop_front();
        }
        told.candidates.push_back(candidate);
        site.size += size_of(candidate);
    }
    site.by_age.erase(told.age);
    told.age = ++last_age_;
    site.by_age.emplace(told.age, ends);
    while (site.size > kMaxRememberedBytes) {
        forget(site, site.told.find(site.by_age.begin()->second));
    }
}

void SignalledCandidates::remove(const Gateway& gateway, const ClientId& client,
                                 std::span<const std::string> candidates) {
    const auto known = sites_.find(gateway.site);
    if (known == sites_.end()) {
        return;
    }
    auto& site = known->second;
    const auto told = site.told.find({gateway.id, client});
    if (told == site.told.end() || told->second.key != gateway.public_key) {
        return;
    }
    std::erase_if(told->second.candidates, [&](const std::string& candidate) {
        const bool is_gone = std::ranges::find(candidates, candidate) != candidates.end();
        site.size -= is_gone ? size_of(candidate) : 0;
        return is_gone;
    });
    if (told->second.candidates.empty()) {
        forget(site, told);
    }
}

void SignalledCandidates::keep_only(const std::map<SiteId, Site>& sites) {
    std::erase_if(sites_, [&](const auto& entry) { return !sites.contains(entry.first); });
}

std::size_t SignalledCandidates::size(const SiteId& site) const {
    const auto known = sites_.find(site);
    return known == sites_.end() ? 0 : known->second.size;
}

void SignalledCandidates::describe(Snapshot& out) const {
    for (const auto& [id, site] : sites_) {
        for (const auto& [ends, told] : site.told) {
            out.line("signalled")
                .field("gateway", ends.first)
                .field("client", ends.second)
                .field("count", told.candidates.size());
        }
    }
}

std::size_t SignalledCandidates::size_of(const std::string& candidate) {
    return sizeof candidate + candidate.size();
}

void SignalledCandidates::forget(OfSite& site, std::map<Ends, Told>::iterator told) {
    for (const auto& candidate : told->second.candidates) {
        site.size -= size_of(candidate);
    }
    site.size -= kRememberedClientSize;
    site.by_age.erase(told->second.age);
    site.told.erase(told);
}

}  // namespace culvert::portal
