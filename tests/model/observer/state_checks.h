#pragma once

#include <map>
#include <set>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What users and operating systems are shown, and who is signed in: STA-1 once the world has settled, STA-2 always.
class StateChecks {
public:
    StateChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);

private:
    using List = std::vector<tunnel::ResourceView>;

    void handle(const ProcessChanged& event, Instant now);
    void handle(const InterfaceConfigured& event, Instant now);
    void handle(const ResourcesListed& event, Instant now);
    void handle(const SessionOpened& event, Instant now);
    void handle(const SessionClosed& event, Instant now);
    void handle(const DeviceFailed& event, Instant now);
    void handle(const Settled& event, Instant now);
    template <
        OneOf<ActionTaken, HostAttached, NatReplaced, FaultChanged, DatagramSent, DatagramReceived, PacketSubmitted,
              PacketDelivered, PacketForwarded, PacketReturned, AttackHandled, PacketForged, PacketBetrayed,
              TransferStarted, TransferEnded, MessageToDevice, MessageToPortal, LogLine, StatesShown>
            Ignored>
    void handle(const Ignored&, Instant) {}

    void check_session(const Device& device, Instant now);
    void check_client(ClientNo client, Instant now);
    void check_interface(const Device& device, const std::optional<tunnel::TunConfig>& expected, Instant now);
    void check_list(ClientNo client, const List& shown, Instant now);
    void check_status(ClientNo client, const tunnel::ResourceView& view, Instant now);
    void check_told(ClientNo client, Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    std::map<Device, tunnel::TunConfig> interfaces_;
    std::map<ClientNo, List> lists_;
    std::set<Device> signed_in_;
    /// Those that ended because the portal never let them in (spec/newer-dialect.md section 3.2): nobody starts them
    /// again here.
    std::set<Device> gave_up_;
};

}  // namespace culvert::model
