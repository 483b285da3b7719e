#include "culvert/tunnel/client/site_statuses.h"

#include <algorithm>

namespace culvert::tunnel {

void SiteStatuses::set_site(const GatewayId& gateway, const SiteId& site) {
    sites_.insert_or_assign(gateway, site);
}

bool SiteStatuses::set_online(const GatewayId& gateway) {
    const auto site = sites_.find(gateway);
    if (site == sites_.end()) {
        return false;
    }
    auto& status = statuses_[site->second];
    const bool is_change = status != ResourceStatus::kOnline;
    status = ResourceStatus::kOnline;
    return is_change;
}

bool SiteStatuses::set_unknown(const GatewayId& gateway) {
    const auto site = sites_.find(gateway);
    return site != sites_.end() && statuses_.erase(site->second) != 0;
}

bool SiteStatuses::set_offline(std::span<const portal_api::Site> sites) {
    bool is_change = false;
    for (const auto& site : sites) {
        auto& status = statuses_[site.id];
        is_change = is_change || status != ResourceStatus::kOffline;
        status = ResourceStatus::kOffline;
    }
    return is_change;
}

ResourceStatus SiteStatuses::of(std::span<const portal_api::Site> sites) const {
    const auto is = [&](ResourceStatus wanted) {
        return [this, wanted](const portal_api::Site& site) {
            const auto status = statuses_.find(site.id);
            return status != statuses_.end() && status->second == wanted;
        };
    };
    if (std::ranges::any_of(sites, is(ResourceStatus::kOnline))) {
        return ResourceStatus::kOnline;
    }
    // true for an empty list as well: nobody serves such a resource
    return std::ranges::all_of(sites, is(ResourceStatus::kOffline)) ? ResourceStatus::kOffline
                                                                    : ResourceStatus::kUnknown;
}

}  // namespace culvert::tunnel
