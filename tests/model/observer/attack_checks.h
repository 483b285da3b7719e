#pragma once

#include <optional>
#include <string>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/situation.h"

namespace culvert::model {

/// What strangers' datagrams and recorded ones do to whoever gets them: SEC-9.
class AttackChecks {
public:
    AttackChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);

private:
    /// The attacker's datagram that somebody is looking at right now.
    struct Attack {
        Process process;
        net::SocketAddress from;
        bool is_authentic = false;
        bool is_answer = false;
        /// Everything that happens is a consequence of it.
        bool is_alone = true;
        std::string noise;  ///< the last line above DEBUG
    };

    void handle(const DatagramReceived& event, Instant now);
    void handle(const LogLine& event, Instant now);
    void handle(const AttackHandled& event, Instant now);
    void handle(const DatagramSent&, Instant) {}
    /// What happens of itself may be the cause of what is seen from then on.
    template <OneOf<ActionTaken, ProcessChanged, HostAttached, NatReplaced, FaultChanged, PacketSubmitted,
                    PacketDelivered, PacketForwarded, PacketReturned, PacketForged, PacketBetrayed, TransferStarted,
                    TransferEnded, SessionOpened, SessionClosed, MessageToDevice, MessageToPortal, DeviceFailed,
                    InterfaceConfigured, ResourcesListed, Settled, StatesShown>
                  Cause>
    void handle(const Cause&, Instant) {
        if (attack_) {
            attack_->is_alone = false;
        }
    }

    /// True if something changed that may be noted in the log.
    [[nodiscard]] bool judge(const Attack& attack, const connectivity::ConnectionStates& before,
                             const connectivity::ConnectionStates& after, Instant local_now, Instant now);
    [[nodiscard]] bool judge(const Attack& attack, turn::ServerAllocations before, turn::ServerAllocations after,
                             Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    std::optional<Attack> attack_;
};

}  // namespace culvert::model
