#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <unordered_map>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"
#include "culvert/tunnel/gateway/client_policy.h"
#include "culvert/tunnel/gateway/gateway_state.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The clients that a gateway was told to let in, and whom its packets for an address in the tunnel go to.
class AdmittedClients {
public:
    struct Peer {
        net::IpAddress ipv4;
        net::IpAddress ipv6;
        /// The actor, who may have more devices, or the client itself.
        Uuid owner = {};
        ClientPolicy policy = {};
        /// When it may be mentioned again that the client opens flows too fast.
        Instant next_flow_notice = {};
        /// When the client was last allowed something, if that was over a connection that it had already.
        std::optional<Instant> reused_at = {};
        /// A goodbye that may be older than that takes effect then, unless the client sends anything before.
        std::optional<Instant> leaves_at = {};

        [[nodiscard]] bool has_address(const net::IpAddress& address) const {
            return address == ipv4 || address == ipv6;
        }
    };

    /// Whoever was admitted before keeps what is known of it, its addresses included. They lead to this client from now
    /// on, even if the portal gave them to another one before.
    Peer& admit(const ClientId& id, const net::IpAddress& ipv4, const net::IpAddress& ipv6);
    /// False if it was unknown. Addresses that lead to another client by now stay with that one.
    bool forget(const ClientId& id);
    void clear();

    [[nodiscard]] bool empty() const { return peers_.empty(); }
    /// Null if unknown.
    [[nodiscard]] Peer* find(const ClientId& id);
    [[nodiscard]] std::optional<ClientId> find_by_address(const net::IpAddress& address) const;
    /// Requires that the client is known, as one is that has an address.
    [[nodiscard]] const ClientPolicy& policy_of(const ClientId& id) const { return peers_.at(id).policy; }

    /// By id.
    [[nodiscard]] auto begin() { return peers_.begin(); }
    [[nodiscard]] auto end() { return peers_.end(); }
    [[nodiscard]] std::map<ClientId, GrantStates> grants() const;

    [[nodiscard]] std::size_t addresses() const { return by_address_.size(); }
    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    std::map<ClientId, Peer> peers_;
    std::unordered_map<net::IpAddress, ClientId> by_address_;
};

}  // namespace culvert::tunnel
