#include "apps/portal/sqlite_addresses.h"

#include <vector>

#include "apps/portal/sqlite_row.h"

namespace culvert::portal_server {

std::optional<std::pair<net::IpAddress, net::IpAddress>> AddressTable::take(const std::string& account_id, Rng& rng) {
    if (!pool_) {
        load_pool();
    }
    const auto ipv4 = take(account_id, net::Family::kIpv4, rng);
    const auto ipv6 = take(account_id, net::Family::kIpv6, rng);
    if (!ipv4 || !ipv6) {
        // Looked at anew next time, in case another process freed some.
        pool_.reset();
        return std::nullopt;
    }
    return std::pair{*ipv4, *ipv6};
}

std::optional<net::IpAddress> AddressTable::take(const std::string& account_id, net::Family family, Rng& rng) {
    // The pool knows; the tables are asked nevertheless, in case another process gave the address out.
    while (const auto address = pool_->take(family, rng)) {
        auto row = database_.prepare(
            "SELECT 1 FROM clients WHERE account_id = ?1 AND (ipv4 = ?2 OR ipv6 = ?2)"
            " UNION ALL SELECT 1 FROM gateways WHERE account_id = ?1 AND (ipv4 = ?2 OR ipv6 = ?2)"
            " UNION ALL SELECT 1 FROM quarantined_addresses WHERE address = ?2");
        row.bind(account_id).bind(address->to_string());
        if (!row.step()) {
            return address;
        }
    }
    return std::nullopt;
}

void AddressTable::load_pool() {
    auto& pool = pool_.emplace();
    auto row = database_.prepare(
        "SELECT ipv4 FROM clients UNION ALL SELECT ipv6 FROM clients UNION ALL SELECT ipv4 FROM gateways"
        " UNION ALL SELECT ipv6 FROM gateways UNION ALL SELECT address FROM quarantined_addresses");
    while (row.step()) {
        pool.mark_taken(read_address(row, 0));
    }
}

void AddressTable::release(UnixSeconds now, std::chrono::seconds quarantine) {
    std::vector<net::IpAddress> released;
    {
        auto row = database_.prepare("DELETE FROM quarantined_addresses WHERE since <= ? RETURNING address");
        row.bind(to_integer(now - quarantine));
        while (row.step()) {
            released.push_back(read_address(row, 0));
        }
    }
    for (const auto& address : released) {
        if (pool_) {
            pool_->release(address);
        }
    }
    auto statement = database_.prepare("UPDATE quarantined_addresses SET since = ? WHERE since IS NULL");
    statement.bind(to_integer(now));
    database_.must_execute(std::move(statement));
}

}  // namespace culvert::portal_server
