#include "apps/relay/metrics.h"

#include "culvert/observability/metrics_page.h"
#include "culvert/turn/server/responses.h"

namespace culvert::relay_server {
namespace {

/// "channel bind" -> "channelbind"
std::string message_type(stun::Method method) {
    std::string name{turn::method_name(method)};
    std::erase(name, ' ');
    return name;
}

}  // namespace

std::string render_metrics(const RelayLoop::Snapshot& snapshot, const PortalLink& portal) {
    observability::MetricsPage page;
    page.gauge("culvert_relay_allocations", "Allocations that exist now.", static_cast<double>(snapshot.allocations));
    page.gauge("culvert_relay_channels", "Channels that are bound now.", static_cast<double>(snapshot.channels));
    page.gauge("culvert_relay_portal_joined", "1 while the portal lists this relay.", portal.is_joined() ? 1 : 0);
    page.counter("culvert_relay_portal_hiccups_total", "Times the portal was lost or could not be reached.")
        .value(portal.hiccups());

    page.counter("culvert_relay_responses_total", "Responses to STUN and TURN requests.");
    for (const auto& [key, count] : snapshot.server.responses) {
        const auto& [method, code] = key;
        observability::MetricsPage::Labels labels{{"response_class", code == 0 ? "success" : "error"},
                                                  {"message_type", message_type(method)}};
        if (code != 0) {
            labels.push_back({"error_code", std::to_string(code)});
        }
        page.value(count, labels);
    }
    page.counter("culvert_relay_data_relayed_userspace_bytes_total", "Payload bytes relayed, both directions.")
        .value(snapshot.server.bytes_relayed);
    page.counter("culvert_relay_packets_total", "Datagrams relayed.")
        .value(snapshot.server.packets_to_peers, {{"direction", "to_peer"}})
        .value(snapshot.server.packets_to_clients, {{"direction", "to_client"}});
    page.counter("culvert_relay_dropped_packets_total", "Datagrams dropped.")
        .value(snapshot.server.dropped_malformed, {{"reason", "malformed"}})
        .value(snapshot.server.dropped_without_channel, {{"reason", "no_channel"}})
        .value(snapshot.server.rate_limited, {{"reason", "rate_limited"}})
        .value(snapshot.sent.failed, {{"reason", "send_failed"}})
        .value(snapshot.sent.blocked, {{"reason", "send_blocked"}});
    page.counter("culvert_relay_repeated_requests_total", "Authentic requests that came again and did nothing.")
        .value(snapshot.server.repeated_requests);
    page.counter("culvert_relay_send_calls_total", "System calls that sent relayed datagrams.")
        .value(snapshot.sent.calls);
    page.counter("culvert_relay_unusable_ports_total", "Allocation ports that could not be opened.")
        .value(snapshot.unusable_ports);
    return page.render();
}

}  // namespace culvert::relay_server
