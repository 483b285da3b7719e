#include "tests/model/reference/expectation.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "culvert/portal/constants.h"
#include "culvert/tunnel/address_ranges.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// A dead path is noticed and replaced so long after the first packet that needs it (LIV-5); a gateway that still has
/// its half of a connection answers there until the client's handshake is repeated after 5 s.
constexpr Duration kRepair = 27s;
constexpr Duration kHalfOpen = 7s;
/// All honest devices of a case need fewer ports than the share of one of two sources of these.
constexpr unsigned kEnoughPorts = 64;
/// Longer than any packet has to arrive.
constexpr Duration kExpiryIsNear = 15s;
/// After this the portal knows that a gateway is gone.
constexpr Duration kPresenceTimeout = portal::idle_timeout(portal_api::Role::kGateway);
/// Timers of late drivers go off so much after they are due, at the worst.
constexpr Duration kLateTimers = 5200ms;
/// What the rules of LIV hold for: one way, and how much more time a set-up may take for each millisecond above it.
constexpr Duration kReferenceLatency = 100ms;
constexpr int kSetupOneWayTrips = 12;

bool is_told_as_it_is(const ToldResources::Resource& told, const AccessModel::Resource& real) {
    return told.address == real.address && told.sites.size() == real.sites.size() &&
           std::ranges::all_of(told.sites, [&](const portal_api::Site& site) {
               return std::ranges::any_of(real.sites, [&](SiteNo number) { return site_id(number) == site.id; });
           });
}

/// Whether the gateway is gone for so long that the portal will not choose it.
bool is_known_to_be_gone(const Situation& situation, GatewayNo gateway, Instant now) {
    const auto& calm = situation.calm();
    return !calm.is_running(gateway) && calm.disturbed_at(gateway) != Instant::max() &&
           calm.disturbed_at(gateway) + kPresenceTimeout < now;
}

/// Whether the gateway may have said goodbye since then, after which the client asks for a gateway anew.
bool has_left(const Situation& situation, GatewayNo gateway, Instant since) {
    return situation.calm().disturbed_at(gateway) >= since;
}

bool shares_family(const Access& access, const RelaySetup& relay) {
    return (access.has_v4 && relay.has_v4) || (access.has_v6 && relay.has_v6);
}

/// Whether there is a path through relays, whichever each is given.
bool have_relayed_path(const Setup& setup, const Access& a, const Access& b) {
    return !setup.relays.empty() && std::ranges::all_of(setup.relays, [&](const RelaySetup& one) {
        return one.ports >= kEnoughPorts && std::ranges::all_of(setup.relays, [&](const RelaySetup& other) {
                   const bool is_connected = (one.has_v4 && other.has_v4) || (one.has_v6 && other.has_v6);
                   return shares_family(a, one) && shares_family(b, other) && is_connected;
               });
    });
}

/// Whether the client's access is over by the gateway's clock, or will be by then, before it is in truth.
bool is_over_by_its_clock(const Situation& situation, ClientNo client, GatewayNo gateway, Instant until) {
    const auto expiry = situation.token_expiry_at(gateway, client);
    return expiry && *expiry <= until && situation.access().may_sign_in(client, *expiry).holds;
}

