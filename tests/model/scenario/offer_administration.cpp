#include <algorithm>

#include "tests/model/scenario/draw_setup.h"
#include "tests/model/scenario/offers.h"

namespace culvert::model {

namespace {

std::vector<net::IpNetwork> addresses(const std::vector<Plan::Resource>& resources) {
    std::vector<net::IpNetwork> result;
    std::ranges::transform(resources, std::back_inserter(result), &Plan::Resource::address);
    return result;
}

void offer_resource_changes(const Plan& plan, Offers& offers) {
    offers.about(5, plan.deleted_resources(),
                 [](ChoiceSource&, ResourceNo resource) { return CreateResource{resource}; });
    const auto resources = plan.resources();
    offers.about(1, resources,
                 [](ChoiceSource&, const Plan::Resource& resource) { return DeleteResource{resource.number}; });
    offers.about(1, resources, [resources](ChoiceSource& source, const Plan::Resource& resource) {
        return SetAddress{resource.number, draw_network(source, addresses(resources))};
    });
    offers.about(2, resources, [](ChoiceSource& source, const Plan::Resource& resource) {
        return SetFilters{resource.number, draw_filters(source)};
    });
    if (plan.sites() > 1) {
        offers.about(1, resources, [&plan](ChoiceSource& source, const Plan::Resource& resource) {
            return SetSites{resource.number, draw_sites(source, plan.sites())};
        });
    }
}

void offer_policy_changes(const Plan& plan, Offers& offers) {
    offers.about(4, plan.missing_policies(), [](ChoiceSource&, const std::pair<GroupNo, ResourceNo>& pair) {
        return CreatePolicy{pair.first, pair.second};
    });
    offers.about(1, plan.policies(),
                 [](ChoiceSource&, const Plan::Policy& policy) { return DeletePolicy{policy.group, policy.resource}; });
    offers.about(2, plan.policies(), [](ChoiceSource&, const Plan::Policy& policy) {
        return SetPolicyDisabled{policy.group, policy.resource, !policy.is_disabled};
    });
    offers.about(3, plan.memberships(false), [](ChoiceSource&, const std::pair<ClientNo, GroupNo>& pair) {
        return JoinGroup{pair.first, pair.second};
    });
    offers.about(1, plan.memberships(true), [](ChoiceSource&, const std::pair<ClientNo, GroupNo>& pair) {
        return LeaveGroup{pair.first, pair.second};
    });
}

std::vector<std::optional<std::string>> other_search_domains(const Plan& plan) {
    std::vector<std::optional<std::string>> domains{"corp.example", "lab.example", std::nullopt};
    std::erase(domains, plan.search_domain());
    return domains;
}

}  // namespace

void offer_administration(const Plan& plan, Offers& offers) {
    if (!plan.is_portal_running()) {
        return;
    }
    offer_resource_changes(plan, offers);
    offer_policy_changes(plan, offers);
    offers.about(1, plan.revocable_devices(), [](ChoiceSource&, const Device& device) { return RevokeToken{device}; });
    offers.always(1, [&plan](ChoiceSource& source) {
        return RenameSite{{static_cast<std::uint8_t>(source.between(1, plan.sites()))}};
    });
    offers.about(1, other_search_domains(plan),
                 [](ChoiceSource&, const std::optional<std::string>& domain) { return SetSearchDomain{domain}; });
}

}  // namespace culvert::model
