#pragma once

#include <map>
#include <tuple>

#include "tests/model/reference/inner_packet.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// What the applications of each client ever sent, and to whom: nothing else may come back to them. Says nothing about
/// how long an answer is welcome.
class OpenedFlows {
public:
    void handle(const PacketSubmitted& event);

    /// Whether the packet, towards the client, is part of what one of its applications opened, and opens nothing
    /// itself.
    [[nodiscard]] bool is_answer(ClientNo client, const InnerPacket& packet) const;
    /// Whether the ICMP error is about a packet of an application of the client.
    [[nodiscard]] bool is_about_one(ClientNo client, const InnerPacket& error) const;

private:
    using Flow = std::tuple<ClientNo, net::IpAddress, net::IpAddress, std::uint8_t, std::uint16_t, std::uint16_t>;

    [[nodiscard]] static Flow flow_of(ClientNo client, const InnerPacket& sent);

    /// Whether all that the client has said since is that it wants to connect: then the other end may want so at the
    /// same time (RFC 9293 section 3.5, RFC 5382 REQ-2).
    std::map<Flow, bool> is_opening_;
};

}  // namespace culvert::model
