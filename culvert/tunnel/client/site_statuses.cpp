#include "culvert/tunnel/client/site_statuses.h"

#include <algorithm>

#include "culvert/base/deadlines.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {

void SiteStatuses::set_site(const GatewayId& gateway, const SiteId& site) {
    sites_.insert_or_assign(gateway, site);
}

bool SiteStatuses::set_online(const GatewayId& gateway) {
    const auto site = sites_.find(gateway);
    if (site == sites_.end()) {
        return false;
    }
    auto& entry = statuses_[site->second];
    const bool is_change = entry.status != ResourceStatus::kOnline;
    entry = {.status = ResourceStatus::kOnline, .until = {}};
    return is_change;
}

bool SiteStatuses::set_unknown(const GatewayId& gateway) {
    const auto site = sites_.find(gateway);
    return site != sites_.end() && statuses_.erase(site->second) != 0;
}

bool SiteStatuses::set_offline(std::span<const portal_api::Site> sites, Instant now) {
    bool is_change = false;
    for (const auto& site : sites) {
        auto& entry = statuses_[site.id];
        is_change = is_change || entry.status != ResourceStatus::kOffline;
        entry = {.status = ResourceStatus::kOffline, .until = now + kOfflineTime};
    }
    return is_change;
}

bool SiteStatuses::handle_timeout(Instant now) {
    return std::erase_if(statuses_,
                         [&](const auto& entry) { return entry.second.until && *entry.second.until <= now; }) != 0;
}

std::optional<Instant> SiteStatuses::poll_timeout() const {
    std::optional<Instant> next;
    for (const auto& [site, entry] : statuses_) {
        next = earliest(next, entry.until);
    }
    return next;
}

ResourceStatus SiteStatuses::of(std::span<const portal_api::Site> sites) const {
    const auto is = [&](ResourceStatus wanted) {
        return [this, wanted](const portal_api::Site& site) {
            const auto status = statuses_.find(site.id);
            return status != statuses_.end() && status->second.status == wanted;
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
