#include "tests/model/reference/expectation.h"

#include <algorithm>
#include <set>

#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

/// An administrator's change reaches connected devices, and traffic follows it (LIV-9, and 2 s for the portal to
/// notice).
constexpr Duration kChangeSettles = 5s;
/// After this the portal knows that a device is gone: its idle timeout for gateways (spec/portal-protocol.md
/// section 3.2).
constexpr Duration kPresenceTimeout = 37s;
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

Duration latency_of(const Setup& setup, GatewayNo gateway) {
    return setup.gateways.at(gateway.value - 1U).access.latency;
}

/// Whether the gateway is gone for so long that the portal will not choose it.
bool is_known_to_be_gone(const Situation& situation, GatewayNo gateway, Instant now) {
    const auto away = situation.faults().portal_path(gateway, now, now);
    return away && !situation.faults().is_running(gateway) && away->from + kPresenceTimeout < now;
}

/// Whether the gateway may have said goodbye since then, after which the client asks for a gateway anew.
bool has_left(const Situation& situation, GatewayNo gateway, Instant since, Instant now) {
    return situation.faults().host(gateway, since, now).has_value();
}

bool shares_family(const Access& access, const RelaySetup& relay) {
    return (access.has_v4 && relay.has_v4) || (access.has_v6 && relay.has_v6);
}

/// Whether the two surely find a path: whichever relays each is given, there is one through them.
bool has_relayed_path(const Setup& setup, const Access& a, const Access& b) {
    return !setup.relays.empty() && std::ranges::all_of(setup.relays, [&](const RelaySetup& one) {
        return std::ranges::all_of(setup.relays, [&](const RelaySetup& other) {
            const bool is_connected = (one.has_v4 && other.has_v4) || (one.has_v6 && other.has_v6);
            return shares_family(a, one) && shares_family(b, other) && is_connected;
        });
    });
}

std::optional<Excuse> excuse_for_administration(const Situation& situation, const Expectation& expectation,
                                                Instant until) {
    const auto changed_at = situation.access().changed_at(expectation.client);
    const auto late = [&](std::string_view reason, Instant since) {
        return Excuse{reason, "LIV-9", since, since + kChangeSettles};
    };
    if (changed_at + kChangeSettles >= expectation.at && changed_at > kCaseBegin) {
        return late("access changed", changed_at);
    }
    std::vector<Device> involved{expectation.client};
    involved.insert(involved.end(), expectation.gateways.begin(), expectation.gateways.end());
    for (const auto& device : involved) {
        const auto away = situation.faults().portal_path(device, changed_at, changed_at + kChangeSettles);
        if (away && changed_at > kCaseBegin &&
            (away->until == Instant::max() || away->until + kChangeSettles >= expectation.at)) {
            return late("access changed while the portal was out of reach", changed_at);
        }
        if (!situation.access().may_sign_in(device, until).holds) {
            return late("token ended", situation.access().may_sign_in(device, until).since);
        }
    }
    const auto& told = situation.told(expectation.client);
    for (const auto& id : expectation.resources) {
        const auto* flow = told.flow(id);
        const auto gateway = flow == nullptr ? std::nullopt : situation.find(flow->gateway);
        if (gateway && flow->created_at >= expectation.at && situation.is_hostile(*gateway)) {
            return Excuse{"its gateway keeps no rule", "SEC-1", expectation.at, until};
        }
        const auto told_at = told.told_at(id);
        const auto removed_at = told.removed_at(id);
        if (!told_at || *told_at > expectation.at || (removed_at && *removed_at > expectation.at)) {
            return late("resource was taken away or changed", expectation.at);
        }
    }
    return std::nullopt;
}

}  // namespace

bool has_common_relay(const Situation& situation, ClientNo client, GatewayNo gateway) {
    const auto& setup = situation.setup();
    return has_relayed_path(setup, situation.access_of(client), setup.gateways.at(gateway.value - 1U).access);
}

