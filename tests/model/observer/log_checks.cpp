#include "tests/model/observer/log_checks.h"

#include <algorithm>
#include <charconv>

#include "culvert/base/base64.h"
#include "culvert/base/overloaded.h"
#include "culvert/turn/constants.h"
#include "tests/model/reference/ignores.h"

namespace culvert::model {
namespace {

constexpr std::string_view kNewConnection = "Creating connection";
constexpr std::string_view kFollowsPeer = "Updating remote socket";

/// The portal is asked for relays again at most five minutes, with its share of chance ten, after the last time.
constexpr Duration kRelaysComeBack = std::chrono::seconds{610};
/// So long a relay keeps an allocation, and with it a channel and its number, that its client has forgotten.
constexpr Duration kRelayRemembers = turn::kChannelLifetime + turn::kChannelCoolDown;

bool is_reset(const LogLine& line) {
    return line.message == "Resetting network state" || line.message == "Reset network state";
}

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
            line.message == "Refused requests of users");
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
    // A relay's users have to tell somebody that it refuses them.
    if (event.is_attack && !situation_.is_liar(event.from.ip)) {
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
    check_stranger(event, line, now);
    verdict_.check("RES-4", event.level < log::Level::kWarn || is_expected(event, now), now,
                   [&] { return "needs a person: " + line; });
}

void LogChecks::check_stranger(const LogLine& event, const std::string& line, Instant now) {
    const bool follows_peer = event.message == kFollowsPeer && event.level == log::Level::kInfo;
    const bool has_path = follows_peer && !has_path_.insert({event.process, peer_of(event)}).second;
    if (event.message == kNewConnection) {
        has_path_.erase({event.process, peer_of(event)});
    }
    // No datagram reaches a device's channel to the portal, and a reset is seen before the action that orders it.
    if (!attacked_ || attacked_->process != event.process || attacked_->at != now || event.target == "portal_channel" ||
        is_reset(event)) {
        return;
    }
    if (is_about_authentic_request(event)) {
        verdict_.tolerate(Excuse::kValidRequest);
    } else if (follows_peer && (!has_path || is_new_connection(event))) {
        verdict_.tolerate(Excuse::kRecordedCheck);  // only what is known to work is not given up for it
    } else if (follows_peer && attacked_->is_answer) {
        verdict_.tolerate(Excuse::kRecordedAnswer);  // it does not matter (spec/connectivity.md section 4.3)
    } else {
        verdict_.check("SEC-9", event.level <= log::Level::kDebug, now,
                       [&] { return "a stranger's datagram makes noise: " + line; });
    }
}

bool LogChecks::is_expected(const LogLine& line, Instant now) {
    const auto device = as_device(line.process);
    if (!device || line.level > log::Level::kWarn) {
        return false;
    }
    if (!situation_.calm().holds(now)) {
        return true;
    }
    const auto excuse = find_excuse(*device, line, now);
    if (excuse) {
        verdict_.tolerate(*excuse);
    }
    return excuse.has_value();
}

std::optional<Excuse> LogChecks::find_excuse(const Device& device, const LogLine& line, Instant now) const {
    const auto when = [](bool holds, Excuse excuse) { return holds ? std::optional{excuse} : std::nullopt; };
    const auto* client = std::get_if<ClientNo>(&device);
    const auto* gateway = std::get_if<GatewayNo>(&device);
    const auto* relay = std::get_if<RelayNo>(&device);
    const auto disturbed_at = situation_.calm().disturbed_at(device);
    if (gateway != nullptr && situation_.is_hostile(*gateway)) {
        return Excuse::kHostileGateway;
    }
    if (line.target == "turn") {
        return when(disturbed_at + kRelayRemembers >= now, Excuse::kForgottenHost);
    }
    if (line.target == "relay") {
        return when(relay != nullptr && situation_.setup().relays.at(relay->value - 1U).ports < RelaySetup{}.ports,
                    Excuse::kFullRelay);
    }
    if (line.target == "connectivity") {
        return when(situation_.may_lack_relays(device) || disturbed_at + kRelaysComeBack >= now, Excuse::kNoRelay);
    }
    if (line.target == "tunnel" && gateway != nullptr) {
        return when(situation_.wall_time_at(*gateway, now) != wall_time(now), Excuse::kWrongClock);
    }
    if (line.target == "tunnel" && client != nullptr) {
        return when(situation_.access().changed_at(*client) + kSettleTime >= now, Excuse::kChangeCrossed);
    }
    return std::nullopt;
}

}  // namespace culvert::model
