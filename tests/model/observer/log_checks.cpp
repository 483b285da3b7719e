#include "model/observer/log_checks.h"

#include <algorithm>
#include <charconv>

#include "culvert/base/base64.h"
#include "culvert/base/overloaded.h"

namespace culvert::model {
namespace {

/// How long before a warning the fault that explains it may have ended.
constexpr Duration kAftermath = std::chrono::seconds{60};
/// How late a gateway that hung may still answer what it was asked: then the portal forgets the question.
constexpr Duration kLatestAnswer = std::chrono::seconds{125};
constexpr Duration kAllocationLifetime = std::chrono::seconds{600};
/// With the time after it in which its number is not used for another peer (spec/connectivity.md section 5.6).
constexpr Duration kChannelLifetime = std::chrono::seconds{900};
/// Since then all programs run that run from the start.
constexpr Instant kAllStarted = kCaseBegin + std::chrono::seconds{10};

std::optional<Device> as_device(const Process& process) {
    return std::visit(overloaded{[](PortalNo) -> std::optional<Device> { return std::nullopt; },
                                 [](auto number) -> std::optional<Device> { return Device{number}; }},
                      process);
}

constexpr std::string_view kNewConnection = "Creating connection";
constexpr std::string_view kFollowsPeer = "Updating remote socket";

/// The peer that a line about a connection names; empty if it is about none.
std::string peer_of(const LogLine& line) {
    const auto field =
        std::ranges::find_if(line.fields, [](const auto& each) { return each.key == "gid" || each.key == "cid"; });
    return field == line.fields.end() ? std::string{} : std::string{field->value};
}

/// Whether a datagram is a success response to a connectivity check, by itself or in ChannelData.
bool is_answer_to_check(ByteSpan datagram) {
    constexpr std::uint16_t kBindingSuccess = 0x0101;
    if (datagram.size() > 4 && (std::to_integer<unsigned>(datagram[0]) & 0xc0U) == 0x40U) {
        datagram = datagram.subspan(4);
    }
    return datagram.size() >= 2 && load_be<std::uint16_t>(datagram) == kBindingSuccess;
}

/// What a relay says about requests whose credentials it has checked.
bool is_about_authentic_request(const LogLine& line) {
    return line.target == "relay" &&
           (line.message == "Created new allocation" || line.message == "Deleted allocation on request" ||
            (line.message == "Request failed" && line.level == log::Level::kWarn));
}

/// Whether the line about a connection says that it is at most so old.
bool is_new_connection(const LogLine& line) {
    constexpr std::uint64_t kNewFor = 5'000;  // ms
    const auto field = std::ranges::find(line.fields, "since_request_ms", &log::TextField::key);
    std::uint64_t age = 0;
    return field != line.fields.end() &&
           std::from_chars(field->value.data(), field->value.data() + field->value.size(), age).ec == std::errc{} &&
           age <= kNewFor;
}

std::string describe(const LogLine& line) {
    std::string text{line.target};
    text += ": ";
    text += line.message;
    for (const auto& field : line.fields) {
        text += " " + std::string{field.key} + "=" + field.value;
    }
    return text;
}

}  // namespace

void LogChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void LogChecks::end_attack(Instant now) {
    if (attacked_) {
        verdict_.check("SEC-9", true, now, [] { return ""; });
        attacked_.reset();
    }
}

void LogChecks::handle(const DatagramReceived& event, Instant now) {
    end_attack(now);
    if (event.is_attack) {
        attacked_ = Attacked{std::visit([](auto number) { return Process{number}; }, event.host), now,
                             is_answer_to_check(event.payload)};
    }
}

void LogChecks::handle(const MessageToDevice& event, Instant now) {
    end_attack(now);
    std::visit(overloaded{[&](const portal_api::ToClient& message) {
                              if (const auto* init = std::get_if<portal_api::ClientInit>(&message)) {
                                  learn(init->relays);
                              } else if (const auto* created = std::get_if<portal_api::FlowCreated>(&message)) {
                                  learn(created->preshared_key);
                                  learn(created->client_ice_credentials);
                                  learn(created->gateway_ice_credentials);
                              }
                          },
                          [&](const portal_api::ToGateway& message) {
                              if (const auto* init = std::get_if<portal_api::GatewayInit>(&message)) {
                                  learn(init->relays);
                              } else if (const auto* flow = std::get_if<portal_api::AuthorizeFlow>(&message)) {
                                  learn(flow->client.preshared_key);
                                  learn(flow->client_ice_credentials);
                                  learn(flow->gateway_ice_credentials);
                              }
                          },
                          [](const portal_api::ToRelay&) {}},
               event.message);
}

/// A NAT that starts anew may give a host the port that it, or another host, had before. With it goes the allocation
/// that a relay still keeps for that port, since relays do not compare user names (spec/relay.md section 4.3).
void LogChecks::handle(const FaultChanged& event, Instant now) {
    end_attack(now);
    const auto device = as_device(event.process);
    if (event.name == "nat" && device) {
        ports_swapped_at_.insert_or_assign(*device, now);
    }
}

void LogChecks::handle(const ActionTaken& event, Instant now) {
    end_attack(now);
    const auto* cut = std::get_if<CutPortal>(&event.step.action);
    if (cut != nullptr && event.is_effective) {
        cut_.insert(cut->device);
    }
}

void LogChecks::learn(const portal_api::IceCredentials& credentials) {
    secrets_.insert(credentials.password);
}

void LogChecks::learn(const std::vector<portal_api::Relay>& relays) {
    std::ranges::transform(relays, std::inserter(secrets_, secrets_.end()), &portal_api::Relay::password);
}

void LogChecks::learn(const crypto::PresharedKey& key) {
    secrets_.insert(to_base64(key.reveal()));
    secrets_.insert(to_hex(key.reveal()));
}

void LogChecks::handle(const LogLine& event, Instant now) {
    const auto line = describe(event);
    verdict_.check("SEC-8",
                   std::ranges::none_of(secrets_,
                                        [&](const std::string& secret) {
                                            return !secret.empty() && line.find(secret) != std::string::npos;
                                        }),
                   now, [&] { return "a secret in the log: " + line; });
    // No datagram reaches a device's channel to the portal.
    const bool is_caused_by_stranger =
        attacked_ && attacked_->process == event.process && attacked_->at == now && event.target != "portal_channel";
    if (is_caused_by_stranger && is_about_authentic_request(event)) {
        // TURN cannot tell a recorded request from the original while its nonce is valid, nor what a user is up to.
        verdict_.tolerate("request with valid credentials");
        return;
    }
    const bool follows_peer = event.message == kFollowsPeer && event.level == log::Level::kInfo;
    const bool has_path = follows_peer && !has_path_.insert({event.process, peer_of(event)}).second;
    if (event.message == kNewConnection) {
        has_path_.erase({event.process, peer_of(event)});
    }
    if (is_caused_by_stranger && follows_peer && (!has_path || is_new_connection(event))) {
        // Nor can ICE tell a recorded check; only what is known to work is not given up for it.
        verdict_.tolerate("replayed check of a new connection");
    } else if (is_caused_by_stranger && follows_peer && attacked_->is_answer) {
        // Where an answer comes from does not matter, only what it answers (spec/connectivity.md section 4.3).
        verdict_.tolerate("recorded answer to a check");
    } else if (is_caused_by_stranger) {
        verdict_.check("SEC-9", event.level <= log::Level::kDebug, now,
                       [&] { return "a stranger's datagram makes noise: " + line; });
    }
    if (event.level == log::Level::kWarn && is_permitted_warning(event, now)) {
        verdict_.tolerate("warning about a fault");
        return;
    }
    verdict_.check("RES-4", event.level < log::Level::kWarn, now, [&] { return "needs a person: " + line; });
}

/// Whether a fault explains the warning, which needs a person only if no such fault was injected.
bool LogChecks::is_permitted_warning(const LogLine& line, Instant now) const {
    const auto device = as_device(line.process);
    if (!device) {
        return false;
    }
    const auto from = now - kAftermath;
    const auto& faults = situation_.faults();
    const auto is = [&](std::string_view target, std::string_view message) {
        return line.target == target && line.message == message;
    };
    if (is("portal_channel", "Hiccup in connection to portal")) {
        return std::holds_alternative<RelayNo>(*device) &&
               (cut_.contains(*device) || faults.portal_path(*device, from, now));
    }
    if (is("portal_channel", "Portal refused a message")) {
        // A gateway's answer about a client that has left meanwhile (spec/portal-protocol.md section 7.2).
        return std::holds_alternative<GatewayNo>(*device);
    }
    const auto has_swapped_ports = [&](const auto& entry) { return entry.second + kChannelLifetime >= now; };
    const auto swapped = ports_swapped_at_.find(*device);
    if (swapped != ports_swapped_at_.end() && has_swapped_ports(*swapped) &&
        (is("turn", "Channel was not bound") || is("turn", "Relay refused a request"))) {
        return true;
    }
    if (is("turn", "Relay refused a request") || is("turn", "Ignoring response that lacks an attribute")) {
        return faults.relays(from, now) || faults.host(*device, from, now);
    }
    if (is("relay", "Request failed")) {
        const auto detail = std::ranges::find(line.fields, "detail", &log::TextField::key);
        const auto* relay = std::get_if<RelayNo>(&*device);
        if (relay != nullptr && detail != line.fields.end() && detail->value == "no port left") {
            return situation_.setup().relays.at(relay->value - 1U).ports < RelaySetup{}.ports;
        }
        const bool is_about_channel =
            detail != line.fields.end() && (detail->value == "channel is bound to another peer" ||
                                            detail->value == "peer is bound to another channel");
        // The user does not know of the channel that was bound in its name.
        return is_about_channel &&
               (std::ranges::any_of(ports_swapped_at_, has_swapped_ports) || faults.was_allocation_changed(from, now));
    }
    if (is("connectivity", "Cannot connect without relays")) {
        // Nothing asks for new ones before they are needed.
        return situation_.may_lack_relays(*device) || faults.relays(kAllStarted, now) ||
               faults.relays_portal(kAllStarted, now) || faults.host(*device, kAllStarted, now);
    }
    if (is("turn", "Ignoring response without valid message integrity") ||
        is("turn", "Relay refused our credentials")) {
        // While the portal is away nobody learns that a relay has started anew, until the allocation is refreshed.
        return faults.relays(now - kAllocationLifetime, now) || faults.host(*device, from, now) ||
               !situation_.access().may_sign_in(*device, now).holds;
    }
    if (is("tunnel", "Ignoring flow for unknown resource")) {
        const auto* client = std::get_if<ClientNo>(&*device);
        return client != nullptr && situation_.access().changed_at(*client) >= now - kLatestAnswer;
    }
    return false;
}

}  // namespace culvert::model
