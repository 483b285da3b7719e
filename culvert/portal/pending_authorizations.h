#pragma once

#include <map>
#include <optional>
#include <string>

#include "culvert/base/rng.h"
#include "culvert/portal/session.h"
#include "culvert/portal_api/messages.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// An authorize_flow that waits for its gateway's answer.
struct PendingAuthorization {
    SessionId client;
    GatewayId gateway;
    portal_api::FlowCreated answer;
};

/// What gateways were asked and have not answered yet, by the `ref` that they answer with.
///
/// Kept in two generations, so that what nobody answers is dropped after one to two of them, without a time for each.
class PendingAuthorizations {
public:
    /// The `ref` to ask with, which nobody can guess.
    [[nodiscard]] std::string add(PendingAuthorization pending, Rng& rng);
    /// nullopt: the gateway was not asked this, or long ago. Only the gateway that was asked can answer.
    [[nodiscard]] std::optional<PendingAuthorization> take(const std::string& ref, const GatewayId& gateway);

    /// A generation is over: drops what was asked before the one that ends now.
    void start_generation();

    void describe(Snapshot& out) const;

private:
    using Generation = std::map<std::string, PendingAuthorization>;

    Generation recent_;
    Generation older_;
};

}  // namespace culvert::portal
