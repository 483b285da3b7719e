#pragma once

#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "tests/model/reference/situation.h"

namespace culvert::model {

/// Which warnings an injected fault explains. Others need a person (RES-4), and there is none in a simulation.
class WarningExcuses {
public:
    explicit WarningExcuses(const Situation& situation) : situation_{situation} {}

    void observe(const Observation& observation, Instant now);

    /// The name of the reason for this warning; nullopt: there is none.
    [[nodiscard]] std::optional<std::string_view> find(const LogLine& line, Instant now);

private:
    using Reason = std::optional<std::string_view>;

    [[nodiscard]] Reason of_portal_channel(const Device& device, const LogLine& line, Instant now);
    [[nodiscard]] Reason of_turn_client(const Device& device, const LogLine& line, Instant now) const;
    [[nodiscard]] Reason of_relay(const Device& device, const LogLine& line) const;
    [[nodiscard]] Reason of_tunnel(const Device& device, const LogLine& line, Instant now) const;

    const Situation& situation_;
    /// Devices whose connection to the portal breaks after some more bytes.
    std::set<Device> cut_;
    /// When it did.
    std::map<Device, Instant> broken_at_;
    /// Devices whose NAT has forgotten everything, and when it did.
    std::map<Device, Instant> ports_swapped_at_;
    std::optional<Instant> relay_left_at_;
    /// The portal forgets what it has asked a gateway when the client that it was for leaves, or the gateway does.
    Instant last_client_left_;
    std::set<Device> has_joined_;
    std::map<Device, Instant> rejoined_at_;
};

}  // namespace culvert::model
