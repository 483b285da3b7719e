#include "tests/model/reference/calm.h"

#include <algorithm>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/names.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// From a device's first session to what `init` told it.
constexpr Duration kStarts = 3s;

constexpr std::string_view kNoSession = "no session with the portal";
constexpr std::string_view kCut = "session is about to be cut";
constexpr std::string_view kMoves = "moves";
constexpr std::string_view kStandsStill = "stands still";
constexpr std::string_view kPortalFault = "portal";

/// The rule of LIV-3, LIV-5 or LIV-6 that says what becomes of connections after it.
std::string_view rule_of_fault(std::string_view name) {
    if (name == "direct" || name == "relay" || name == "family") {
        return "LIV-3";
    }
    return name == kPortalFault ? "LIV-6" : "LIV-5";
}

bool cuts_off(std::string_view what) {
    return what == kNoSession || what == kStandsStill || what == kMoves || what == kCut || what == kPortalFault;
}

bool is_calm(Instant disturbed_at, Instant at) {
    return disturbed_at != Instant::max() && disturbed_at + kSettleTime <= at;
}

}  // namespace

Calm::Calm(const Setup& setup) {
    const auto add = [&]<typename No>(No, std::size_t count) {
        for (const auto number : numbers<No>(count)) {
            devices_.insert(number);
        }
    };
    add(ClientNo{}, setup.clients.size());
    add(GatewayNo{}, setup.gateways.size());
    add(RelayNo{}, setup.relays.size());
    for (const auto& device : devices_) {
        unreachable_[device].active.insert(kNoSession);
        if (!std::holds_alternative<RelayNo>(device)) {
            disturbed_[device].active.insert(kNoSession);
        }
    }
}

void Calm::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

Instant Calm::disturbed_at(const Device& device) const {
    const auto own = disturbed_.find(device);
    return std::max(own == disturbed_.end() ? Instant{} : own->second.at(), common_.at());
}

Instant Calm::disturbed_at() const {
    auto latest = common_.at();
    for (const auto& [device, own] : disturbed_) {
        latest = std::max(latest, own.at());
    }
    return latest;
}

bool Calm::holds(const Device& device, Instant at) const {
    const auto ready = ready_at_.find(device);
    return is_calm(disturbed_at(device), at) && (ready == ready_at_.end() || ready->second <= at);
}

bool Calm::holds(Instant at) const {
    const bool is_ready = std::ranges::all_of(ready_at_, [&](const auto& entry) { return entry.second <= at; });
    return is_calm(disturbed_at(), at) && is_ready && lied_since_ > at;
}

std::string_view Calm::rule(const Device& device) const {
    const auto own = disturbed_.find(device);
    return own == disturbed_.end() || own->second.last < common_.last ? common_.rule : own->second.rule;
}

bool Calm::was_unreachable(const Device& device, Instant since) const {
    return unreachable_.at(device).at() >= since;
}

Calm::Disturbance& Calm::of(const Process& process) {
    const auto device = as_device(process);
    return !device || std::holds_alternative<RelayNo>(*device) ? common_ : disturbed_[*device];
}

void Calm::strike(const Process& process, std::string_view rule, Instant now) {
    auto& disturbance = of(process);
    disturbance.last = now;
    disturbance.rule = rule;
}

/// What goes on already keeps the rule of what began it: who moves has no session, and loses the old one meanwhile.
void Calm::begin(const Process& process, std::string_view what, std::string_view rule, Instant now) {
    if (!of(process).active.contains(what)) {
        strike(process, rule, now);
    }
    of(process).begin(what, now);
    if (const auto device = as_device(process); device && cuts_off(what)) {
        unreachable_[*device].begin(what, now);
    }
}

void Calm::end(const Process& process, std::string_view what, Instant now) {
    of(process).end(what, now);
    if (const auto device = as_device(process)) {
        unreachable_[*device].end(what, now);
    }
}

void Calm::handle(const ProcessChanged& event, Instant now) {
    const auto device = as_device(event.process);
    const bool is_restart = !started_.insert(event.process).second;
    switch (event.state) {
        case ProcessState::kRunning:
            running_.insert(event.process);
            end(event.process, kStandsStill, now);
            if (is_restart) {
                strike(event.process, device ? "LIV-4" : "LIV-6", now);
            }
            if (is_restart && device && sessions_[*device] == 0) {
                lose_session(*device, now);
            }
            return;
        case ProcessState::kHung:
        case ProcessState::kSuspended:
            begin(event.process, kStandsStill, "LIV-5", now);
            break;
        case ProcessState::kStopped:
            if (device) {
                end(event.process, kStandsStill, now);
                end(event.process, kNoSession, now);
                unreachable_[*device].begin(kNoSession, now);
                strike(event.process, "LIV-4", now);
            } else {
                begin(event.process, kStandsStill, "LIV-6", now);
            }
            break;
    }
    running_.erase(event.process);
    if (!device) {
        // Whoever had a session has none.
        for (auto& [each, count] : sessions_) {
            count = 0;
            lose_session(each, now);
        }
    }
}

