#include "culvert/portal_channel/held_candidates.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/portal_channel/constants.h"

namespace culvert::portal_channel {
namespace {

using portal_api::BroadcastClientIceCandidates;
using portal_api::BroadcastGatewayIceCandidates;
using portal_api::BroadcastInvalidatedClientIceCandidates;
using portal_api::BroadcastInvalidatedGatewayIceCandidates;

/// The fourth word of its text (spec/portal-protocol.md section 5.2); 0: there is none.
std::uint32_t priority_of(std::string_view candidate) {
    constexpr int kWordsBefore = 3;
    for (int word = 0; word < kWordsBefore; ++word) {
        const auto space = candidate.find(' ');
        candidate = space == std::string_view::npos ? std::string_view{} : candidate.substr(space + 1);
    }
    std::uint32_t priority = 0;
    std::from_chars(candidate.data(), candidate.data() + candidate.size(), priority);
    return priority;
}

/// Senders put what is better first.
std::vector<std::string> sorted(std::vector<std::string> candidates) {
    std::ranges::stable_sort(candidates, std::ranges::greater{}, priority_of);
    return candidates;
}

/// The newer word about a candidate counts.
void move_to(std::vector<std::string>& to, std::vector<std::string>& from, const std::vector<std::string>& candidates) {
    for (const auto& candidate : candidates) {
        std::erase(from, candidate);
        if (to.size() < kMaxHeldCandidates && std::ranges::find(to, candidate) == to.end()) {
            to.push_back(candidate);
        }
    }
}

}  // namespace

bool HeldCandidates::concerns(const portal_api::FromDevice& message) {
    static constexpr overloaded kIsOne{
        [](const BroadcastGatewayIceCandidates&) { return true; },
        [](const BroadcastInvalidatedGatewayIceCandidates&) { return true; },
        [](const BroadcastClientIceCandidates&) { return true; },
        [](const BroadcastInvalidatedClientIceCandidates&) { return true; },
        [](const auto&) { return false; },
    };
    return std::visit([](const auto& of_role) { return std::visit(kIsOne, of_role); }, message);
}

bool HeldCandidates::hold(const portal_api::FromDevice& message) {
    const bool is_client = std::holds_alternative<portal_api::FromClient>(message);
    const overloaded take_in{
        [&](const BroadcastGatewayIceCandidates& m) { add(m.gateway_ids, {is_client, true}, m.candidates); },
        [&](const BroadcastInvalidatedGatewayIceCandidates& m) {
            remove(m.gateway_ids, {is_client, true}, m.candidates);
        },
        [&](const BroadcastClientIceCandidates& m) { add(m.client_ids, {is_client, false}, m.candidates); },
        [&](const BroadcastInvalidatedClientIceCandidates& m) {
            remove(m.client_ids, {is_client, false}, m.candidates);
        },
        [](const auto&) {},
    };
    std::visit([&](const auto& of_role) { std::visit(take_in, of_role); }, message);
    return concerns(message);
}

template <typename Ids>
void HeldCandidates::add(const Ids& ids, Ends ends, const std::vector<std::string>& candidates) {
    for (const auto& id : ids) {
        if (auto* held = find(id.uuid(), ends)) {
            move_to(held->added, held->removed, candidates);
        }
    }
}

template <typename Ids>
void HeldCandidates::remove(const Ids& ids, Ends ends, const std::vector<std::string>& candidates) {
    for (const auto& id : ids) {
        if (auto* held = find(id.uuid(), ends)) {
            move_to(held->removed, held->added, candidates);
        }
    }
}

HeldCandidates::Held* HeldCandidates::find(const Uuid& peer, Ends ends) {
    const auto known = peers_.find(peer);
    if (known != peers_.end()) {
        return &known->second;
    }
    if (peers_.size() >= kMaxHeldConnections) {
        return nullptr;
    }
    return &peers_.try_emplace(peer, Held{.ends = ends, .added = {}, .removed = {}}).first->second;
}

std::vector<portal_api::FromDevice> HeldCandidates::take() {
    std::vector<portal_api::FromDevice> messages;
    const auto say = [&](bool is_client, auto message) {
        if constexpr (std::is_constructible_v<portal_api::FromGateway, decltype(message)>) {
            if (!is_client) {
                messages.emplace_back(portal_api::FromGateway{std::move(message)});
                return;
            }
        }
        messages.emplace_back(portal_api::FromClient{std::move(message)});
    };
    for (auto& [peer, held] : std::exchange(peers_, {})) {
        const auto& ends = held.ends;
        if (!held.added.empty() && ends.is_to_gateway) {
            say(ends.is_from_client, BroadcastGatewayIceCandidates{{GatewayId{peer}}, sorted(std::move(held.added))});
        } else if (!held.added.empty()) {
            say(ends.is_from_client, BroadcastClientIceCandidates{{ClientId{peer}}, sorted(std::move(held.added))});
        }
        if (!held.removed.empty() && ends.is_to_gateway) {
            say(ends.is_from_client,
                BroadcastInvalidatedGatewayIceCandidates{{GatewayId{peer}}, sorted(std::move(held.removed))});
        } else if (!held.removed.empty()) {
            say(ends.is_from_client,
                BroadcastInvalidatedClientIceCandidates{{ClientId{peer}}, sorted(std::move(held.removed))});
        }
    }
    return messages;
}

}  // namespace culvert::portal_channel
