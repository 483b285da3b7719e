#include "apps/portal/metrics.h"

#include "culvert/observability/metrics_page.h"

namespace culvert::portal_server {

std::string render_metrics(const portal::Statistics& statistics, std::size_t expiring_tokens) {
    observability::MetricsPage page;
    page.gauge("culvert_portal_clients_online", "Clients that have joined.",
               static_cast<double>(statistics.clients_online));
    page.gauge("culvert_portal_gateways_online", "Gateways that have joined.",
               static_cast<double>(statistics.gateways_online));
    page.gauge("culvert_portal_relays_online", "Relays that have joined.",
               static_cast<double>(statistics.relays_online));
    page.gauge("culvert_portal_tokens_expiring", "Tokens in use that expire within two weeks.",
               static_cast<double>(expiring_tokens));
    page.counter("culvert_portal_connects_refused_total", "Upgrades answered with an error.")
        .value(statistics.connects_refused);
    page.counter("culvert_portal_frames_received_total", "Frames from devices.").value(statistics.frames_received);
    page.counter("culvert_portal_frames_sent_total", "Frames to devices.").value(statistics.frames_sent);
    page.counter("culvert_portal_flows_authorized_total", "Requests for access passed on to a gateway.")
        .value(statistics.flows_authorized);
    page.counter("culvert_portal_flows_failed_total", "Requests for access that were refused.")
        .value(statistics.flows_failed);
    page.counter("culvert_portal_flows_throttled_total", "Requests for access dropped, too many of one client.")
        .value(statistics.flows_throttled);
    page.counter("culvert_portal_access_rejected_total", "Accesses taken back.").value(statistics.access_rejected);
    page.counter("culvert_portal_storage_errors_total", "Failures of the database.").value(statistics.storage_errors);
    return page.render();
}

}  // namespace culvert::portal_server
