#include "tests/model/observer/warning_excuses.h"

#include <algorithm>

namespace culvert::model {
namespace {

/// How long before a warning the fault that explains it may have ended.
constexpr Duration kAftermath = std::chrono::seconds{60};
/// How late a gateway that hung may still answer what it was asked: then the portal forgets the question.
constexpr Duration kLatestAnswer = std::chrono::seconds{125};
constexpr Duration kAllocationLifetime = std::chrono::seconds{600};
/// With the time after it in which its number is not used for another peer (spec/connectivity.md section 5.6).
constexpr Duration kChannelLifetime = std::chrono::seconds{900};
/// The portal is asked for relays again at most five minutes, with its share of chance ten, after the last time.
constexpr Duration kRelaysComeBack = std::chrono::seconds{610};
/// What expired within this time may have done so while the portal's message was on its way.
constexpr std::chrono::seconds kLateMessage{60};
/// Since then all programs run that run from the start.
constexpr Instant kAllStarted = kCaseBegin + std::chrono::seconds{10};

std::optional<std::string_view> when(bool holds, std::string_view reason) {
    return holds ? std::optional{reason} : std::nullopt;
}

}  // namespace

void WarningExcuses::observe(const Observation& observation, Instant now) {
    if (const auto* fault = std::get_if<FaultChanged>(&observation)) {
        // A NAT that starts anew may give a host the port that it had before, and with it the allocation that a relay
        // still keeps for that port.
        if (const auto device = as_device(fault->process); fault->name == "nat" && device) {
            ports_swapped_at_.insert_or_assign(*device, now);
        }
    } else if (const auto* action = std::get_if<ActionTaken>(&observation)) {
        const auto* cut = std::get_if<CutPortal>(&action->step.action);
        if (cut != nullptr && action->is_effective) {
            cut_.insert(cut->device);
        }
    } else if (const auto* closed = std::get_if<SessionClosed>(&observation)) {
        if (std::holds_alternative<ClientNo>(closed->device)) {
            last_client_left_ = now;
        }
    } else if (const auto* process = std::get_if<ProcessChanged>(&observation)) {
        if (std::holds_alternative<RelayNo>(process->process) && process->state == ProcessState::kStopped) {
            relay_left_at_ = now;
        }
    } else if (const auto* opened = std::get_if<SessionOpened>(&observation)) {
        if (!has_joined_.insert(opened->device).second) {
            rejoined_at_.insert_or_assign(opened->device, now);
        }
    }
}

std::optional<std::string_view> WarningExcuses::find(const LogLine& line, Instant now) {
    const auto device = as_device(line.process);
    if (!device) {
        return std::nullopt;
    }
    if (line.target == "portal_channel") {
        return of_portal_channel(*device, line, now);
    }
    if (line.target == "turn") {
        return of_turn_client(*device, line, now);
    }
    if (line.target == "relay") {
        return of_relay(*device, line);
    }
    return of_tunnel(*device, line, now);
}

WarningExcuses::Reason WarningExcuses::of_portal_channel(const Device& device, const LogLine& line, Instant now) {
    if (line.message == "Hiccup in connection to portal" && std::holds_alternative<RelayNo>(device)) {
        if (cut_.erase(device) > 0) {
            broken_at_.insert_or_assign(device, now);
        }
        const auto broken = broken_at_.find(device);
        return when((broken != broken_at_.end() && broken->second + kAftermath >= now) ||
                        situation_.faults().portal_fault(device, now - kAftermath, now) ||
                        !situation_.access().may_sign_in(device, now).holds,
                    "warning: a relay lost its connection to the portal");
    }
    const auto* gateway = std::get_if<GatewayNo>(&device);
    if (line.message == "Portal refused a message" && gateway != nullptr) {
        if (situation_.is_hostile(*gateway)) {
            return "warning: a hostile gateway is refused";
        }
        const auto rejoined = rejoined_at_.find(device);
        return when(last_client_left_ + kLatestAnswer >= now ||
                        (rejoined != rejoined_at_.end() && rejoined->second + kLatestAnswer >= now),
                    "warning: a gateway answers what the portal has forgotten");
    }
    return std::nullopt;
}

WarningExcuses::Reason WarningExcuses::of_turn_client(const Device& device, const LogLine& line, Instant now) const {
    const auto from = now - kAftermath;
    const auto& faults = situation_.faults();
    if (now >= faults.lied_since()) {
        return "warning: a relay lies";
    }
    const auto swapped = ports_swapped_at_.find(device);
    const bool was_swapped = swapped != ports_swapped_at_.end() && swapped->second + kChannelLifetime >= now;
    if (was_swapped && (line.message == "Channel was not bound" || line.message == "Relay refused a request")) {
        return "warning: an allocation came with a NAT's port";
    }
    if (line.message == "Relay refused a request" || line.message == "Ignoring response that lacks an attribute") {
        return when(faults.relays(from, now) || faults.host(device, from, now), "warning: relay in trouble");
    }
    if (line.message == "Ignoring response without valid message integrity" ||
        line.message == "Relay refused our credentials") {
        // While the portal is away nobody learns that a relay has started anew, until the allocation is refreshed.
        return when(faults.relays(now - kAllocationLifetime, now) || faults.host(device, from, now) ||
                        !situation_.access().may_sign_in(device, now).holds,
                    "warning: a relay has other credentials");
    }
    return std::nullopt;
}

WarningExcuses::Reason WarningExcuses::of_relay(const Device& device, const LogLine& line) const {
    const auto* relay = std::get_if<RelayNo>(&device);
    if (line.message != "Refused requests of users" || relay == nullptr) {
        return std::nullopt;
    }
    return when(situation_.setup().relays.at(relay->value - 1U).ports < RelaySetup{}.ports,
                "warning: a relay has no port left");
}

WarningExcuses::Reason WarningExcuses::of_tunnel(const Device& device, const LogLine& line, Instant now) const {
    const auto& faults = situation_.faults();
    if (line.target == "connectivity" && line.message == "Cannot connect without relays") {
        const auto from = std::max(kAllStarted, now - kRelaysComeBack);
        return when(situation_.may_lack_relays(device) ||
                        (relay_left_at_ && *relay_left_at_ >= now - kRelaysComeBack) || faults.relays(from, now) ||
                        faults.relays_portal(from, now) || faults.host(device, from, now),
                    "warning: no relay is in reach");
    }
    if (line.target == "tunnel" && line.message == "Refusing access that has expired by our clock: is it right?") {
        const auto* gateway = std::get_if<GatewayNo>(&device);
        return when(gateway != nullptr && (situation_.wall_time_at(*gateway, now) > wall_time(now) + kLateMessage ||
                                           faults.process(device, now - kAftermath, now)),
                    "warning: a gateway's clock is ahead");
    }
    if (line.target == "tunnel" && line.message == "Ignoring flow for unknown resource") {
        const auto* client = std::get_if<ClientNo>(&device);
        return when(client != nullptr && situation_.access().changed_at(*client) >= now - kLatestAnswer,
                    "warning: a flow for a resource that has gone");
    }
    return std::nullopt;
}

}  // namespace culvert::model
