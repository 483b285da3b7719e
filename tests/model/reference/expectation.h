#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

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
    ClientNo client;
    Instant at;
    /// The resources that the packet may select, and the gateways that it may be sent through.
    std::vector<ResourceId> resources;
    std::vector<GatewayNo> gateways;
    /// Whether the client had a flow for each resource, so that the portal need not be asked.
    bool has_flow = false;
};

/// Whether the two surely find a path, whichever relays each is given.
[[nodiscard]] bool has_common_relay(const Situation& situation, ClientNo client, GatewayNo gateway);

[[nodiscard]] Expectation expect(const Situation& situation, ClientNo client, const InnerPacket& packet, Instant now);

/// When clients tried to reach gateways. A packet that might go through one of several is no attempt at any of them.
class Attempts {
public:
    void add(const Expectation& expectation);
    /// Ascending.
    [[nodiscard]] const std::vector<Instant>& of(ClientNo client, GatewayNo gateway) const;

private:
    std::map<std::pair<ClientNo, GatewayNo>, std::vector<Instant>> instants_;
};

/// How long a packet may take to come back, or a connection to come up (LIV-1).
[[nodiscard]] Duration time_limit(const Situation& situation, const Expectation& expectation);

/// Why the expectation may not be met by `until`; nullopt if it must be.
[[nodiscard]] std::optional<Excuse> find_excuse(const Situation& situation, const Expectation& expectation,
                                                const Attempts& attempts, Instant until);

/// The invariant that is violated if the expectation is not met without an excuse.
[[nodiscard]] std::string_view rule_at_stake(const Situation& situation, const Expectation& expectation);

}  // namespace culvert::model
