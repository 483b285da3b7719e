#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/model/reference/excuse.h"
#include "tests/model/reference/inner_packet.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

enum class Outcome : std::uint8_t {
    kDelivered,  ///< reaches the resource, and the answer comes back
    kRejected,   ///< a gateway answers "prohibited"
    kEither,     ///< one of the two; it depends on what else the gateway has been told by then
    kDropped,    ///< nothing happens at all
    kOpen,       ///< only rules that hold for every packet apply
};

/// What must become of a packet that an application hands to a client now, and what that depends on.
struct Expectation {
    Outcome outcome = Outcome::kOpen;
    std::string_view why;
    /// Why there is no prediction although the client has a resource for it.
    std::optional<Excuse> excuse;
    ClientNo client;
    Instant at;
    /// The resources that the packet may select, and the gateways that it may be sent through.
    std::vector<ResourceId> resources;
    std::vector<GatewayNo> gateways;
    /// Whether the client had a flow for each resource, so that the portal need not be asked.
    bool has_flow = false;
};

/// Whether the two surely find a path and keep it: whichever relays each is given, nothing between them forgets or
/// lies.
[[nodiscard]] bool have_sure_path(const Situation& situation, ClientNo client, GatewayNo gateway, Instant at);

[[nodiscard]] Expectation expect(const Situation& situation, ClientNo client, const InnerPacket& packet, Instant now);

/// When clients tried to reach gateways.
class Attempts {
public:
    void add(const Expectation& expectation);

    /// Whether the connection between the two must work at `at`, if nothing disturbs them: it was shown to by an answer
    /// since `calm_since`, or the client has tried since then for as long as repairing one takes (LIV-5), or never
    /// before.
    [[nodiscard]] bool have_shown(const Situation& situation, ClientNo client, GatewayNo gateway, Instant at,
                                  Instant calm_since) const;

private:
    struct Attempt {
        Instant at;
        /// A packet that might go through one of several gateways is no attempt at any of them.
        bool is_certain = false;
    };
    std::map<std::pair<ClientNo, GatewayNo>, std::vector<Attempt>> attempts_;
};

/// How long a packet may take to come back, or a connection to come up (LIV-1).
[[nodiscard]] Duration time_limit(const Situation& situation, const Expectation& expectation);

/// Whether the world was calm, so that the expectation must be met by `until`, which is now.
[[nodiscard]] bool is_due(const Situation& situation, const Expectation& expectation, const Attempts& attempts,
                          Instant until);

/// The invariant that is violated if the expectation is not met although it is due.
[[nodiscard]] std::string_view rule_at_stake(const Situation& situation, const Expectation& expectation);

}  // namespace culvert::model
