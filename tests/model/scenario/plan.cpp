#include "tests/model/scenario/plan.h"

#include <algorithm>
#include <iterator>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/ignores.h"

namespace culvert::model {

namespace {

// How long something that happens at one instant is taken to keep its victims busy.
constexpr milliseconds kAftermath{3000};

}  // namespace

Plan::Plan(const Setup& setup) : sites_{setup.sites}, groups_{setup.groups} {
    for (const auto no : numbers<ClientNo>(setup.clients.size())) {
        const auto& client = setup.clients[no.value - 1U];
        clients_[no] = {{client.groups.begin(), client.groups.end()}, client.is_hostile};
        accesses_[no] = client.access;
        devices_.insert(no);
    }
    for (const auto no : numbers<GatewayNo>(setup.gateways.size())) {
        const auto& gateway = setup.gateways[no.value - 1U];
        gateways_[no] = {gateway.site, gateway.is_hostile};
        accesses_[no] = gateway.access;
        devices_.insert(no);
    }
    for (const auto no : numbers<RelayNo>(setup.relays.size())) {
        devices_.insert(no);
        if (setup.relays[no.value - 1U].is_hostile) {
            hostile_relays_.insert(no);
        }
    }
    for (const auto& resource : setup.resources) {
        all_resources_.push_back(
            {number<ResourceNo>(all_resources_.size()), resource.address, resource.sites, resource.filters});
    }
    for (const auto& policy : setup.policies) {
        policies_[{policy.group, policy.resource}] = policy.is_disabled;
    }
}

void Plan::advance_to(milliseconds now) {
    now_ = now;
    faults_.erase(faults_.begin(), faults_.upper_bound(now));
    std::erase_if(asleep_, [&](const auto& entry) { return entry.second <= now; });
}

void Plan::apply(const Action& action) {
    const auto resource = [this](ResourceNo number) -> Resource& { return all_resources_.at(number.value - 1U); };
    std::visit(overloaded{
                   [&](const Probe& a) {
                       used_ports_[{a.client, a.protocol}].insert(a.source_port);
                       visit(a.client, a.to);
                   },
                   [&](const Transfer& a) {
                       used_ports_[{a.client, Protocol::kTcp}].insert(a.source_port);
                       visit(a.client, a.to);
                   },
                   [&](const CreateResource& a) { deleted_.erase(a.resource); },
                   [&](const DeleteResource& a) {
                       deleted_.insert(a.resource);
                       std::erase_if(policies_, [&](const auto& policy) { return policy.first.second == a.resource; });
                   },
                   [&](const SetAddress& a) { resource(a.resource).address = a.address; },
                   [&](const SetFilters& a) { resource(a.resource).filters = a.filters; },
                   [&](const SetSites& a) { resource(a.resource).sites = a.sites; },
                   [&](const CreatePolicy& a) { policies_[{a.group, a.resource}] = false; },
                   [&](const DeletePolicy& a) { policies_.erase({a.group, a.resource}); },
                   [&](const SetPolicyDisabled& a) { policies_[{a.group, a.resource}] = a.is_disabled; },
                   [&](const JoinGroup& a) { clients_[a.client].groups.insert(a.group); },
                   [&](const LeaveGroup& a) { clients_[a.client].groups.erase(a.group); },
                   [&](const RevokeToken& a) { revoked_.insert(a.device); },
                   [&](const SetSearchDomain& a) { search_domain_ = a.domain; },
                   [&](const Start& a) { stopped_.erase(a.process); },
                   [&](const Stop& a) { stopped_.insert(a.process); },
                   [&](const Crash& a) { stopped_.insert(a.process); },
                   [&](const Suspend& a) {
                       asleep_[a.process] = now_ + a.duration;
                       begin_fault(a.duration);
                   },
                   [&](const Roam& a) {
                       accesses_[a.client] = a.access;
                       begin_fault(a.gap + kAftermath);
                   },
                   [&](const Move& a) {
                       accesses_[a.device] = a.access;
                       begin_fault(a.gap + kAftermath);
                   },
                   [&]<OneOf<Hang, ImpairLink, BlockDirect, BlockRelay, LoseFamily, PortalTrouble> Lasting>(
                       const Lasting& a) { begin_fault(a.duration); },
                   [&]<OneOf<RebootNat, RenumberNat, ReplaceNat, SetClock, CutPortal> Sudden>(const Sudden&) {
                       begin_fault(kAftermath);
                   },
                   ignores<Expect, Unsolicited, RenameSite, Reset, Forge, Betray, Attack, AbuseRelay, Deceive>,
                   [&](const Settle&) {
                       stopped_.clear();
                       asleep_.clear();
                       faults_.clear();
                   },
               },
               action);
}

std::vector<RelayNo> Plan::relays() const {
    std::vector<RelayNo> result;
    for (const auto& device : devices_) {
        const auto* relay = std::get_if<RelayNo>(&device);
        if (relay != nullptr && is_running(*relay)) {
            result.push_back(*relay);
        }
    }
    return result;
}

std::vector<RelayNo> Plan::hostile_relays() const {
    auto result = relays();
    std::erase_if(result, [this](RelayNo relay) { return !hostile_relays_.contains(relay); });
    return result;
}

std::vector<Device> Plan::devices() const {
    std::vector<Device> result;
    std::ranges::copy(clients(), std::back_inserter(result));
    std::ranges::copy(gateways(), std::back_inserter(result));
    std::ranges::copy(relays(), std::back_inserter(result));
    return result;
}

std::vector<Device> Plan::devices_behind_nat() const {
    auto result = devices();
    std::erase_if(result, [this](const Device& device) {
        const auto found = accesses_.find(device);
        return found == accesses_.end() || !found->second.nat;
    });
    return result;
}

std::vector<Process> Plan::processes() const {
    std::vector<Process> result;
    std::ranges::transform(devices(), std::back_inserter(result), as_process);
    if (is_portal_running()) {
        result.emplace_back(PortalNo{});
    }
    return result;
}

std::vector<Process> Plan::stopped_processes() const {
    std::vector<Process> result;
    std::ranges::copy_if(stopped_, std::back_inserter(result), [this](const Process& process) {
        return std::ranges::none_of(revoked_, [&](const Device& device) { return as_process(device) == process; });
    });
    return result;
}

std::vector<Device> Plan::revocable_devices() const {
    std::vector<Device> result;
    std::ranges::copy_if(devices_, std::back_inserter(result),
                         [this](const Device& device) { return !revoked_.contains(device); });
    const auto is_honest_client = [this](const Device& device) {
        const auto* client = std::get_if<ClientNo>(&device);
        return client != nullptr && !clients_.at(*client).is_hostile;
    };
    if (std::ranges::count_if(result, is_honest_client) == 1) {
        std::erase_if(result, is_honest_client);
    }
    return result;
}

std::vector<Plan::Resource> Plan::resources() const {
    std::vector<Resource> result;
    std::ranges::copy_if(all_resources_, std::back_inserter(result),
                         [this](const Resource& resource) { return !deleted_.contains(resource.number); });
    return result;
}

std::vector<ResourceNo> Plan::deleted_resources() const {
    return {deleted_.begin(), deleted_.end()};
}

std::vector<Plan::Policy> Plan::policies() const {
    std::vector<Policy> result;
    for (const auto& [pair, is_disabled] : policies_) {
        result.push_back({pair.first, pair.second, is_disabled});
    }
    return result;
}

std::vector<std::pair<GroupNo, ResourceNo>> Plan::missing_policies() const {
    std::vector<std::pair<GroupNo, ResourceNo>> result;
    for (const auto group : numbers<GroupNo>(groups_)) {
        for (const auto& resource : resources()) {
            if (const std::pair pair{group, resource.number}; !policies_.contains(pair)) {
                result.push_back(pair);
            }
        }
    }
    return result;
}

std::vector<std::pair<ClientNo, GroupNo>> Plan::memberships(bool present) const {
    std::vector<std::pair<ClientNo, GroupNo>> result;
    for (const auto& [number, client] : clients_) {
        for (const auto group : numbers<GroupNo>(groups_)) {
            if (client.groups.contains(group) == present) {
                result.emplace_back(number, group);
            }
        }
    }
    return result;
}

bool Plan::is_allowed(ClientNo client, ResourceNo resource) const {
    return std::ranges::any_of(clients_.at(client).groups, [&](GroupNo group) {
        const auto policy = policies_.find({group, resource});
        return policy != policies_.end() && !policy->second;
    });
}

bool Plan::is_served(const Resource& resource, GatewayNo gateway) const {
    return std::ranges::count(resource.sites, gateways_.at(gateway).site) > 0;
}

bool Plan::may_have_tunnel(ClientNo client, GatewayNo gateway) const {
    return visited_.contains({client, gateways_.at(gateway).site});
}

std::uint16_t Plan::unused_port(ClientNo client, Protocol protocol, std::uint16_t port) const {
    const auto used = used_ports_.find({client, protocol});
    while (port == 0 || (used != used_ports_.end() && used->second.contains(port))) {
        ++port;
    }
    return port;
}

bool Plan::is_running(const Process& process) const {
    return !stopped_.contains(process) && !asleep_.contains(process) &&
           std::ranges::none_of(revoked_, [&](const Device& device) { return as_process(device) == process; });
}

void Plan::visit(ClientNo client, const Destination& destination) {
    if (const auto* host = std::get_if<HostOf>(&destination)) {
        for (const auto site : all_resources_.at(host->resource.value - 1U).sites) {
            visited_.emplace(client, site);
        }
    }
}

void Plan::begin_fault(milliseconds duration) {
    faults_.insert(now_ + duration);
}

}  // namespace culvert::model
