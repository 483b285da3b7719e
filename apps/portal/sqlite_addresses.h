#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "apps/portal/sqlite.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/portal/address_pool.h"

namespace culvert::portal_server {

/// The tunnel addresses that devices have, and those of deleted devices that nobody gets yet.
class AddressTable {
public:
    /// `database` must outlive the object.
    explicit AddressTable(Database& database) : database_{database} {}

    /// An IPv4 and an IPv6 address that no device of the account has. nullopt: there is none left.
    [[nodiscard]] std::optional<std::pair<net::IpAddress, net::IpAddress>> take(const std::string& account_id,
                                                                                Rng& rng);
    /// See portal::Storage::release_addresses().
    void release(UnixSeconds now, std::chrono::seconds quarantine);

    /// The tables may say something else than what was done here, since it was undone.
    void reload() { pool_.reset(); }

private:
    [[nodiscard]] std::optional<net::IpAddress> take(const std::string& account_id, net::Family family, Rng& rng);
    void load_pool();

    Database& database_;
    /// What the tables say, as far as this process knows; made when it is needed, and again after a failure.
    std::optional<portal::AddressPool> pool_;
};

}  // namespace culvert::portal_server
