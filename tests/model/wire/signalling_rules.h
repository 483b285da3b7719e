#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/model/wire/candidate_line.h"
#include "tests/model/wire/findings.h"
#include "tests/model/wire/hosts.h"
#include "tests/model/wire/turn_client_rules.h"

namespace culvert::model::wire {

/// Checks what devices tell the portal about paths and flows. Source: spec/connectivity.md 3, spec/portal-protocol.md
/// 6.2 and 7.2.
class SignallingRules {
public:
    SignallingRules(Hosts& hosts, const TurnClientRules& turn, Findings& findings)
        : hosts_{hosts}, turn_{turn}, findings_{findings} {}

    void handle_message(Host& host, const portal_api::FromDevice& message, Instant now);
    /// The request for the resource, if any, is over.
    void handle_end_of_flow(Host& host, const ResourceId& resource, Instant now);

private:
    struct Signalled {
        Instant since;
        std::set<net::SocketAddress> hosts;
        std::set<net::SocketAddress> reflexive;
        std::set<net::SocketAddress> relayed;
        /// With how often the address had been allocated by then.
        std::map<net::SocketAddress, unsigned> withdrawn;
    };

    void handle_candidates(Host& host, const std::vector<Uuid>& peers, const std::vector<std::string>& lines,
                           Instant now);
    void handle_withdrawal(Host& host, const std::vector<Uuid>& peers, const std::vector<std::string>& lines,
                           Instant now);
    [[nodiscard]] static Complaint judge_withdrawal(const Host& host, const CandidateLine& candidate);
    void handle_create_flow(Host& host, const ResourceId& resource, Instant now);
    [[nodiscard]] Complaint judge_candidate(const Host& host, std::string_view line, Signalled& signalled, Instant now);
    [[nodiscard]] Complaint judge_numbers(const Host& host, const Signalled& signalled);

    Hosts& hosts_;
    const TurnClientRules& turn_;
    Findings& findings_;
    std::map<std::pair<Device, Uuid>, Signalled> signalled_;
    /// When the portal last received a request for the flow, and when the device was last told what ends one.
    std::map<std::pair<Device, ResourceId>, Instant> asked_;
    std::map<std::pair<Device, ResourceId>, Instant> ended_;
};

}  // namespace culvert::model::wire
