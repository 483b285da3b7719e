// The state of client and gateway, and as text.

#include "culvert/base/snapshot.h"
#include "culvert/tunnel/client/client_tunnel.h"
#include "culvert/tunnel/gateway/gateway_tunnel.h"

namespace culvert::tunnel {
namespace {

std::string text_of(std::span<const portal_api::Filter> filters) {
    std::string text;
    for (const auto& filter : filters) {
        text += std::to_string(static_cast<int>(filter.protocol)) + ':' + std::to_string(filter.port_range_start) +
                '-' + std::to_string(filter.port_range_end) + ',';
    }
    return text;
}

}  // namespace

void TunConfigCell::describe(Snapshot& out) const {
    if (!current_) {
        return;
    }
    out.line("interface")
        .field("ipv4", current_->ipv4)
        .field("ipv6", current_->ipv6)
        .field("announced", current_ == announced_)
        .nested([&] {
            for (const auto& server : current_->dns_servers) {
                out.line("dns_server").field("address", server);
            }
            for (const auto* routes : {&current_->ipv4_routes, &current_->ipv6_routes}) {
                for (const auto& route : *routes) {
                    out.line("route").field("network", route);
                }
            }
        });
}

void DeviceCore::describe(Snapshot& out) const {
    out.field("events", events_.size())
        .field("drops", drops_.packets.size())
        .field("has_candidates", !candidates_.empty());
    due_.describe(out);
}

// --- Client ---

void ResourceSet::describe(Snapshot& out) const {
    for (const auto& [id, resource] : resources_) {
        out.line("resource").field("id", id).field("filters", text_of(filters_of(resource))).nested([&] {
            for (const auto& network : networks_of(resource)) {
                out.line("network").field("network", network);
                const auto* holders = cidrs_.find(network);
                out.field("is_ours", holders != nullptr && holders->front() == id);
            }
            for (const auto& site : sites_of(resource)) {
                out.line("site").field("id", site.id);
            }
        });
    }
}

void GatewayPeers::describe(Snapshot& out) const {
    for (const auto& [id, peer] : peers_) {
        out.line("gateway").field("id", id).field("ipv4", peer.ipv4).field("ipv6", peer.ipv6);
    }
    for (const auto& [resource, gateway] : assignments()) {
        out.line("assignment").field("resource", resource).field("gateway", gateway);
    }
}

void AccessRequests::describe(Snapshot& out) const {
    for (const auto& [resource, request] : requests_) {
        out.line("access_request")
            .field("resource", resource)
            .field("last_intent", request.last_intent)
            .field("packets", request.waiting.packets.size())
            .field("queries", request.waiting.queries.size());
    }
}

void ReauthoriseThrottle::describe(Snapshot& out) const {
    for (const auto& [resource, history] : histories_) {
        out.line("prohibited")
            .field("resource", resource)
            .field("last_error", history.last_error)
            .field("next_allowed", history.next_allowed)
            .field("interval_ns", history.interval.count());
    }
}

void GatewayPreferences::describe(Snapshot& out) const {
    for (const auto& gateway : gateways_) {
        out.line("recent_gateway").field("id", gateway);
    }
    for (const auto& [resource, gateway] : last_) {
        out.line("last_gateway").field("resource", resource).field("id", gateway);
    }
}

void DevicePools::describe(Snapshot& out) const {
    for (const auto& [id, pool] : pools_) {
        out.line("pool").field("id", id).nested([&] {
            for (const auto& [address, device] : pool.devices) {
                out.line("device").field("address", address).field("id", device);
            }
        });
    }
}

void ClientPeers::describe(Snapshot& out) const {
    for (const auto& [id, peer] : peers_) {
        out.line("peer")
            .field("id", id)
            .field("ipv4", peer.ipv4)
            .field("ipv6", peer.ipv6)
            .field("reused", peer.reused_at)
            .nested([&] {
                for (const auto& pool : peer.pools) {
                    out.line("granted_to_us").field("resource", pool);
                }
            });
    }
}

void DeviceRequests::describe(Snapshot& out) const {
    for (const auto& [device, request] : requests_) {
        out.line("device_request")
            .field("device", device)
            .field("resource", request.pool)
            .field("packets", request.packets.size());
    }
    for (const auto& [subject, at] : asked_) {
        out.line("device_asked").field("device", subject.first).field("resource", subject.second).field("at", at);
    }
}

void InboundAccess::describe(Snapshot& out) const {
    for (const auto& [client, known] : clients_) {
        for (const auto& [pool, terms] : known.pools) {
            out.line("let_in")
                .field("client", client)
                .field("resource", pool)
                .field("expires", terms.expires_at)
                .field("filters", text_of(terms.filters));
        }
    }
}

void ClientDevices::describe(Snapshot& out) const {
    out.line("devices")
        .field("own_flows", own_flows_.size())
        .field("their_flows", their_flows_.size())
        .field("to_host", to_host_.size());
    due_.describe(out);
    out.nested([&] {
        pools_.describe(out);
        peers_.describe(out);
        requests_.describe(out);
        reauthorise_throttle_.describe(out);
        inbound_.describe(out);
    });
}

void SiteStatuses::describe(Snapshot& out) const {
    for (const auto& [gateway, site] : sites_) {
        out.line("gateway_site").field("gateway", gateway).field("site", site);
    }
    for (const auto& [site, entry] : statuses_) {
        out.line("site_status").field("site", site).field("status", to_string(entry.status));
        out.field("until", entry.until);
    }
}

void NameSetups::describe(Snapshot& out) const {
    for (const auto& [key, setup] : setups_) {
        out.line("name")
            .field("gateway", key.gateway)
            .field("resource", key.resource)
            .field("domain", key.domain)
            .field("state", static_cast<int>(setup.state))
            .field("should_buffer", setup.should_buffer)
            .field("packets", setup.packets.size())
            .field("sent", setup.sent_at)
            .field("repeats_left", setup.repeats_left)
            .field("repeats", setup.repeats_at);
    }
}

std::string ClientTunnel::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("client")
        .field("resources_changed", resources_changed_)
        .field("records_changed", records_changed_)
        .field("dns_events", dns_events_.size())
        .field("wants_internet", resources_.wants_internet())
        .field("key_changed", key_changed_.has_value())
        .field("flows", flows_.size())
        .field("errors_to_host", errors_to_host_.size())
        .field("noticed", noticed_.size())
        .field("used_before_reset", used_before_reset_.size());
    core_.describe(out);
    due_.describe(out);
    out.nested([&] {
        core_.describe_interface(out);
        resources_.describe(out);
        peers_.describe(out);
        access_requests_.describe(out);
        reauthorise_throttle_.describe(out);
        preferences_.describe(out);
        statuses_.describe(out);
        devices_.describe(out);
        dns_.describe(out);
        names_.describe(out);
    });
    return out.text() + '\n' + core_.node_snapshot(now);
}

