#include "culvert/tunnel/gateway/flow_log.h"

#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

#include "culvert/base/overloaded.h"
#include "culvert/base/rfc3339.h"
#include "culvert/observability/log_line.h"
#include "culvert/packet/constants.h"
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

constexpr bool has(std::uint8_t flags, std::uint8_t flag) {
    return (flags & flag) != 0;
}

}  // namespace

FlowLog::FlowLog(Instant now, WallTime wall_now, std::size_t limit)
    : limit_{limit}, anchor_{now}, wall_anchor_{wall_now} {}

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

bool FlowLog::may_start(const packet::IpPacket& packet) {
    return packet.is_udp() || (packet.is_tcp() && !has(packet.tcp_flags(), packet::kTcpRst | packet::kTcpFin));
}

FlowLog::Handle FlowLog::start(Start start, const packet::IpPacket& packet, Instant now) {
    const auto party = parties_.find(start.client);
    if (party == parties_.end()) {
        return 0;
    }
    const auto resource = party->second.resources.find(start.resource);
    if (resource == party->second.resources.end()) {
        return 0;
    }
    if (size_ >= limit_) {
        finish(flows_[oldest_], now);
    }
    if (free_.empty()) {
        free_.push_back(static_cast<Index>(flows_.size()));
        flows_.emplace_back();
    }
    const auto index = free_.back();
    free_.pop_back();
    auto& flow = flows_[index];
    const auto generation = flow.generation + 1;
    flow = {};
    flow.what = std::move(start);
    flow.client = party->second.client;
    flow.resource = resource->second;
    flow.is_tcp = packet.is_tcp();
    flow.started_at = flow.last_packet = now;
    flow.generation = generation;
    flow.sent_packets = 1;
    flow.sent_bytes = packet.payload().size();
    put_first(index, now);
    ++size_;
    return (Handle{generation} << 32U) | index;
}

FlowLog::Flow* FlowLog::find(Handle handle) {
    const auto index = static_cast<Index>(handle);
    if (handle == 0 || index >= flows_.size() || flows_[index].generation != handle >> 32U) {
        return nullptr;
    }
    return &flows_[index];
}

bool FlowLog::note_sent(Handle handle, const Outer& outer, const packet::IpPacket& packet, Instant now) {
    auto* flow = find(handle);
    if (flow == nullptr) {
        return false;
    }
    if (flow->is_tcp) {
        const auto is_opening = has(packet.tcp_flags(), packet::kTcpSyn);
        if (is_opening && flow->is_open) {  // not one that is sent again
            finish(*flow, now);
            return false;
        }
        flow->is_open |= !is_opening;
    }
    if (flow->what.outer != outer) {
        finish(*flow, now);
        return false;
    }
    ++flow->sent_packets;
    flow->sent_bytes += packet.payload().size();
    note(*flow, now);
    note_end(*flow, packet, flow->client_fin, now);
    return true;
}

void FlowLog::note_received(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now) {
    auto* flow = find(handle);
    if (flow == nullptr) {
        return;
    }
    flow->received_packets += packets;
    flow->received_bytes += packet.payload().size();
    note(*flow, now);
    note_end(*flow, packet, flow->remote_fin, now);
}

void FlowLog::note(Flow& flow, Instant now) {
    flow.last_packet = now;
    if (now - flow.listed_at >= kFlowTimeResolution) {
        const auto index = index_of(flow);
        take_out(index);
        put_first(index, now);
    }
}

void FlowLog::note_end(Flow& flow, const packet::IpPacket& packet, bool& fin, Instant now) {
    if (!flow.is_tcp) {
        return;
    }
    if (has(packet.tcp_flags(), packet::kTcpRst)) {
        finish(flow, now);
    } else if (has(packet.tcp_flags(), packet::kTcpFin) && !std::exchange(fin, true) && flow.client_fin &&
               flow.remote_fin) {
        closed_.push_back((Handle{flow.generation} << 32U) | index_of(flow));
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
    for (const auto handle : std::exchange(closed_, {})) {
        if (auto* flow = find(handle)) {
            finish(*flow, flow->last_packet);
        }
    }
    while (oldest_ != kNone && now - flows_[oldest_].listed_at > kLoggedFlowIdleTime + kFlowTimeResolution) {
        finish(flows_[oldest_], now);
    }
}

void FlowLog::finish_all(Instant now) {
    while (oldest_ != kNone) {
        finish(flows_[oldest_], now);
    }
}

void FlowLog::finish(Flow& flow, Instant end) {
    write(flow, end);
    const auto index = index_of(flow);
    take_out(index);
    const auto generation = flow.generation + 1;
    flow = {};
    flow.generation = generation;
    free_.push_back(index);
    --size_;
}

void FlowLog::write(const Flow& flow, Instant end) const {
    const auto& logger = flow.is_tcp ? kTcpLog : kUdpLog;
    if (!logger.is_enabled(log::Level::kTrace)) {
        return;
    }
    Fields fields;
    fields.reserve(flow.client->size() + flow.resource->size() + 18);
    fields.insert(fields.end(), flow.client->begin(), flow.client->end());
    fields.insert(fields.end(), flow.resource->begin(), flow.resource->end());
    const auto& what = flow.what;
    if (flow.resource->back().key != "resource_address") {
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

// --- In the order in which they were used ---

void FlowLog::put_first(Index index, Instant now) {
    auto& flow = flows_[index];
    flow.listed_at = now;
    flow.newer = kNone;
    flow.older = std::exchange(newest_, index);
    (flow.older == kNone ? oldest_ : flows_[flow.older].newer) = index;
}

void FlowLog::take_out(Index index) {
    const auto& flow = flows_[index];
    (flow.newer == kNone ? newest_ : flows_[flow.newer].older) = flow.older;
    (flow.older == kNone ? oldest_ : flows_[flow.older].newer) = flow.newer;
}

}  // namespace culvert::tunnel
