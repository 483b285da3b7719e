#pragma once

#include <map>
#include <set>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/inner_packet.h"
#include "tests/model/reference/opened_flows.h"
#include "tests/model/reference/packet_key.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What may be seen where, whatever became of the rest: SEC-1 to SEC-4, SEC-6, SEC-10, SEC-11 and PRO-3, for every
/// packet that leaves a gateway or reaches an application, and every datagram on the wire.
class TrafficChecks {
public:
    TrafficChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);

private:
    /// A packet of a hostile gateway.
    struct Betrayed {
        GatewayNo gateway;
        ClientNo client;
        unsigned delivered = 0;
    };

    void handle(const PacketSubmitted& event, Instant now);
    void handle(const PacketForwarded& event, Instant now);
    void handle(const PacketReturned& event, Instant now);
    void handle(const PacketDelivered& event, Instant now);
    void handle(const DatagramSent& event, Instant now);
    void handle(const PacketBetrayed& event, Instant now);
    template <
        OneOf<ActionTaken, ProcessChanged, HostAttached, NatReplaced, FaultChanged, DatagramReceived, AttackHandled,
              PacketForged, TransferStarted, TransferEnded, SessionOpened, SessionClosed, MessageToDevice,
              MessageToPortal, DeviceFailed, InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>
            Ignored>
    void handle(const Ignored&, Instant) {}

    void check_form(const InnerPacket& packet, bool is_from_hostile, Instant now);
    [[nodiscard]] Duration lateness(GatewayNo gateway) const;
    /// What the gateway may answer: by its clock, and by what that showed before it was set a moment ago.
    template <typename Ask>
    [[nodiscard]] Grants::Answer best_answer(GatewayNo gateway, Instant now, const Ask& ask) const;
    void check_grant(GatewayNo gateway, ClientNo client, const InnerPacket& packet, Instant now);
    void check_access(GatewayNo gateway, ClientNo client, const InnerPacket& packet, Instant now);
    [[nodiscard]] bool is_permitted(GatewayNo gateway, ClientNo client, const InnerPacket& packet, Instant now) const;
    void check_error(ClientNo client, const InnerPacket& error, Instant now);
    /// What a hostile gateway says must be about itself, or about what the client has it to serve.
    void check_betrayal(ClientNo client, Betrayed& betrayed, const InnerPacket& packet, Instant now);
    [[nodiscard]] bool is_reached_through(ClientNo client, GatewayNo gateway, const InnerPacket& packet) const;

    const Situation& situation_;
    Verdict& verdict_;
    OpenedFlows opened_;
    /// Who sent, or is sent, the packet with this marker.
    std::map<std::uint64_t, ClientNo> owners_;
    std::map<std::uint64_t, Betrayed> betrayed_;
    /// Packets from resources that nobody permitted when they came to the gateway.
    std::set<std::uint64_t> refused_;
};

}  // namespace culvert::model
