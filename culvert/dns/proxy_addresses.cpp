#include "culvert/dns/proxy_addresses.h"

#include <algorithm>

#include "culvert/base/snapshot.h"
#include "culvert/observability/log.h"

namespace culvert::dns {

namespace {

constexpr log::Logger kLog{"dns"};

constexpr std::array kFamilies{net::Family::kIpv4, net::Family::kIpv6};

std::size_t index_of(net::Family family) {
    return static_cast<std::size_t>(family);
}

/// The group that these addresses are, all of them and in order.
std::optional<std::uint32_t> whole_group(std::span<const net::IpAddress> addresses) {
    if (addresses.size() != kGroupSize) {
        return std::nullopt;
    }
    const auto group = group_of(addresses[0]);
    const bool is_whole = group && std::ranges::equal(addresses_of_group(addresses[0].family(), *group), addresses);
    return is_whole ? group : std::nullopt;
}

}  // namespace

std::optional<ProxyGroup> ProxyAddresses::Assignment::addresses(net::Family family) const {
    const auto group = groups_[index_of(family)];
    return group == kNone ? std::nullopt : std::optional{addresses_of_group(family, group)};
}

std::vector<net::IpAddress> ProxyAddresses::Assignment::addresses() const {
    std::vector<net::IpAddress> all;
    for (const auto family : kFamilies) {
        if (const auto group = addresses(family)) {
            all.insert(all.end(), group->begin(), group->end());
        }
    }
    return all;
}

const ProxyAddresses::Assignment& ProxyAddresses::assign(const Name& domain, ResourceId resource, IpStack stack) {
    const auto known = by_name_.find(Key{domain, resource});
    if (known == by_name_.end() && !has_free(stack)) {
        // Not remembered: whoever makes a machine ask for names, like a page on the web, has no end of them.
        static const Assignment kNothing{Name{}, ResourceId{}};
        warn_once();
        return kNothing;
    }
    auto& assignment = known != by_name_.end() ? **known : add(domain, resource);
    for (const auto family : kFamilies) {
        if (has_family(stack, family) && assignment.groups_[index_of(family)] == Assignment::kNone) {
            give(assignment, family);
        }
    }
    return assignment;
}

const ProxyAddresses::Assignment* ProxyAddresses::find(const Name& domain, ResourceId resource) const {
    const auto found = by_name_.find(Key{domain, resource});
    return found == by_name_.end() ? nullptr : *found;
}

const ProxyAddresses::Assignment* ProxyAddresses::find(const net::IpAddress& address) const {
    const auto group = group_of(address);
    const auto& owners = families_[index_of(address.family())].owners;
    return group && *group < owners.size() ? owners[*group] : nullptr;
}

std::vector<ProxyRecord> ProxyAddresses::records() const {
    std::vector<ProxyRecord> records;
    records.reserve(assignments_.size());
    for (const auto& assignment : assignments_) {
        if (auto addresses = assignment.addresses(); !addresses.empty()) {
            records.push_back({assignment.domain(), assignment.resource(), std::move(addresses)});
        }
    }
    return records;
}

std::size_t ProxyAddresses::restore(std::span<const ProxyRecord> records) {
    return static_cast<std::size_t>(
        std::ranges::count_if(records, [&](const ProxyRecord& record) { return !restore(record); }));
}

void ProxyAddresses::describe(Snapshot& out) const {
    for (const auto* assignment : by_name_) {
        out.line("proxy").field("domain", assignment->domain()).field("rid", assignment->resource());
        for (const auto family : kFamilies) {
            const auto group = assignment->addresses(family);
            out.field(family == net::Family::kIpv4 ? "ipv4" : "ipv6",
                      group ? std::optional{group->front()} : std::nullopt);
        }
    }
}

ProxyAddresses::Assignment& ProxyAddresses::add(const Name& domain, ResourceId resource) {
    auto& assignment = assignments_.emplace_back(domain, resource);
    by_name_.insert(&assignment);
    return assignment;
}

void ProxyAddresses::give(Assignment& assignment, net::Family family) {
    const auto next = static_cast<std::uint32_t>(families_[index_of(family)].owners.size());
    if (next < group_count(family)) {
        own(assignment, family, next);
        has_changed_ = true;
    } else {
        warn_once();
    }
}

void ProxyAddresses::warn_once() {
    if (!std::exchange(has_warned_, true)) {
        kLog.warn(
            "No proxy addresses are left: names that were not asked for yet cannot be reached until the program "
            "is started again");
    }
}

bool ProxyAddresses::has_free(IpStack stack) const {
    return std::ranges::any_of(kFamilies, [&](net::Family family) {
        return has_family(stack, family) && families_[index_of(family)].owners.size() < group_count(family);
    });
}

bool ProxyAddresses::restore(const ProxyRecord& record) {
    const std::span all{record.addresses};
    const auto v4_count = static_cast<std::size_t>(
        std::ranges::find_if(all, [](const net::IpAddress& address) { return address.is_v6(); }) - all.begin());
    const std::array parts{all.first(v4_count), all.subspan(v4_count)};
    std::array<std::optional<std::uint32_t>, 2> groups;
    for (const auto family : kFamilies) {
        const auto part = parts[index_of(family)];
        auto& group = groups[index_of(family)];
        group = whole_group(part);
        if (group ? part[0].family() != family || !is_free(family, *group) : !part.empty()) {
            return false;
        }
    }
    if (all.empty() || find(record.domain, record.resource) != nullptr) {
        return false;
    }
    auto& assignment = add(record.domain, record.resource);
    for (const auto family : kFamilies) {
        if (const auto group = groups[index_of(family)]) {
            own(assignment, family, *group);
        }
    }
    return true;
}

bool ProxyAddresses::is_free(net::Family family, std::uint32_t group) const {
    const auto& owners = families_[index_of(family)].owners;
    return group >= owners.size() || owners[group] == nullptr;
}

void ProxyAddresses::own(Assignment& assignment, net::Family family, std::uint32_t group) {
    auto& owners = families_[index_of(family)].owners;
    if (group >= owners.size()) {
        owners.resize(group + std::size_t{1});
    }
    owners[group] = &assignment;
    assignment.groups_[index_of(family)] = group;
}

}  // namespace culvert::dns
