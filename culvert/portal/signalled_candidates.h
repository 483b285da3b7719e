#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "culvert/crypto/keys.h"
#include "culvert/portal/model.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// Which candidates gateways have told clients of, as the process with that key. When a gateway comes back with another
/// one it has lost its connections, and clients need not wait until their checks fail: devices of all years understand
/// that candidates are gone (spec/portal-protocol.md section 11).
///
/// Bounded for each site: what was told longest ago is forgotten first, and whoever it was told to finds out for
/// itself.
class SignalledCandidates {
public:
    using OfClients = std::map<ClientId, std::deque<std::string>>;

    /// The gateway is there, with the key that it has now. What it had told with another one, which is forgotten.
    [[nodiscard]] OfClients start(const Gateway& gateway);
    void add(const Gateway& gateway, const ClientId& client, std::span<const std::string> candidates);
    void remove(const Gateway& gateway, const ClientId& client, std::span<const std::string> candidates);

    /// Forgets what gateways of other sites have told.
    void keep_only(const std::map<SiteId, Site>& sites);

    /// What is remembered of the gateways of a site, in bytes; never above kMaxRememberedBytes.
    [[nodiscard]] std::size_t size(const SiteId& site) const;
    /// For snapshots: lines.
    void describe(Snapshot& out) const;

private:
    using Ends = std::pair<GatewayId, ClientId>;
    struct Told {
        crypto::PublicKey key;
        std::deque<std::string> candidates;
        std::uint64_t age = 0;
    };
    struct OfSite {
        std::map<Ends, Told> told;
        /// Oldest first.
        std::map<std::uint64_t, Ends> by_age;
        std::size_t size = 0;
    };

    static std::size_t size_of(const std::string& candidate);
    static void forget(OfSite& site, std::map<Ends, Told>::iterator told);

    std::map<SiteId, OfSite> sites_;
    std::uint64_t last_age_ = 0;
};

}  // namespace culvert::portal