// --- Gateway ---

GrantStates ClientPolicy::grants() const {
    GrantStates grants;
    for (const auto& [id, grant] : resources_) {
        grants.emplace(id, grant.expires_at);
    }
    return grants;
}

void ClientPolicy::describe(Snapshot& out) const {
    for (const auto& [id, expires_at] : grants()) {
        out.line("grant").field("resource", id).field("expires", expires_at);
    }
}

void AdmittedClients::describe(Snapshot& out) const {
    for (const auto& [id, peer] : peers_) {
        out.line("client")
            .field("id", id)
            .field("ipv4", peer.ipv4)
            .field("ipv6", peer.ipv6)
            .field("owner", peer.owner)
            .field("reused", peer.reused_at)
            .field("leaves", peer.leaves_at)
            .nested([&] { peer.policy.describe(out); });
    }
}

void GatewayNames::describe(Snapshot& out) const {
    out.line("names").field("sessions", sessions_.size()).field("look_ups", requests_.size());
    out.nested([&] {
        for (const auto& [client, translations] : translations_) {
            out.line("names_of").field("client", client).field("names", translations.names());
            out.nested([&] {
                translations.for_each([&](const net::IpAddress& proxy, const nat::Translations::Target& target) {
                    out.line("translation")
                        .field("proxy", proxy)
                        .field("resource", target.resource)
                        .field("real", target.real);
                });
            });
        }
    });
}

GatewayState GatewayTunnel::state() const {
    return {clients_.grants(), core_.connections()};
}

std::string GatewayTunnel::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("gateway").field("addresses", clients_.addresses()).field("flows", flows_.size());
    core_.describe(out);
    due_.describe(out);
    out.nested([&] {
        core_.describe_interface(out);
        clients_.describe(out);
        names_.describe(out);
    });
    return out.text() + '\n' + core_.node_snapshot(now);
}

}  // namespace culvert::tunnel