bool has_running_relay(const Situation& situation) {
    for (std::size_t i = 1; i <= situation.setup().relays.size(); ++i) {
        if (situation.calm().is_running(RelayNo{static_cast<std::uint8_t>(i)})) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool have_sure_path(const Situation& situation, ClientNo client, GatewayNo gateway, Instant at) {
    const auto& setup = situation.setup();
    return have_relayed_path(setup, situation.access_of(client), situation.access_of(gateway)) &&
           !situation.nats_forget(client, gateway) && !situation.may_be_denied(client, gateway, at);
}

Expectation expect(const Situation& situation, ClientNo client, const InnerPacket& packet, Instant now) {
    Expectation result{.client = client, .at = now, .resources = {}, .gateways = {}};
    const auto conclude = [&](Outcome outcome, std::string_view why) {
        result.outcome = outcome;
        result.why = why;
        return result;
    };
    const auto excuse = [&](Excuse reason) {
        result.excuse = reason;
        return conclude(Outcome::kOpen, to_string(reason));
    };
    const auto& interface = situation.told(client).interface();
    if (interface && packet.source != interface->ipv4 && packet.source != interface->ipv6) {
        return conclude(Outcome::kDropped, "its source is not the client's");
    }
    if (tunnel::is_peer_address(packet.destination)) {
        const auto owner = situation.owner(packet.destination);
        const bool is_gateway = owner && std::holds_alternative<GatewayNo>(*owner);
        return is_gateway ? excuse(Excuse::kGatewayItself)
                          : conclude(Outcome::kDropped, "no client reaches another client");
    }
    const auto& told = situation.told(client);
    const auto candidates = told.candidates(packet.destination, requested_service(packet));
    if (candidates.empty()) {
        return conclude(Outcome::kDropped, "no resource");
    }
    result.has_flow = true;
    bool all_permit = true;
    std::size_t offline = 0;
    for (const auto* candidate : candidates) {
        const auto* real = situation.access().find(candidate->id);
        if (real == nullptr || !is_told_as_it_is(*candidate, *real) ||
            !situation.access().may_reach(client, candidate->id, now).holds) {
            return conclude(Outcome::kOpen, "the client's list is out of date");
        }
        result.resources.push_back(candidate->id);
        all_permit = all_permit && permits(real->filters, requested_service(packet));
        const auto* flow = told.flow(candidate->id);
        result.has_flow = result.has_flow && flow != nullptr;
        const auto gateway = flow == nullptr ? std::nullopt : situation.find(flow->gateway);
        if (gateway) {
            result.gateways.push_back(*gateway);
        }
        if (!gateway || has_left(situation, *gateway, flow->created_at)) {
            auto online = situation.gateways_of(*real);
            std::erase_if(online, [&](GatewayNo each) { return is_known_to_be_gone(situation, each, now); });
            offline += online.empty() ? 1U : 0U;
            result.gateways.insert(result.gateways.end(), online.begin(), online.end());
        }
    }
    if (offline > 0) {
        return excuse(Excuse::kNoGateway);  // it may wait in the client for one that comes back
    }
    if (!has_running_relay(situation)) {
        return excuse(Excuse::kUnsurePath);  // nothing that begins now has one
    }
    const auto is_any = [&](const auto& holds) { return std::ranges::any_of(result.gateways, holds); };
    if (is_any([&](GatewayNo each) { return situation.is_hostile(each); })) {
        return excuse(Excuse::kHostileGateway);
    }
    if (is_any([&](GatewayNo each) { return is_over_by_its_clock(situation, client, each, now + kExpiryIsNear); })) {
        return excuse(Excuse::kWrongClock);
    }
    if (is_any([&](GatewayNo each) { return !have_sure_path(situation, client, each, now); })) {
        return excuse(Excuse::kUnsurePath);
    }
    if (all_permit) {
        return conclude(Outcome::kDelivered, "permitted");
    }
    const bool might_pass = std::ranges::any_of(told.covering(packet.destination), [&](const auto* resource) {
        const auto* real = situation.access().find(resource->id);
        return permits(resource->filters, requested_service(packet)) ||
               (real != nullptr && permits(real->filters, requested_service(packet)));
    });
    return might_pass ? conclude(Outcome::kEither, "another resource's filters may permit it")
                      : conclude(Outcome::kRejected, "filtered");
}

void Attempts::add(const Expectation& expectation) {
    const std::set<GatewayNo> gateways{expectation.gateways.begin(), expectation.gateways.end()};
    for (const auto gateway : gateways) {
        attempts_[{expectation.client, gateway}].push_back({expectation.at, gateways.size() == 1});
    }
}

bool Attempts::have_shown(const Situation& situation, ClientNo client, GatewayNo gateway, Instant at,
                          Instant calm_since) const {
    const auto answered = situation.answers().last(client, gateway);
    if (answered && *answered > calm_since) {
        return true;
    }
    const auto found = attempts_.find({client, gateway});
    if (found == attempts_.end() || found->second.front().at >= at) {
        return true;
    }
    const auto has_tried = [&](Instant from, Instant until) {
        return std::ranges::any_of(
            found->second, [&](const Attempt& each) { return each.is_certain && each.at > from && each.at <= until; });
    };
    return has_tried(calm_since, at - kRepair) && has_tried(std::max(calm_since, at - kRepair), at - kHalfOpen);
}

Duration time_limit(const Situation& situation, const Expectation& expectation) {
    const auto& setup = situation.setup();
    const auto client = Duration{situation.access_of(expectation.client).latency};
    Duration relay{};
    for (const auto& each : setup.relays) {
        relay = std::max<Duration>(relay, each.latency);
    }
    Duration one_way = client + setup.portal_latency;
    bool is_late = situation.driver(expectation.client) == Driver::kLate;
    for (const auto gateway : expectation.gateways) {
        const auto gateway_latency = Duration{situation.access_of(gateway).latency};
        one_way = std::max({one_way, gateway_latency + setup.portal_latency, client + gateway_latency + 2 * relay});
        is_late = is_late || situation.driver(gateway) == Driver::kLate;
    }
    const auto excess = std::max<Duration>(one_way - kReferenceLatency, 0ms);
    return 3s + kSetupOneWayTrips * excess + (is_late ? kLateTimers : 0ms);
}

bool is_due(const Situation& situation, const Expectation& expectation, const Attempts& attempts, Instant until) {
    const auto client = expectation.client;
    const auto& calm = situation.calm();
    const auto changed_at = situation.access().changed_at(client);
    if (!calm.holds(client, expectation.at) || !situation.access().may_sign_in(client, until).holds ||
        (changed_at > kCaseBegin && changed_at + kSettleTime > expectation.at)) {
        return false;
    }
    const auto& told = situation.told(client);
    std::set<GatewayNo> gateways{expectation.gateways.begin(), expectation.gateways.end()};
    for (const auto& id : expectation.resources) {
        const auto told_at = told.told_at(id);
        if (!told_at || *told_at > expectation.at) {
            return false;
        }
        if (const auto* resource = situation.access().find(id)) {
            std::ranges::copy(situation.gateways_of(*resource), std::inserter(gateways, gateways.end()));
        }
    }
    return std::ranges::all_of(gateways, [&](GatewayNo gateway) {
        const auto since = std::max(calm.disturbed_at(client), calm.disturbed_at(gateway));
        return calm.holds(gateway, expectation.at) && situation.access().may_sign_in(gateway, until).holds &&
               attempts.have_shown(situation, client, gateway, expectation.at, since);
    });
}

std::string_view rule_at_stake(const Situation& situation, const Expectation& expectation) {
    const auto& calm = situation.calm();
    auto latest = calm.disturbed_at(expectation.client);
    auto rule = calm.rule(expectation.client);
    for (const auto gateway : expectation.gateways) {
        if (const auto at = calm.disturbed_at(gateway); at > latest) {
            latest = at;
            rule = calm.rule(gateway);
        }
    }
    if (!rule.empty() && latest >= expectation.at - 2 * kSettleTime) {
        return rule;
    }
    return expectation.has_flow ? "CON-1" : "LIV-1";
}

}  // namespace culvert::model
