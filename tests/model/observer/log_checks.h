#pragma once

#include <optional>
#include <set>
#include <string>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What programs write about it: SEC-8, SEC-9 and RES-4.
class LogChecks {
public:
    LogChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);

private:
    void handle(const LogLine& event, Instant now);
    void handle(const DatagramReceived& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    /// What happens of itself is the cause of the lines behind it.
    template <OneOf<ActionTaken, ProcessChanged, HostAttached, NatReplaced, FaultChanged, PacketSubmitted,
                    PacketDelivered, PacketForwarded, PacketReturned, PacketForged, PacketBetrayed, TransferStarted,
                    TransferEnded, SessionOpened, SessionClosed, MessageToPortal, DeviceFailed, InterfaceConfigured,
                    ResourcesListed, Settled, StatesShown>
                  Cause>
    void handle(const Cause&, Instant now) {
        end_attack(now);
    }
    void handle(const DatagramSent&, Instant) {}
    void check_stranger(const LogLine& event, const std::string& line, Instant now);
    /// Why a person is told although all is calm.
    [[nodiscard]] std::optional<Excuse> find_excuse(const Device& device, const LogLine& line, Instant now) const;
    [[nodiscard]] bool is_expected(const LogLine& line, Instant now);
    /// Nothing more is heard about it.
    void end_attack(Instant now);

    void learn(const portal_api::IceCredentials& credentials);
    void learn(const std::vector<portal_api::Relay>& relays);
    void learn(const crypto::PresharedKey& key);

    const Situation& situation_;
    Verdict& verdict_;
    std::set<std::string> secrets_;
    /// Who is looking at an attacker's datagram right now.
    struct Attacked {
        Process process;
        Instant at;
        bool is_answer = false;
    };
    std::optional<Attacked> attacked_;
    /// Connections that have had a path, by the peer's id.
    std::set<std::pair<Process, std::string>> has_path_;
};

}  // namespace culvert::model
