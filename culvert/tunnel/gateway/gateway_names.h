#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/rng.h"
#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/nat/session_table.h"
#include "culvert/nat/translations.h"
#include "culvert/packet/icmp_error.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/tunnel/flow_table.h"
#include "culvert/tunnel/gateway/client_policy.h"
#include "culvert/tunnel/names/name_requests.h"
#include "culvert/tunnel/p2p/messages.h"

namespace culvert {
class Snapshot;
}

namespace culvert::tunnel {

/// The names of DNS resources on a gateway: setting them up, and translating packets to and from them (spec/tunnel.md
/// sections 6.4 to 6.8). What a client calls by a proxy IP is here called so as well: flows and filters know nothing of
/// real addresses.
///
/// A flow of a client to a name and one to an address may lead to the same port of the same host. They are told apart
/// by the client's own port, as the host sees it; where the client's choice makes that impossible, the later one is
/// refused.
class GatewayNames {
public:
    explicit GatewayNames(const Rng& rng);

    // Setting up. `policy` is that of the client.

    /// nullopt: it is looked up, or is not now, and the client will repeat it. Else what to tell the client.
    [[nodiscard]] std::optional<p2p::DomainStatus> handle_request(const ClientId& client, const ClientPolicy& policy,
                                                                  p2p::AssignedIps message, Instant now);
    void handle_addresses(NameRequests::LookUpId id, std::vector<net::IpAddress> addresses, Duration lifetime,
                          Instant now) {
        requests_.handle_addresses(id, std::move(addresses), lifetime, now);
    }
    void handle_failure(NameRequests::LookUpId id) { requests_.handle_failure(id); }
    [[nodiscard]] std::optional<NameRequests::LookUp> poll_lookup() { return requests_.poll_lookup(); }
    /// To be set up, or refused: time has passed.
    [[nodiscard]] std::optional<NameRequests::Resolved> poll_resolved() { return requests_.poll_resolved(); }
    [[nodiscard]] p2p::DomainStatus finish_request(const NameRequests::Resolved& resolved, const ClientPolicy& policy,
                                                   FlowTable& flows, Instant now);

    void handle_timeout(Instant now) { requests_.handle_timeout(now); }
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return requests_.poll_timeout(); }

    // Ending.

    void forget_client(const ClientId& client, Instant now);
    /// Nothing passes to or from its names any more.
    void forget_resource(const ClientId& client, const ResourceId& resource, Instant now);

    // Packets.

    [[nodiscard]] const nat::Translations& of(const ClientId& client) const;

    /// A packet of a flow that was judged fit to pass. False: it is to be judged anew, with pass_on().
    [[nodiscard]] bool translate_running(const ClientId& client, packet::IpPacket& packet, Instant now) {
        return sessions_.translate_out(client, packet, now) == nat::SessionTable::Out::kTranslated;
    }
    /// A packet that may go to the name, which is at `real`; opens a session if there is none. What is refused stays as
    /// it is.
    [[nodiscard]] std::expected<void, Refusal> pass_on(const ClientId& client, packet::IpPacket& packet,
                                                       const net::IpAddress& real, FlowTable& flows, Instant now);
    /// An ICMP error of the client about something that came from a name.
    [[nodiscard]] std::optional<Bytes> pass_on_error(const ClientId& client, const packet::IpPacket& packet,
                                                     Instant now) const;
    /// Whether the answers to a packet that goes to an address, not a name, would be taken for those of a name.
    [[nodiscard]] bool is_mistakable(const ClientId& client, const packet::IpPacket& packet, FlowTable& flows,
                                     Instant now) const;

    [[nodiscard]] bool has_sessions() const { return sessions_.size() > 0; }
    /// A packet from a real address to the client; comes from the name afterwards.
    [[nodiscard]] nat::SessionTable::In translate_in(const ClientId& client, packet::IpPacket& packet, Instant now) {
        return sessions_.translate_in(client, packet, now);
    }
    [[nodiscard]] nat::SessionTable::ErrorIn translate_error_in(const ClientId& client, const packet::IcmpError& error,
                                                                Instant now) const {
        return sessions_.translate_error_in(client, error, now);
    }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    NameRequests requests_;
    nat::SessionTable sessions_;
    std::map<ClientId, nat::Translations> translations_;
};

}  // namespace culvert::tunnel
