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
    void handle(const SessionOpened& event, Instant now);
    void handle(const PacketDelivered& event, Instant now);
    void handle(const ActionTaken& event, Instant now);
    template <typename Other>
    void handle(const Other&, Instant) {}

    void check_list(ClientNo client, Instant now);

    const Situation& situation_;
    Verdict& verdict_;
    std::map<Device, Instant> session_opened_;
    /// When each client's list must be right, after a change.
    std::map<ClientNo, Instant> list_due_;
    std::map<std::pair<ClientNo, ResourceId>, std::vector<Instant>> flows_;
    std::map<ClientNo, Instant> rejected_at_;
};

}  // namespace culvert::model
