#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "culvert/base/rng.h"
#include "culvert/portal/model.h"
#include "culvert/portal_api/messages.h"

namespace culvert {
class Snapshot;
}

namespace culvert::portal {

/// An authorize_flow that waits for its gateway's answer.
struct PendingAuthorization {
    ClientId client;
    /// With which it asked. What it is to be told fits no other.
    crypto::PublicKey client_key;
    GatewayId gateway;
    portal_api::FlowCreated answer;
    /// Until when the client waits, as PendingAuthorizations found out.
    Instant deadline{};
};

/// What gateways were asked and have not answered yet, by the `ref` that they answer with.
///
/// A client that waits asks again every few seconds. Whichever of its requests for a resource is answered first settles
/// all of them, and if none is within kAuthorizationAnswer of the first, all of them have failed: a client that goes on
/// asking is told as well (the reference starts anew with each request, so that such a client would never be told).
/// Answers that come later are known for a while, since they are nobody's fault.
class PendingAuthorizations {
public:
    using Request = std::pair<ClientId, ResourceId>;
    enum class NotPending : std::uint8_t {
        kUnknown,  ///< the gateway was not asked this, or long ago
        kSettled   ///< somebody was faster, time was up, or the client has another key
    };

    /// The `ref` to ask with, which nobody can guess.
    [[nodiscard]] std::string add(PendingAuthorization pending, Instant now, Rng& rng);
    /// Only the gateway that was asked can answer.
    [[nodiscard]] std::expected<PendingAuthorization, NotPending> take(const std::string& ref, const GatewayId& gateway,
                                                                       Instant now);

    struct Unanswered {
        ClientId client;
        crypto::PublicKey client_key;
        ResourceId resource;
    };
    /// Forgets a request that nobody has answered in time, if there is one.
    [[nodiscard]] std::optional<Unanswered> take_unanswered(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// The request has its answer, from whomever, if there was one.
    void settle(const Request& request, Instant now);

    [[nodiscard]] std::size_t size() const { return asked_.size(); }
    void describe(Snapshot& out) const;

private:
    struct Waiting {
        Instant deadline;
        std::deque<std::string> refs;  // oldest first; never empty
    };

    void settle(const std::string& ref, Instant now);
    void forget_settled(Instant now);

    std::map<std::string, PendingAuthorization> asked_;
    std::map<Request, Waiting> waiting_;
    std::set<std::pair<Instant, Request>> deadlines_;
    /// Of whom an answer may still come, and until when that is remembered; oldest first.
    std::map<std::string, GatewayId> settled_;
    std::deque<std::pair<Instant, std::string>> settled_until_;
};

}  // namespace culvert::portal
