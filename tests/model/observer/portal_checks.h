#pragma once

#include <map>
#include <utility>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What devices and portal say to each other: SEC-7, LIV-9, STA-3 and STA-5.
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
    void handle(const ProcessChanged& event, Instant now);
    void handle(const SessionOpened& event, Instant now);
    template <
        OneOf<HostAttached, NatReplaced, FaultChanged, DatagramSent, DatagramReceived, PacketSubmitted, PacketForwarded,
              PacketReturned, AttackHandled, PacketForged, PacketBetrayed, TransferStarted, TransferEnded,
              SessionClosed, DeviceFailed, InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>
            Ignored>
    void handle(const Ignored&, Instant) {}

    void check_list(ClientNo client, Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    /// When each client's list must be right, after a change.
    std::map<ClientNo, Instant> list_due_;
    std::map<std::pair<ClientNo, ResourceId>, std::vector<Instant>> flows_;
    struct Key {
        std::optional<crypto::PublicKey> last;
        /// It has so many to take another one.
        unsigned reasons = 0;
        std::optional<Instant> still_since;
    };
    std::map<Device, Key> keys_;
    /// Times that a client was let in at a gateway of which it has got no candidate since.
    std::map<std::pair<ClientNo, GatewayId>, unsigned> unheard_;
};

}  // namespace culvert::model
