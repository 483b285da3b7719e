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
    struct Session {
        std::string_view local_index;
        std::string_view peer_index;
        bool is_current = false;
    };
    /// Views refer to the texts that are being compared.
    struct Connection {
        std::string_view local_ufrag;
        std::string_view remote_ufrag;
        std::string_view preshared_key;
        std::vector<Session> sessions;
    };
    struct State {
        std::map<std::string_view, Connection> connections;
        std::map<std::string_view, std::string_view> assignments;
        std::map<std::string_view, std::set<std::string_view>> grants;
    };

    void handle(const Settled& event, Instant now);
    void handle(const StatesShown& event, Instant now);
    template <OneOf<ProcessChanged, HostAttached, NatReplaced, FaultChanged, DatagramSent, DatagramReceived,
                    PacketSubmitted, PacketDelivered, PacketForwarded, PacketReturned, PacketForged, PacketBetrayed,
                    TransferStarted, TransferEnded, SessionOpened, SessionClosed, MessageToPortal, DeviceFailed,
                    InterfaceConfigured, ResourcesListed, LogLine>
                  Ignored>
    void handle(const Ignored&, Instant) {}

    [[nodiscard]] static State read(std::string_view text);
    void check_grants(GatewayNo gateway, const State& state, Instant now);
    void check_goodbyes(GatewayNo gateway, const State& state, Instant now);
    void check_assignments(ClientNo client, const State& state, Instant now);
    void check_pair(ClientNo client, const State& at_client, GatewayNo gateway, const State& at_gateway, Instant now);

    void handle(const ActionTaken& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    void check_relay(RelayNo relay, std::string_view text, Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    /// All user names without their expiry that the portal ever told a device to use at relays.
    std::map<Device, std::set<std::string, std::less<>>> salts_;
    std::map<Device, Instant> revoked_;
    Instant settled_at_ = Instant::max();
};

}  // namespace culvert::model
