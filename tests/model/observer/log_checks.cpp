#include "tests/model/observer/log_checks.h"

#include <algorithm>

#include "culvert/base/base64.h"
#include "culvert/base/overloaded.h"
#include "culvert/tunnel/constants.h"
#include "culvert/turn/constants.h"

namespace culvert::model {
namespace {

/// The portal is asked for relays again at most five minutes, with its share of chance ten, after the last time.
constexpr Duration kRelaysComeBack = 2 * tunnel::kMaxRelayRecovery + std::chrono::seconds{10};
/// So long a relay keeps an allocation, and with it a channel and its number, that its client has forgotten.
constexpr Duration kRelayRemembers = turn::kChannelLifetime + turn::kChannelCoolDown;

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

void LogChecks::handle(const MessageToDevice& event, Instant) {
    std::visit(
        overloaded{[&](const portal_api::ToClient& message) {
                       if (const auto* init = std::get_if<portal_api::ClientInit>(&message)) {
                           learn(init->relays);
                       } else if (const auto* flow = std::get_if<portal_api::FlowCreated>(&message)) {
                           learn(flow->preshared_key, flow->client_ice_credentials, flow->gateway_ice_credentials);
                       } else if (const auto* device = std::get_if<portal_api::DeviceAccessAuthorized>(&message)) {
                           learn(device->preshared_key, device->local_ice_credentials, device->remote_ice_credentials);
                       }
                   },
                   [&](const portal_api::ToGateway& message) {
                       if (const auto* init = std::get_if<portal_api::GatewayInit>(&message)) {
                           learn(init->relays);
                       } else if (const auto* flow = std::get_if<portal_api::AuthorizeFlow>(&message)) {
                           learn(flow->client.preshared_key, flow->client_ice_credentials,
                                 flow->gateway_ice_credentials);
                       }
                   },
                   [](const portal_api::ToRelay&) {}},
        event.message);
}

void LogChecks::learn(const std::vector<portal_api::Relay>& relays) {
    std::ranges::transform(relays, std::inserter(secrets_, secrets_.end()), &portal_api::Relay::password);
}

void LogChecks::learn(const crypto::PresharedKey& key, const portal_api::IceCredentials& client,
                      const portal_api::IceCredentials& gateway) {
    secrets_.insert({to_base64(key.reveal()), to_hex(key.reveal()), client.password, gateway.password});
}

void LogChecks::handle(const LogLine& event, Instant now) {
    const auto line = describe(event);
    verdict_.check("SEC-8",
                   std::ranges::none_of(secrets_,
                                        [&](const std::string& secret) {
                                            return !secret.empty() && line.find(secret) != std::string::npos;
                                        }),
                   now, [&] { return "a secret in the log: " + line; });
    verdict_.check("RES-4", event.level < log::Level::kWarn || is_expected(event, now), now,
                   [&] { return "needs a person: " + line; });
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
