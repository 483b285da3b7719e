#include "tests/model/observer/state_checks.h"

#include <algorithm>
#include <tuple>

#include "culvert/base/overloaded.h"
#include "tests/model/scenario/ids.h"

namespace culvert::model {
namespace {

/// What the portal has to end a session, or to hear that a token was deleted.
constexpr Duration kTokenEnds = std::chrono::seconds{2};

}  // namespace

void StateChecks::observe(const Observation& observation, Instant now) {
    std::visit([&](const auto& event) { handle(event, now); }, observation);
}

void StateChecks::handle(const ProcessChanged& event, Instant) {
    const auto device = as_device(event.process);
    if (!device || event.state != ProcessState::kStopped) {
        if (device) {
            gave_up_.erase(*device);
        }
        return;
    }
    interfaces_.erase(*device);
    if (const auto* client = std::get_if<ClientNo>(&*device)) {
        lists_.erase(*client);
    }
}

void StateChecks::handle(const DeviceFailed& event, Instant) {
    if (event.cause == portal_channel::FatalCause::kGaveUp) {
        gave_up_.insert(event.device);
    }
}

// --- STA-2 ---

void StateChecks::handle(const InterfaceConfigured& event, Instant now) {
    const auto found = interfaces_.find(event.device);
    verdict_.check("STA-2", found == interfaces_.end() || !(found->second == event.config), now,
                   [&] { return name(event.device) + " configured its interface without a change"; });
    interfaces_.insert_or_assign(event.device, event.config);
}

void StateChecks::handle(const ResourcesListed& event, Instant now) {
    const auto found = lists_.find(event.client);
    verdict_.check("STA-2", found == lists_.end() || found->second != event.resources, now,
                   [&] { return name(event.client) + " listed its resources without a change"; });
    lists_.insert_or_assign(event.client, event.resources);
}

// --- STA-1 ---

void StateChecks::handle(const SessionOpened& event, Instant now) {
    signed_in_.insert(event.device);
    check_session(event.device, now);
}

void StateChecks::handle(const SessionClosed& event, Instant) {
    signed_in_.erase(event.device);
}

void StateChecks::check_session(const Device& device, Instant now) {
    const auto standing = situation_.access().may_sign_in(device, now);
    verdict_.check("STA-1", standing.holds || now <= standing.since + kTokenEnds, now,
                   [&] { return name(device) + " is signed in although its token has ended"; });
}

void StateChecks::handle(const Settled&, Instant now) {
    for (const auto& device : signed_in_) {
        check_session(device, now);
    }
    for (const auto client : situation_.clients()) {
        if (!situation_.is_hostile(client)) {
            check_client(client, now);
        }
    }
    for (std::size_t i = 1; i <= situation_.setup().gateways.size(); ++i) {
        const GatewayNo gateway{static_cast<std::uint8_t>(i)};
        const auto interface = situation_.gateway_interface(gateway);
        if (interface && situation_.calm().is_running(gateway) && !situation_.is_hostile(gateway)) {
            check_interface(gateway, gateway_tun_config(*interface), now);
        }
    }
}

void StateChecks::check_client(ClientNo client, Instant now) {
    if (!situation_.calm().is_running(client)) {
        verdict_.check("STA-1", !situation_.access().may_sign_in(client, now).holds || gave_up_.contains(client), now,
                       [&] { return name(client) + " does not run although it may sign in"; });
        return;
    }
    check_interface(client, situation_.told(client).tun_config(), now);
    const auto list = lists_.find(client);
    check_list(client, list == lists_.end() ? List{} : list->second, now);
    if (situation_.access().may_sign_in(client, now).holds && !situation_.calm().was_unreachable(client, now)) {
        check_told(client, now);
    }
}

void StateChecks::check_interface(const Device& device, const std::optional<tunnel::TunConfig>& expected, Instant now) {
    const auto found = interfaces_.find(device);
    const bool is_right =
        expected ? found != interfaces_.end() && found->second == *expected : found == interfaces_.end();
    verdict_.check("STA-1", is_right, now, [&] { return name(device) + "'s interface is not what it has been told"; });
}

void StateChecks::check_list(ClientNo client, const List& shown, Instant now) {
    const auto& told = situation_.told(client).all();
    verdict_.check("STA-1", shown.size() == told.size(), now, [&] {
        return name(client) + " shows " + std::to_string(shown.size()) + " resources, has " +
               std::to_string(told.size());
    });
    for (const auto& view : shown) {
        const auto found = told.find(view.id);
        const bool is_right = found != told.end() && found->second.name == view.name &&
                              found->second.address.to_string() == view.address && found->second.sites == view.sites &&
                              found->second.address_description == view.address_description;
        verdict_.check("STA-1", is_right, now, [&] { return name(client) + " shows a wrong " + view.name; });
        check_status(client, view, now);
    }
    const auto order = [](const tunnel::ResourceView& view) { return std::tie(view.name, view.id); };
    verdict_.check("STA-1", std::ranges::is_sorted(shown, {}, order), now,
                   [&] { return name(client) + " shows its resources in the wrong order"; });
}

void StateChecks::check_status(ClientNo client, const tunnel::ResourceView& view, Instant now) {
    const auto& told = situation_.told(client);
    const auto is_connected = [&](const portal_api::Site& site) {
        return std::ranges::any_of(told.flows(), [&](const auto& entry) { return entry.second.site == site.id; });
    };
    const bool is_possible = [&] {
        switch (view.status) {
            case tunnel::ResourceStatus::kUnknown:
                return true;
            case tunnel::ResourceStatus::kOnline:
                return std::ranges::any_of(view.sites, is_connected);
            case tunnel::ResourceStatus::kOffline:
                return std::ranges::all_of(view.sites,
                                           [&](const auto& site) { return told.was_told_offline(site.id); });
        }
        return false;
    }();
    verdict_.check("STA-1", is_possible, now, [&] {
        return name(client) + " shows " + view.name + " as " + std::string{tunnel::to_string(view.status)};
    });
}

void StateChecks::check_told(ClientNo client, Instant now) {
    const auto& told = situation_.told(client).all();
    for (const auto& [id, resource] : situation_.access().resources()) {
        const auto found = told.find(id);
        if (!situation_.access().is_shown(client, id).holds) {
            verdict_.check("STA-1", found == told.end(), now,
                           [&] { return name(client) + " still has " + resource.name; });
            continue;
        }
        const bool is_right =
            found != told.end() && found->second.address == resource.address && found->second.name == resource.name &&
            found->second.filters == resource.filters && found->second.sites.size() == resource.sites.size() &&
            std::ranges::all_of(resource.sites, [&](SiteNo site) {
                return std::ranges::count(found->second.sites,
                                          portal_api::Site{site_id(site), situation_.access().site_name(site)}) == 1;
            });
        verdict_.check("STA-1", is_right, now,
                       [&] { return name(client) + " was not told of " + resource.name + " as it is"; });
    }
}

}  // namespace culvert::model
