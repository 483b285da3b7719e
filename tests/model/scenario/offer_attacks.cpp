#include <array>

#include "culvert/base/enumerators.h"
#include "tests/model/scenario/offers.h"

namespace culvert::model {

namespace {

template <typename Enum>
Enum draw(ChoiceSource& source) {
    return static_cast<Enum>(source.below(kEnumeratorCount<Enum>));
}

// One for which the forgery is an offence, where there is one.
ResourceNo draw_goal(ChoiceSource& source, const Plan& plan, ClientNo hostile, Forgery forgery) {
    const auto resources = plan.resources();
    std::vector<ResourceNo> goals;
    for (const auto& resource : resources) {
        const bool is_allowed = plan.is_allowed(hostile, resource.number);
        const bool is_goal = forgery == Forgery::kFilteredPort  ? is_allowed && !resource.filters.empty()
                             : forgery == Forgery::kSourceRoute ? is_allowed
                                                                : !is_allowed;
        if (is_goal) {
            goals.push_back(resource.number);
        }
    }
    if (!goals.empty()) {
        return source.pick(goals);
    }
    return resources.empty() ? ResourceNo{1} : source.pick(resources).number;
}

std::uint16_t draw_count(ChoiceSource& source) {
    return static_cast<std::uint16_t>(source.chance(25) ? source.between(10, 200) : source.between(1, 5));
}

// One that the client can reach through the gateway, if there is one.
ResourceNo draw_bait(ChoiceSource& source, const Plan& plan, ClientNo client, GatewayNo gateway) {
    std::vector<ResourceNo> baits;
    for (const auto& resource : plan.resources()) {
        if (plan.is_allowed(client, resource.number) && plan.is_served(resource, gateway)) {
            baits.push_back(resource.number);
        }
    }
    return baits.empty() ? ResourceNo{1} : source.pick(baits);
}

// Clients have to come to the gateway first.
Action draw_betrayal(ChoiceSource& source, const Plan& plan, GatewayNo hostile, const std::vector<ClientNo>& clients) {
    const auto client = source.pick(clients);
    if (!plan.may_have_tunnel(client, hostile)) {
        return Probe{.client = client,
                     .to = HostOf{draw_bait(source, plan, client, hostile)},
                     .source_port = plan.unused_port(client, Protocol::kIcmp, 2000)};
    }
    const auto betrayal = draw<Betrayal>(source);
    const auto resources = plan.resources();
    const auto resource = resources.empty() ? ResourceNo{1} : source.pick(resources).number;
    const auto victim = source.pick(clients);
    return Betray{hostile, client, betrayal, resource, victim, draw_count(source)};
}

}  // namespace

void offer_attacks(const Plan& plan, Offers& offers) {
    offers.about(4, plan.devices(), [](ChoiceSource& source, const Device& target) {
        const auto spoof = draw<Spoof>(source);
        const auto count = draw_count(source);
        return Attack{target, spoof, count, source.chance(40)};
    });
    offers.about(3, plan.relays(), [](ChoiceSource& source, RelayNo relay) {
        const auto abuse = draw<RelayAbuse>(source);
        return AbuseRelay{relay, abuse, draw_count(source)};
    });
    offers.about(60, plan.hostile_relays(), [](ChoiceSource& source, RelayNo relay) {
        const auto deceit = draw<Deceit>(source);
        return Deceive{relay, deceit, milliseconds{source.between(1, 30) * 1000}};
    });
    const auto gateways = plan.gateways();
    const auto victims = plan.clients();
    if (!victims.empty()) {
        offers.about(80, plan.hostile_gateways(), [&plan, victims](ChoiceSource& source, GatewayNo hostile) {
            return draw_betrayal(source, plan, hostile, victims);
        });
    }
    if (gateways.empty() || victims.empty()) {
        return;
    }
    offers.about(25, plan.hostile_clients(), [&plan, gateways, victims](ChoiceSource& source, ClientNo hostile) {
        const auto gateway = source.pick(gateways);
        const auto forgery = draw<Forgery>(source);
        const auto goal = draw_goal(source, plan, hostile, forgery);
        const auto victim = source.pick(victims);
        return Forge{hostile, gateway, forgery, goal, victim, draw_count(source)};
    });
}

}  // namespace culvert::model
