#pragma once

#include <map>
#include <utility>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What devices and portal say to each other: SEC-7, LIV-9 and STA-3.
class PortalChecks {
public:
    PortalChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);
    /// Compares lists of resources that must be up to date by `now`.
    void judge_until(Instant now);

private:
    void handle(const MessageToPortal& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    void handle(const PacketDelivered& event, Instant now);
    void handle(const ActionTaken& event, Instant now);
    template <OneOf<ProcessChanged, HostAttached, NatReplaced, FaultChanged, DatagramSent, DatagramReceived,
                    PacketSubmitted, PacketForwarded, PacketReturned, AttackHandled, PacketForged, PacketBetrayed,
                    TransferStarted, TransferEnded, SessionOpened, SessionClosed, DeviceFailed, InterfaceConfigured,
                    ResourcesListed, LogLine, Settled, StatesShown>
                  Ignored>
    void handle(const Ignored&, Instant) {}

    void check_list(ClientNo client, Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    /// When each client's list must be right, after a change.
    std::map<ClientNo, Instant> list_due_;
    std::map<std::pair<ClientNo, ResourceId>, std::vector<Instant>> flows_;
};

}  // namespace culvert::model
