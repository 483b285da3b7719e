#include "culvert/tunnel/gateway/flow_log.h"

#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/base/rfc3339.h"
#include "culvert/observability/log_line.h"
#include "culvert/tunnel/constants.h"

namespace culvert::tunnel {
namespace {

constexpr std::string_view kTcpTarget = "flow_logs::tcp";
constexpr std::string_view kUdpTarget = "flow_logs::udp";
constexpr log::Logger kTcpLog{kTcpTarget};
constexpr log::Logger kUdpLog{kUdpTarget};

void add(std::vector<log::TextField>& fields, std::string_view key, const std::optional<std::string>& value) {
    if (value) {
        fields.push_back({key, *value});
    }
}

void add_number(std::vector<log::TextField>& fields, std::string_view key, std::uint64_t value) {
    fields.push_back({key, std::to_string(value), true});
}

std::vector<log::TextField> fields_of(const portal_api::FlowClient& client, const portal_api::Subject& subject) {
    std::vector<log::TextField> fields{{"client_id", client.id.to_string()}};
    add(fields, "client_version", client.version);
    add(fields, "device_os_name", client.device_os_name);
    add(fields, "device_os_version", client.device_os_version);
    add(fields, "device_serial", client.device_serial);
    add(fields, "device_uuid", client.device_uuid);
    add(fields, "device_identifier_for_vendor", client.identifier_for_vendor);
    add(fields, "device_firebase_installation_id", client.firebase_installation_id);
    add(fields, "identity_id", subject.identity_id);
    add(fields, "identity_name", subject.identity_name);
    add(fields, "actor_id", subject.actor_id);
    add(fields, "actor_email", subject.actor_email);
    return fields;
}

/// Without address for the Internet Resource, whose address depends on the flow.
std::vector<log::TextField> fields_of(const portal_api::GatewayResource& resource) {
    using Fields = std::vector<log::TextField>;
    return std::visit(overloaded{
                          [](const portal_api::GatewayDnsResource& dns) -> Fields {
                              return {{"resource_id", dns.id.to_string()},
                                      {"resource_name", dns.name},
                                      {"resource_address", dns.address}};
                          },
                          [](const portal_api::GatewayCidrResource& cidr) -> Fields {
                              return {{"resource_id", cidr.id.to_string()},
                                      {"resource_name", cidr.name},
                                      {"resource_address", cidr.address.to_string()}};
                          },
                          [](const portal_api::GatewayInternetResource& internet) -> Fields {
                              return {{"resource_id", internet.id.to_string()}, {"resource_name", "Internet Resource"}};
                          },
                      },
                      resource);
}

}  // namespace

FlowLog::FlowLog(Instant now, WallTime wall_now, std::size_t limit)
    : anchor_{now}, wall_anchor_{wall_now}, flows_{limit} {}

void FlowLog::refresh() {
    is_on_ = kTcpLog.is_enabled(log::Level::kTrace) || kUdpLog.is_enabled(log::Level::kTrace);
}

void FlowLog::note_authorization(const portal_api::AuthorizeFlow& message) {
    refresh();
    auto& party = parties_[message.client.id];
    party.client = std::make_shared<const Fields>(fields_of(message.client, message.subject));
    const auto& id = std::visit([](const auto& any) -> const ResourceId& { return any.id; }, message.resource);
    party.resources.insert_or_assign(id, std::make_shared<const Fields>(fields_of(message.resource)));
}

// --- Packets ---

FlowLog::Handle FlowLog::start(Start start, const packet::IpPacket& packet, Instant now) {
    const auto party = parties_.find(start.client);
    if (party == parties_.end()) {
        return 0;
    }
    const auto resource = party->second.resources.find(start.resource);
    if (resource == party->second.resources.end()) {
        return 0;
    }
    if (flows_.is_full()) {
        finish(*flows_.least_recently_used(), now);
    }
    Logged logged{.start = std::move(start), .client = party->second.client, .resource = resource->second};
    return flows_.handle_of(flows_.begin(std::move(logged), packet, 1, now));
}

bool FlowLog::note_sent(Handle handle, const Outer& outer, const packet::IpPacket& packet, Instant now) {
    auto* flow = flows_.find(handle);
    if (flow == nullptr) {
        return false;
    }
    if (flow->is_followed_by(packet) || flow->what.start.outer != outer) {
        finish(*flow, now);
        return false;
    }
    if (flows_.note_sent(*flow, packet, 1, now)) {
        finish(*flow, now);
    }
    return true;
}

void FlowLog::note_received(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    auto* flow = flows_.find(handle);
    if (flow != nullptr && flows_.note_received(*flow, packet, packets, now)) {
        finish(*flow, now);
    }
}

// --- The end ---

void FlowLog::sweep(Instant now, UnixSeconds wall_now) {
    refresh();
    const auto expected = wall_anchor_ + (now - anchor_);
    if (expected > wall_now + kLoggedClockTolerance || expected + kLoggedClockTolerance < wall_now) {
        anchor_ = now;
        wall_anchor_ = wall_now;
    }
    for (const auto handle : flows_.take_closed()) {
        if (auto* flow = flows_.find(handle)) {
            finish(*flow, flow->last_packet);
        }
    }
    while (auto* flow = flows_.silent(now)) {
        finish(*flow, now);
    }
}

void FlowLog::finish_all(Instant now) {
    while (auto* flow = flows_.least_recently_used()) {
        finish(*flow, now);
    }
}

void FlowLog::finish(Flow& flow, Instant end) {
    write(flow, end);
    flows_.erase(flow);
}

void FlowLog::write(const Flow& flow, Instant end) const {
    const auto& logger = flow.is_tcp ? kTcpLog : kUdpLog;
    if (!logger.is_enabled(log::Level::kTrace)) {
        return;
    }
    const auto& [what, client, resource] = flow.what;
    Fields fields;
    fields.reserve(client->size() + resource->size() + 18);
    fields.insert(fields.end(), client->begin(), client->end());
    fields.insert(fields.end(), resource->begin(), resource->end());
    if (resource->back().key != "resource_address") {
        fields.push_back({"resource_address", what.source.ip.is_v4() ? "0.0.0.0/0" : "::/0"});
    }
    fields.push_back({"start", text_of(flow.started_at)});
    fields.push_back({"end", text_of(end)});
    fields.push_back({"last_packet", text_of(flow.last_packet)});
    fields.push_back({"inner_src_ip", what.source.ip.to_string()});
    fields.push_back({"inner_dst_ip", what.destination.ip.to_string()});
    add_number(fields, "inner_src_port", what.source.port);
    add_number(fields, "inner_dst_port", what.destination.port);
    if (!what.domain.empty()) {
        fields.push_back({"inner_domain", what.domain});
    }
    fields.push_back({"outer_src_ip", what.outer.remote.ip.to_string()});
    fields.push_back({"outer_dst_ip", what.outer.local.ip.to_string()});
    add_number(fields, "outer_src_port", what.outer.remote.port);
    add_number(fields, "outer_dst_port", what.outer.local.port);
    add_number(fields, "rx_packets", flow.received_packets);
    add_number(fields, "tx_packets", flow.sent_packets);
    add_number(fields, "rx_bytes", flow.received_bytes);
    add_number(fields, "tx_bytes", flow.sent_bytes);
    log::write_line(log::Level::kTrace, flow.is_tcp ? kTcpTarget : kUdpTarget,
                    flow.is_tcp ? "TCP flow completed" : "UDP flow completed", fields);
}

std::string FlowLog::text_of(Instant when) const {
    return to_rfc3339(std::chrono::floor<std::chrono::milliseconds>(wall_anchor_ + (when - anchor_)));
}

}  // namespace culvert::tunnel
