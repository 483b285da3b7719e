#pragma once

#include <optional>
#include <set>
#include <string>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What programs write, which is itself what is judged: SEC-8, and by how loud it is RES-4. What happened is never told
/// by it.
class LogChecks {
public:
    LogChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);

private:
    void handle(const LogLine& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    template <OneOf<ActionTaken, ProcessChanged, HostAttached, NatReplaced, FaultChanged, DatagramSent,
                    DatagramReceived, AttackHandled, PacketSubmitted, PacketDelivered, PacketForwarded, PacketReturned,
                    PacketForged, PacketBetrayed, TransferStarted, TransferEnded, SessionOpened, SessionClosed,
                    MessageToPortal, DeviceFailed, InterfaceConfigured, ResourcesListed, Settled, StatesShown>
                  Ignored>
    void handle(const Ignored&, Instant) {}

    /// Why a person is told although all is calm.
    [[nodiscard]] std::optional<Excuse> find_excuse(const Device& device, const LogLine& line, Instant now) const;
    [[nodiscard]] bool is_expected(const LogLine& line, Instant now);

    void learn(const std::vector<portal_api::Relay>& relays);
    void learn(const crypto::PresharedKey& key, const portal_api::IceCredentials& client,
               const portal_api::IceCredentials& gateway);

    const Situation& situation_;
    Verdict& verdict_;
    std::set<std::string> secrets_;
};

}  // namespace culvert::model
