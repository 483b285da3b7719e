// The part of the storage in memory that holds what devices report of flows.

#include <algorithm>
#include <iterator>

#include "culvert/portal/memory_storage.h"

namespace culvert::portal {
namespace {

bool is_same_flow(const FlowLogEntry& a, const FlowLogEntry& b) {
    return a.initiator == b.initiator && a.role == b.role && a.record.started_at == b.record.started_at &&
           a.record.protocol == b.record.protocol && a.record.inner_source == b.record.inner_source &&
           a.record.inner_destination == b.record.inner_destination && a.resource == b.resource;
}

bool matches(const FlowLogEntry& entry, const FlowLogQuery& query) {
    return (!query.since || entry.record.started_at >= *query.since) &&
           (!query.initiator || entry.initiator == *query.initiator) &&
           (!query.responder || entry.responder == *query.responder) &&
           (!query.resource || entry.resource == *query.resource);
}

}  // namespace

portal_api::IngestKey MemoryStorage::ingest_key(Rng& rng) {
    if (!rows_.ingest_key) {
        rows_.ingest_key = portal_api::IngestKey::random(rng);
    }
    return *rows_.ingest_key;
}

FlowLogged MemoryStorage::put(const FlowLogEntry& entry, UnixSeconds now) {
    const auto known =
        std::ranges::find_if(rows_.flow_logs, [&](const auto& row) { return is_same_flow(row.second.entry, entry); });
    if (known == rows_.flow_logs.end()) {
        rows_.flow_logs.emplace(++rows_.last_flow_log, FlowLogRow{entry, now});
        return FlowLogged::kNew;
    }
    auto& record = known->second.entry.record;
    if (record.end || !entry.record.end) {
        return FlowLogged::kKnown;
    }
    record.outers = entry.record.outers;
    record.end = entry.record.end;
    return FlowLogged::kClosed;
}

void MemoryStorage::erase_flow_logs(UnixSeconds before, std::uint64_t max_records, std::size_t limit) {
    auto& rows = rows_.flow_logs;
    std::size_t erased = 0;
    std::erase_if(rows, [&](const auto& row) { return row.second.received_at < before && erased++ < limit; });
    const auto newest = rows.empty() ? 0 : rows.rbegin()->first;
    erased = 0;
    std::erase_if(rows, [&](const auto& row) { return newest - row.first >= max_records && erased++ < limit; });
}

std::vector<FlowLogEntry> MemoryStorage::find_flow_logs(const FlowLogQuery& query) {
    std::vector<FlowLogEntry> found;
    for (const auto& [number, row] : rows_.flow_logs) {
        if (matches(row.entry, query)) {
            found.push_back(row.entry);
        }
    }
    std::ranges::stable_sort(found, {}, [](const FlowLogEntry& entry) { return entry.record.started_at; });
    if (found.size() > query.limit) {
        found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(query.limit));
    }
    return found;
}

}  // namespace culvert::portal
