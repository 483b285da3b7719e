#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// Whether both ends of a connection know the same of it once the world has settled (STA-4), by the states they show:
/// sessions, keys, credentials, and that a client's resources are granted where it sends their packets. Gateways grant
/// nothing else than what the portal told them to, and nothing to clients that said goodbye (RES-2).
class AgreementChecks {
public:
    AgreementChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);

private:
    void handle(const Settled& event, Instant now);
    void handle(const StatesShown& event, Instant now);
    template <OneOf<ProcessChanged, HostAttached, NatReplaced, FaultChanged, DatagramSent, DatagramReceived,
                    PacketSubmitted, PacketDelivered, PacketForwarded, PacketReturned, AttackHandled, PacketForged,
                    PacketBetrayed, TransferStarted, TransferEnded, SessionOpened, SessionClosed, MessageToPortal,
                    DeviceFailed, InterfaceConfigured, ResourcesListed, LogLine>
                  Ignored>
    void handle(const Ignored&, Instant) {}

    void check_grants(GatewayNo gateway, const tunnel::GatewayState& state, Instant now);
    void check_goodbyes(GatewayNo gateway, const tunnel::GatewayState& state, Instant now);
    void check_assignments(ClientNo client, const tunnel::ClientState& state, Instant now);
    void check_pair(ClientNo client, const tunnel::ClientState& at_client, GatewayNo gateway,
                    const tunnel::GatewayState& at_gateway, Instant now);

    void handle(const ActionTaken& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    void check_relay(RelayNo relay, const turn::ServerAllocations& allocations, Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    /// All user names without their expiry that the portal ever told a device to use at relays.
    std::map<Device, std::set<std::string, std::less<>>> salts_;
    std::map<Device, Instant> revoked_;
    Instant settled_at_ = Instant::max();
};

}  // namespace culvert::model
