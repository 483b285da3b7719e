#include "culvert/nat/translations.h"

#include <algorithm>

#include "culvert/nat/constants.h"

namespace culvert::nat {
namespace {

/// Ascending and each once.
std::vector<net::IpAddress> sorted(std::span<const net::IpAddress> addresses) {
    std::vector<net::IpAddress> result{addresses.begin(), addresses.end()};
    std::ranges::sort(result);
    const auto repeated = std::ranges::unique(result);
    result.erase(repeated.begin(), repeated.end());
    return result;
}

std::vector<net::IpAddress> of_family(const std::vector<net::IpAddress>& addresses, net::Family family) {
    std::vector<net::IpAddress> result;
    std::ranges::copy_if(addresses, std::back_inserter(result),
                         [&](const auto& address) { return address.family() == family; });
    return result;
}

}  // namespace

Translations::Change Translations::assign(const ResourceId& resource, const std::string& domain,
                                          std::span<const net::IpAddress> proxies,
                                          std::span<const net::IpAddress> resolved) {
    const Name name{resource, domain};
    auto change = Change::kNone;
    std::map<net::IpAddress, Target> before;
    if (const auto known = by_name_.find(name); known != by_name_.end()) {
        for (const auto& proxy : known->second.proxies) {
            before.emplace(proxy, by_proxy_.at(proxy).target);
        }
        forget(known);
    }
    auto own = sorted(proxies);
    const bool is_of_another =
        std::ranges::any_of(own, [&](const net::IpAddress& proxy) { return by_proxy_.contains(proxy); });
    for (const auto& [proxy, target] : before) {
        own.push_back(proxy);
    }
    own = sorted(own);
    if (is_of_another || own.size() > kMaxProxies) {
        clear();
        own = sorted(proxies);
        change = Change::kStartedOver;
    }
    if (by_name_.size() >= kMaxNames) {
        for (std::size_t i = 0; i < kNamesThatGiveWay; ++i) {
            forget(by_name_.find(ages_.front()));
        }
        change = Change::kMadeRoom;
    }
    const auto assignment =
        by_name_.emplace(name, Assignment{.proxies = std::move(own), .age = ages_.insert(ages_.end(), name)}).first;
    const auto all = sorted(resolved);
    for (const auto family : {net::Family::kIpv4, net::Family::kIpv6}) {
        const auto reals = of_family(all, family);
        const auto of_name = of_family(assignment->second.proxies, family);
        for (std::size_t i = 0; i < of_name.size(); ++i) {
            const Target target{resource, reals.empty() ? std::nullopt : std::optional{reals[i % reals.size()]}};
            const auto old = before.find(of_name[i]);
            if (change == Change::kNone && old != before.end() && old->second != target) {
                change = Change::kElsewhere;
            }
            by_proxy_.emplace(of_name[i], Entry{target, assignment});
        }
    }
    return change;
}

const Translations::Target* Translations::find(const net::IpAddress& proxy) const {
    const auto found = by_proxy_.find(proxy);
    return found == by_proxy_.end() ? nullptr : &found->second.target;
}

const std::string* Translations::name_of(const net::IpAddress& proxy) const {
    const auto found = by_proxy_.find(proxy);
    return found == by_proxy_.end() ? nullptr : &found->second.name->first.second;
}

void Translations::forget_resource(const ResourceId& resource) {
    for (auto it = by_name_.lower_bound({resource, {}}); it != by_name_.end() && it->first.first == resource;) {
        forget(it++);
    }
}

void Translations::forget(Assignments::iterator assignment) {
    for (const auto& proxy : assignment->second.proxies) {
        by_proxy_.erase(proxy);
    }
    ages_.erase(assignment->second.age);
    by_name_.erase(assignment);
}

void Translations::clear() {
    by_proxy_.clear();
    by_name_.clear();
    ages_.clear();
}

}  // namespace culvert::nat