Expectation expect(const Situation& situation, ClientNo client, const InnerPacket& packet, Instant now) {
    Expectation result{.client = client, .at = now, .resources = {}, .gateways = {}};
    const auto conclude = [&](Outcome outcome, std::string_view why) {
        result.outcome = outcome;
        result.why = why;
        return result;
    };
    const auto& interface = situation.told(client).interface();
    if (interface && packet.source != interface->ipv4 && packet.source != interface->ipv6) {
        return conclude(Outcome::kDropped, "its source is not the client's");
    }
    if (is_tunnel_address(packet.destination)) {
        const auto owner = situation.owner(packet.destination);
        const bool is_gateway = owner && std::holds_alternative<GatewayNo>(*owner);
        return is_gateway ? conclude(Outcome::kOpen, "a gateway's own address")
                          : conclude(Outcome::kDropped, "no client reaches another client");
    }
    const auto& told = situation.told(client);
    const auto candidates = told.candidates(packet.destination);
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
        if (!gateway || has_left(situation, *gateway, flow->created_at, now)) {
            auto online = situation.gateways_of(*real);
            std::erase_if(online, [&](GatewayNo each) { return is_known_to_be_gone(situation, each, now); });
            offline += online.empty() ? 1U : 0U;
            result.gateways.insert(result.gateways.end(), online.begin(), online.end());
        }
    }
    if (offline == candidates.size()) {
        // It may wait in the client for a gateway that comes back.
        return conclude(Outcome::kOpen, "no gateway is online");
    }
    if (offline > 0) {
        return conclude(Outcome::kOpen, "one of several equal resources is offline");
    }
    if (std::ranges::any_of(result.gateways, [&](GatewayNo each) { return situation.is_hostile(each); })) {
        return conclude(Outcome::kOpen, "its gateway keeps no rule");
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
    if (gateways.size() == 1) {
        instants_[{expectation.client, *gateways.begin()}].push_back(expectation.at);
    }
}

const std::vector<Instant>& Attempts::of(ClientNo client, GatewayNo gateway) const {
    static const std::vector<Instant> kNone;
    const auto found = instants_.find({client, gateway});
    return found == instants_.end() ? kNone : found->second;
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
        one_way = std::max({one_way, latency_of(setup, gateway) + setup.portal_latency,
                            client + latency_of(setup, gateway) + 2 * relay});
        is_late = is_late || situation.driver(gateway) == Driver::kLate;
    }
    const auto excess = std::max<Duration>(one_way - kReferenceLatency, 0ms);
    return 3s + kSetupOneWayTrips * excess + (is_late ? kLateTimers : 0ms);
}

std::optional<Excuse> find_excuse(const Situation& situation, const Expectation& expectation, const Attempts& attempts,
                                  Instant until) {
    if (const auto excuse = excuse_for_administration(situation, expectation, until)) {
        return excuse;
    }
    for (const auto gateway : expectation.gateways) {
        const auto expiry = situation.token_expiry_at(gateway, expectation.client);
        if (expiry && *expiry <= until && situation.access().may_sign_in(expectation.client, until).holds) {
            return Excuse{"a gateway's clock is ahead", "SEC-2", *expiry, until};
        }
        const auto restored = situation.restored_until(gateway, expectation.client);
        if (restored && *restored >= expectation.at) {
            return Excuse{"a gateway's clock was set", "LIV-4", expectation.at, *restored};
        }
        if (!has_common_relay(situation, expectation.client, gateway)) {
            return Excuse{"no common relay", "LIV-1", expectation.at, until};
        }
        if (situation.may_be_denied(expectation.client, gateway, expectation.at)) {
            return Excuse{"a relay lies", "LIV-1", expectation.at, until};
        }
        if (const auto nats = situation.nats_that_forget(expectation.client, gateway)) {
            return Excuse{*nats, "LIV-1", expectation.at, until};
        }
        auto tried = attempts.of(expectation.client, gateway);
        if (expectation.gateways.size() > 1) {
            // Which gateway it goes to is not known, so it may be the first that notices what happened to this one.
            tried.insert(std::ranges::upper_bound(tried, expectation.at), expectation.at);
        }
        // Late timers notice so much later that a path is gone.
        const bool is_late =
            situation.driver(expectation.client) == Driver::kLate || situation.driver(gateway) == Driver::kLate;
        const auto from = expectation.at - (is_late ? kLateTimers : 0ms);
        if (const auto excuse = situation.faults().data_path(expectation.client, gateway, from, until, tried)) {
            return excuse;
        }
        if (expectation.has_flow) {
            continue;
        }
        if (const auto excuse = situation.faults().portal_path(gateway, expectation.at, until)) {
            return excuse;
        }
    }
    return expectation.has_flow ? std::nullopt
                                : situation.faults().portal_path(expectation.client, expectation.at, until);
}

std::string_view rule_at_stake(const Situation& situation, const Expectation& expectation) {
    std::optional<Excuse> latest;
    for (const auto gateway : expectation.gateways) {
        const auto excuse = situation.faults().latest(expectation.client, gateway, expectation.at);
        if (excuse && (!latest || latest->until < excuse->until)) {
            latest = excuse;
        }
    }
    if (latest) {
        return latest->rule;
    }
    return expectation.has_flow ? "CON-1" : "LIV-1";
}

}  // namespace culvert::model
