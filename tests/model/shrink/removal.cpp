#include "tests/model/shrink/removal.h"

#include <concepts>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/model/scenario/references.h"

namespace culvert::model {

namespace {

template <typename No, typename Visit>
void for_each_number_like(auto& part, Visit visit) {
    for_each_reference(part, [&](auto& number) {
        if constexpr (std::same_as<std::remove_cvref_t<decltype(number)>, No>) {
            visit(number);
        }
    });
}

template <typename No>
bool speaks_about(auto& part, No gone) {
    bool found = false;
    for_each_number_like<No>(part, [&](No number) { found |= number == gone; });
    return found;
}

template <typename No>
void move_up(auto& part, No gone) {
    for_each_number_like<No>(part, [&](No& number) {
        if (number > gone) {
            --number.value;
        }
    });
}

// A list of numbers just becomes shorter.
void remove_from_lists(Scenario& scenario, SiteNo gone) {
    for (auto& resource : scenario.setup.resources) {
        std::erase(resource.sites, gone);
    }
    for (auto& step : scenario.steps) {
        if (auto* set = std::get_if<SetSites>(&step.action)) {
            std::erase(set->sites, gone);
        }
    }
}

void remove_from_lists(Scenario& scenario, GroupNo gone) {
    for (auto& client : scenario.setup.clients) {
        std::erase(client.groups, gone);
    }
}

// Everything but the thing itself.
template <typename No>
void remove_references(Scenario& scenario, No gone) {
    std::erase_if(scenario.steps, [&](Step& step) { return speaks_about(step.action, gone); });
    std::erase_if(scenario.setup.policies, [&](PolicySetup& policy) { return speaks_about(policy, gone); });
    const auto move_all_up = [&](auto& parts) {
        for (auto& part : parts) {
            move_up(part, gone);
        }
    };
    move_all_up(scenario.setup.clients);
    move_all_up(scenario.setup.gateways);
    move_all_up(scenario.setup.resources);
    move_all_up(scenario.setup.policies);
    for (auto& step : scenario.steps) {
        move_up(step.action, gone);
    }
}

template <typename No, typename T>
Scenario without_element(Scenario scenario, No gone, std::vector<T> Setup::* list) {
    remove_references(scenario, gone);
    auto& elements = scenario.setup.*list;
    elements.erase(elements.begin() + gone.value - 1);
    return scenario;
}

}  // namespace

Scenario without(Scenario scenario, ClientNo client) {
    return without_element(std::move(scenario), client, &Setup::clients);
}

Scenario without(Scenario scenario, GatewayNo gateway) {
    return without_element(std::move(scenario), gateway, &Setup::gateways);
}

Scenario without(Scenario scenario, RelayNo relay) {
    return without_element(std::move(scenario), relay, &Setup::relays);
}

Scenario without(Scenario scenario, ResourceNo resource) {
    return without_element(std::move(scenario), resource, &Setup::resources);
}

Scenario without(Scenario scenario, SiteNo site) {
    for (auto i = scenario.setup.gateways.size(); i > 0; --i) {
        if (scenario.setup.gateways[i - 1].site == site) {
            scenario = without(std::move(scenario), GatewayNo{static_cast<std::uint8_t>(i)});
        }
    }
    remove_from_lists(scenario, site);
    remove_references(scenario, site);
    --scenario.setup.sites;
    return scenario;
}

Scenario without(Scenario scenario, GroupNo group) {
    remove_from_lists(scenario, group);
    remove_references(scenario, group);
    --scenario.setup.groups;
    return scenario;
}

}  // namespace culvert::model
