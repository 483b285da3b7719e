#include "apps/portal/metrics.h"

#include <string_view>

namespace culvert::portal_server {
namespace {

void add(std::string& out, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
    out.append(name).append(" ").append(std::to_string(value)).append("\n");
}

}  // namespace

std::string render_metrics(const portal::Statistics& statistics, std::size_t expiring_tokens) {
    std::string out;
    add(out, "culvert_portal_clients_online", "gauge", "Clients that have joined.", statistics.clients_online);
    add(out, "culvert_portal_gateways_online", "gauge", "Gateways that have joined.", statistics.gateways_online);
    add(out, "culvert_portal_relays_online", "gauge", "Relays that have joined.", statistics.relays_online);
    add(out, "culvert_portal_tokens_expiring", "gauge", "Tokens in use that expire within two weeks.", expiring_tokens);
    add(out, "culvert_portal_connects_refused_total", "counter", "Upgrades answered with an error.",
        statistics.connects_refused);
    add(out, "culvert_portal_frames_received_total", "counter", "Frames from devices.", statistics.frames_received);
    add(out, "culvert_portal_frames_sent_total", "counter", "Frames to devices.", statistics.frames_sent);
    add(out, "culvert_portal_flows_authorized_total", "counter", "Requests for access passed on to a gateway.",
        statistics.flows_authorized);
    add(out, "culvert_portal_flows_failed_total", "counter", "Requests for access that were refused.",
        statistics.flows_failed);
    add(out, "culvert_portal_flows_throttled_total", "counter", "Requests for access dropped, too many of one client.",
        statistics.flows_throttled);
    add(out, "culvert_portal_access_rejected_total", "counter", "Accesses taken back.", statistics.access_rejected);
    add(out, "culvert_portal_storage_errors_total", "counter", "Failures of the database.", statistics.storage_errors);
    return out;
}

}  // namespace culvert::portal_server
