#include "tests/model/observer/portal_checks.h"

#include <algorithm>

#include "culvert/tunnel/constants.h"
#include "tests/model/reference/expectation.h"
#include "tests/model/reference/inner_packet.h"
#include "tests/model/scenario/names.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// Messages on their way, or waiting in the device's queue for the end of the join.
constexpr Duration kOnTheWay = 2s;
/// What administrators change reaches connected devices by then.
constexpr Duration kChangeIsTold = 2s;
/// A connection is set up anew at most so often in a row without a fault (STA-3), and what counts as in a row.
constexpr std::size_t kMaxFlows = 3;
constexpr Duration kFlapping = 30s;
/// After such an absence a client starts afresh (session::kPeersPatience).
constexpr Duration kPeersPatience = 15s;

}  // namespace

void PortalChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void PortalChecks::handle(const ActionTaken& event, Instant now) {
    if (!event.is_effective) {
        return;
    }
    const auto& action = event.step.action;
    if (const auto* reset = std::get_if<Reset>(&action)) {
        ++keys_[reset->client].reasons;
    } else if (const auto* roam = std::get_if<Roam>(&action)) {
        ++keys_[roam->client].reasons;
    } else if (const auto* move = std::get_if<Move>(&action); move != nullptr && move->gap > kPeersPatience) {
        ++keys_[move->device].reasons;
    }
    for (const auto client : situation_.clients()) {
        if (situation_.access().changed_at(client) == now) {
            list_due_.insert_or_assign(client, now + kChangeIsTold);
        }
    }
}

// --- SEC-7 ---

void PortalChecks::handle(const MessageToPortal& event, Instant now) {
    const auto* client = std::get_if<ClientNo>(&event.device);
    const auto* message = std::get_if<portal_api::FromClient>(&event.message);
    const auto* request = message == nullptr ? nullptr : std::get_if<portal_api::CreateFlow>(message);
    if (client == nullptr || request == nullptr || situation_.is_hostile(*client)) {
        return;
    }
    const auto& told = situation_.told(*client);
    if (told.all().contains(request->resource_id)) {
        verdict_.check("SEC-7", true, now, [] { return ""; });
        return;
    }
    // On its way, or waiting in the client for a session.
    const auto removed_at = told.removed_at(request->resource_id);
    const bool has_crossed =
        removed_at && (*removed_at + kOnTheWay >= now || situation_.calm().was_unreachable(*client, *removed_at));
    if (has_crossed) {
        verdict_.tolerate(Excuse::kChangeCrossed);
    }
    verdict_.check("SEC-7", has_crossed, now, [&] {
        return name(*client) + " asks for a resource it does not have: " + request->resource_id.to_string();
    });
}

// --- STA-3 ---

/// After a rejection it may well ask again.
void PortalChecks::handle(const PacketDelivered& event, Instant) {
    const auto packet = read_packet(event.packet);
    if (packet && packet->is_prohibited()) {
        std::erase_if(flows_, [&](const auto& entry) { return entry.first.first == event.client; });
    }
}

void PortalChecks::handle(const MessageToDevice& event, Instant now) {
    const auto* client = std::get_if<ClientNo>(&event.device);
    const auto* message = std::get_if<portal_api::ToClient>(&event.message);
    if (client == nullptr || message == nullptr || situation_.is_hostile(*client)) {
        return;
    }
    if (const auto* candidates = std::get_if<portal_api::GatewayIceCandidates>(message)) {
        unheard_.erase({*client, candidates->gateway_id});
    }
    const auto* created = std::get_if<portal_api::FlowCreated>(message);
    if (created == nullptr) {
        return;
    }
    // A gateway of which nothing is heard attempt after attempt may hold on to half a connection that only another key
    // ends (spec/connectivity.md section 7).
    if (++unheard_[{*client, created->gateway_id}] == tunnel::kSilentAttempts) {
        ++keys_[*client].reasons;
    }
    auto& flows = flows_[{*client, created->resource_id}];
    std::erase_if(flows, [&](Instant at) { return at + kFlapping < now; });
    flows.push_back(now);
    const auto gateway = situation_.find(created->gateway_id);
    const auto from = now - kFlapping;
    if (!gateway || situation_.is_hostile(*gateway) || !have_sure_path(situation_, *client, *gateway, from) ||
        situation_.access().changed_at(*client) >= from || !situation_.calm().holds(*client, from) ||
        !situation_.calm().holds(*gateway, from)) {
        return;
    }
    verdict_.check("STA-3", flows.size() <= kMaxFlows, now, [&] {
        return name(*client) + " got " + std::to_string(flows.size()) + " flows for " +
               created->resource_id.to_string() + " within 30 s";
    });
}

// --- STA-5 ---

void PortalChecks::handle(const ProcessChanged& event, Instant now) {
    const auto device = as_device(event.process);
    if (!device) {
        return;
    }
    auto& key = keys_[*device];
    switch (event.state) {
        case ProcessState::kStopped:
            key = {};
            std::erase_if(unheard_, [&](const auto& entry) { return Device{entry.first.first} == *device; });
            break;
        case ProcessState::kRunning:
            key.reasons += key.still_since && now - *key.still_since > kPeersPatience ? 1 : 0;
            key.still_since.reset();
            break;
        case ProcessState::kHung:
        case ProcessState::kSuspended:
            key.still_since = now;
            break;
    }
}

void PortalChecks::handle(const SessionOpened& event, Instant now) {
    const auto* client = std::get_if<ClientNo>(&event.device);
    const auto* gateway = std::get_if<GatewayNo>(&event.device);
    if ((client == nullptr && gateway == nullptr) || (client != nullptr && situation_.is_hostile(*client)) ||
        (gateway != nullptr && situation_.is_hostile(*gateway))) {
        return;
    }
    auto& key = keys_[event.device];
    const bool has_changed = key.last && *key.last != event.public_key;
    verdict_.check("STA-5", !has_changed || key.reasons > 0, now,
                   [&] { return name(event.device) + " has dropped its connections: it comes back with another key"; });
    key.last = event.public_key;
    key.reasons -= has_changed && key.reasons > 0 ? 1 : 0;
}

// --- LIV-9 ---

void PortalChecks::judge_until(Instant now) {
    for (auto due = list_due_.begin(); due != list_due_.end();) {
        if (due->second >= now) {
            ++due;
            continue;
        }
        const auto client = due->first;
        const auto at = due->second;
        due = list_due_.erase(due);
        check_list(client, at);
    }
}

void PortalChecks::check_list(ClientNo client, Instant now) {
    if (situation_.calm().was_unreachable(client, now - kChangeIsTold) ||
        !situation_.access().may_sign_in(client, now).holds) {
        return;
    }
    const auto& told = situation_.told(client).all();
    for (const auto& [id, resource] : situation_.access().resources()) {
        const bool is_shown = situation_.access().is_shown(client, id).holds;
        const auto found = told.find(id);
        const bool is_right = is_shown ? found != told.end() && found->second.address == resource.address &&
                                             found->second.sites.size() == resource.sites.size()
                                       : found == told.end();
        verdict_.check("LIV-9", is_right, now,
                       [&] { return name(client) + " has not been told of the change to " + resource.name; });
    }
}

}  // namespace culvert::model