void Calm::handle(const FaultChanged& event, Instant now) {
    if (event.name == "deceit") {
        lied_since_ = std::min(lied_since_, now);
    } else if (event.is_active) {
        begin(event.process, event.name, rule_of_fault(event.name), now);
    } else {
        end(event.process, event.name, now);
    }
}

void Calm::handle(const HostAttached& event, Instant now) {
    const auto process = as_process(event.host);
    if (attached_.insert(event.host).second) {
        return;  // part of the setup
    }
    end(process, kMoves, now);
    strike(process, "LIV-2", now);
    if (event.access.lan != 0) {
        common_.last = now;  // its neighbours may have another NAT now
        common_.rule = "LIV-5";
    }
}

void Calm::handle(const NatReplaced& event, Instant now) {
    strike(as_process(event.host), "LIV-5", now);
}

void Calm::handle(const ActionTaken& event, Instant now) {
    if (!event.is_effective) {
        return;
    }
    std::visit(
        overloaded{
            [&](const Roam& it) {
                begin(it.client, kMoves, "LIV-2", now);
                begin(it.client, kNoSession, "LIV-2", now);  // the portal may not notice for long
            },
            [&](const Move& it) {
                begin(as_process(it.device), kMoves, "LIV-2", now);
                begin(as_process(it.device), kNoSession, "LIV-2", now);
            },
            [&](const Reset& it) { begin(it.client, kNoSession, "LIV-2", now); },
            [&](const CutPortal& it) { begin(as_process(it.device), kCut, "LIV-6", now); },
            [&](const Settle&) {
                for (const auto& device : devices_) {
                    end(as_process(device), kCut, now);  // what has not happened does not happen any more
                }
            },
            [&](const RevokeToken& it) { strike(as_process(it.device), "LIV-6", now); },
            [&](const SetClock& it) { strike(it.gateway, "LIV-4", now); },
            [&](const Attack& it) {
                if (it.spoof == Spoof::kUnknownKeyInit) {
                    // Beyond a hundred a second, honest handshakes are repeated with a cookie
                    // (spec/connectivity.md section 7.4).
                    strike(as_process(it.target), "LIV-1", now);
                }
            },
            // Links and NATs report their own changes (FaultChanged, NatReplaced), processes theirs.
            ignores<Probe, Expect, Transfer, Unsolicited, CreateResource, DeleteResource, SetAddress, SetFilters,
                    SetSites, CreatePolicy, DeletePolicy, SetPolicyDisabled, JoinGroup, LeaveGroup, RenameSite,
                    SetSearchDomain, Start, Stop, Crash, Hang, Suspend, ImpairLink, BlockDirect, BlockRelay, LoseFamily,
                    RebootNat, RenumberNat, ReplaceNat, PortalTrouble, Forge, Betray, AbuseRelay, Deceive>,
        },
        event.step.action);
}

void Calm::handle(const SessionOpened& event, Instant now) {
    const auto process = as_process(event.device);
    const bool is_first = joined_.insert(event.device).second;
    ++sessions_[event.device];
    if (is_first) {
        of(process).active.erase(kNoSession);
        unreachable_[event.device].active.erase(kNoSession);
    }
    const bool is_recovery = of(process).active.contains(kNoSession);
    end(process, kNoSession, now);
    end(process, kCut, now);
    if (is_first) {
        ready_at_.insert_or_assign(event.device, now + kStarts);  // nothing to recover from
    } else if (!is_recovery) {
        strike(process, "LIV-6", now);
    }
}

void Calm::handle(const SessionClosed& event, Instant now) {
    auto& count = sessions_[event.device];
    count = std::max(0, count - 1);
    if (count == 0) {
        lose_session(event.device, now);
    }
}

/// A relay that is not offered any more goes on to serve whom it does.
void Calm::lose_session(const Device& device, Instant now) {
    const auto process = as_process(device);
    if (!std::holds_alternative<RelayNo>(device) && running_.contains(process)) {
        begin(process, kNoSession, "LIV-6", now);
    } else {
        strike(process, "LIV-6", now);
        unreachable_[device].begin(kNoSession, now);
    }
}

}  // namespace culvert::model
