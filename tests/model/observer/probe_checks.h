#pragma once

#include <map>
#include <set>
#include <vector>

#include "tests/model/observer/verdict.h"
#include "tests/model/reference/congestion.h"
#include "tests/model/reference/expectation.h"
#include "tests/model/reference/packet_key.h"

namespace culvert::model {

/// What becomes of every packet of an application: CON-1, CON-2, CON-3, CON-6 and, through the time it takes, LIV-1 to
/// LIV-6.
class ProbeChecks {
public:
    ProbeChecks(const Situation& situation, Verdict& verdict) : situation_{situation}, verdict_{verdict} {}

    void observe(const Observation& observation, Instant now);
    /// Judges the packets whose time is up by `now`. Call before the situation takes in what happens at `now`.
    void judge_until(Instant now);
    /// The case is over; what still has time left is not judged.
    void finish();

private:
    struct Probe {
        Expectation expectation;
        Bytes packet;
        std::uint16_t udp_checksum = 0;
        Bytes answer;  ///< as the resource sent it
        std::uint64_t order = 0;
        unsigned submissions = 0;
        unsigned forwarded = 0;
        Instant forwarded_at = Instant::max();  ///< for the first time
        Instant returned_at = Instant::max();   ///< likewise
        GatewayNo gateway;                      ///< that returned it last
        /// Answers that its receiver gave: TCP may repeat them.
        unsigned returned = 0;
        unsigned answered = 0;
        unsigned rejected = 0;
        bool is_judged = false;
    };

    void handle(const PacketSubmitted& event, Instant now);
    void handle(const PacketForwarded& event, Instant now);
    void handle(const PacketReturned& event, Instant now);
    void handle(const PacketDelivered& event, Instant now);
    void handle(const ActionTaken& event, Instant now);
    void handle(const FaultChanged& event, Instant now) { congestion_.handle(event, now); }
    void handle(const PacketBetrayed& event, Instant now);
    void handle(const TransferStarted& event, Instant now);
    void handle(const TransferEnded& event, Instant now);
    template <OneOf<ProcessChanged, HostAttached, NatReplaced, DatagramSent, DatagramReceived, AttackHandled,
                    PacketForged, SessionOpened, SessionClosed, MessageToDevice, MessageToPortal, DeviceFailed,
                    InterfaceConfigured, ResourcesListed, LogLine, Settled, StatesShown>
                  Ignored>
    void handle(const Ignored&, Instant) {}

    [[nodiscard]] Probe* find(const std::optional<PacketKey>& key);
    void handle_rejection(const PacketKey& key, const InnerPacket& quoted, Instant now);
    void check_intact(std::string_view what, ByteSpan before, ByteSpan after, bool may_be_marked, const PacketKey& key,
                      const Probe& probe, Instant now);
    void check_route(const PacketKey& key, const Probe& probe, GatewayNo gateway, Instant now);
    void check_order(const PacketKey& key, const Probe& probe, GatewayNo gateway, Instant now);
    void judge(const PacketKey& key, Probe& probe, Instant due);
    [[nodiscard]] bool overflowed_buffers(const Probe& probe, Instant due) const;
    [[nodiscard]] std::string describe(const PacketKey& key, const Probe& probe) const;

    const Situation& situation_;
    Verdict& verdict_;
    std::map<PacketKey, Probe> probes_;
    std::multimap<Instant, PacketKey> due_;
    /// By what a script expects an answer, from the client and with this echo id: a deadline, and the rule behind it.
    struct Deadline {
        Instant since;
        Instant until;
        std::string_view rule = "LIV-1";
    };
    std::map<std::pair<ClientNo, std::uint16_t>, Deadline> deadlines_;
    void judge_deadlines(Instant now);
    /// The newest packet of each flow that left a gateway.
    struct Newest {
        std::uint64_t order = 0;
        Instant at;
    };
    std::map<PacketKey, Newest> newest_;
    std::map<ClientNo, std::vector<Instant>> submissions_;
    std::map<PacketKey, Expectation> transfers_;
    /// Packets that hostile gateways pretend to reject.
    std::set<PacketKey> lies_;
    Attempts attempts_;
    std::uint64_t next_order_ = 1;
    Congestion congestion_;
};

}  // namespace culvert::model
