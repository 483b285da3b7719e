#pragma once

#include <map>
#include <string>
#include <vector>

#include "culvert/portal/model.h"
#include "culvert/portal_api/messages.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// What gateways answered, and signalled, to clients whose connection to the portal was broken just then. A client that
/// comes back with the same key may not ask again (spec/newer-dialect.md section 9.5).
///
/// Kept until the client would have given up anyway, and no more than kMaxHeldAnswers of all: whoever is not told asks
/// again when there is traffic.
class HeldAnswers {
public:
    void hold(const ClientId& client, const crypto::PublicKey& key, portal_api::FlowCreated answer, Instant until,
              Instant now);
    /// Goes with the answers of the gateway that are held for these clients, if there are any.
    void add_candidates(const std::vector<ClientId>& clients, const GatewayId& gateway,
                        const std::vector<std::string>& candidates, Instant now);
    void remove_candidates(const std::vector<ClientId>& clients, const GatewayId& gateway,
                           const std::vector<std::string>& candidates);

    struct Held {
        std::vector<portal_api::FlowCreated> answers;
        std::map<GatewayId, std::vector<std::string>> candidates;
    };
    /// The client is back. What fits another key, or comes too late, is nothing to it.
    [[nodiscard]] Held take(const ClientId& client, const crypto::PublicKey& key, Instant now);

    void prune(Instant now);
    [[nodiscard]] std::size_t size() const { return size_; }
    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    struct Answer {
        Instant until;
        portal_api::FlowCreated message;
    };
    struct Client {
        crypto::PublicKey key;
        std::map<ResourceId, Answer> answers;
        std::map<GatewayId, std::vector<std::string>> candidates;
    };

    [[nodiscard]] static bool waits_for(const Client& client, const GatewayId& gateway, Instant now);

    std::map<ClientId, Client> clients_;
    /// Answers of all of them.
    std::size_t size_ = 0;
};

}  // namespace culvert::portal
