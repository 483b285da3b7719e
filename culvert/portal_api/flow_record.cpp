#include "culvert/portal_api/flow_record.h"

#include <limits>
#include <utility>

#include <boost/json/serialize.hpp>

#include "culvert/portal_api/json_reader.h"

namespace culvert::portal_api {
namespace {

/// Of a DNS name, with the dots.
constexpr std::size_t kMaxFlowDomain = 255;

json::value plain(std::string_view text) {
    return json::value(json::string_view{text.data(), text.size()});
}

json::object write_outer(const FlowOuter& outer) {
    json::object object;
    if (outer.source) {
        object.emplace("src_ip", plain(outer.source->ip.to_string()));
        object.emplace("src_port", outer.source->port);
    }
    object.emplace("dst_ip", plain(outer.destination.ip.to_string()));
    object.emplace("dst_port", outer.destination.port);
    object.emplace("path_activated_at", plain(to_rfc3339(outer.activated_at)));
    return object;
}

/// Members of a record, or of one of its paths.
class RecordReader {
public:
    RecordReader(const json::value& value, Place place, Problem& problem)
        : object_{value, place, problem}, problem_{problem} {}

    [[nodiscard]] const ObjectReader& object() const { return object_; }
    [[nodiscard]] bool has(std::string_view key) const {
        const auto* value = object_.find(key);
        return value != nullptr && !value->is_null();
    }

    [[nodiscard]] net::SocketAddress socket(std::string_view ip_key, std::string_view port_key) const {
        const auto ip = net::IpAddress::parse(object_.string(ip_key));
        if (!ip) {
            report(ip_key, "expected an IP address");
        }
        const auto port = number(port_key);
        if (port > std::numeric_limits<std::uint16_t>::max()) {
            report(port_key, "expected a port");
        }
        return {ip.value_or(net::IpAddress{}), static_cast<std::uint16_t>(port)};
    }

    [[nodiscard]] WallMicroseconds time(std::string_view key) const {
        const auto parsed = parse_rfc3339(object_.string(key));
        if (!parsed) {
            report(key, "expected a time of RFC 3339");
        }
        return parsed.value_or(WallMicroseconds{});
    }

    /// As far as databases count.
    [[nodiscard]] std::uint64_t number(std::string_view key) const {
        const auto* value = object_.find(key);
        const auto* counted = value != nullptr ? value->if_int64() : nullptr;
        if (counted == nullptr || *counted < 0) {
            report(key, "expected a number that is not negative");
            return 0;
        }
        return static_cast<std::uint64_t>(*counted);
    }

    void report(std::string_view key, std::string_view what) const { problem_.report({&object_.place(), key}, what); }

private:
    ObjectReader object_;
    Problem& problem_;
};

FlowOuter read_outer(const json::value& value, const Place& place, Problem& problem) {
    const RecordReader reader{value, place, problem};
    FlowOuter outer{.source = {},
                    .destination = reader.socket("dst_ip", "dst_port"),
                    .activated_at = reader.time("path_activated_at")};
    if (reader.has("src_ip") || reader.has("src_port")) {
        outer.source = reader.socket("src_ip", "src_port");
    }
    return outer;
}

FlowEnd read_end(const RecordReader& reader) {
    return {.ended_at = reader.time("flow_end"),
            .last_packet = reader.time("last_packet"),
            .rx_packets = reader.number("rx_packets"),
            .tx_packets = reader.number("tx_packets"),
            .rx_bytes = reader.number("rx_bytes"),
            .tx_bytes = reader.number("tx_bytes")};
}

}  // namespace

std::string_view to_string(FlowProtocol protocol) {
    return protocol == FlowProtocol::kTcp ? "tcp" : "udp";
}

std::string encode_flow_record(const FlowRecord& record) {
    json::object object{{"protocol", plain(to_string(record.protocol))},
                        {"inner_src_ip", plain(record.inner_source.ip.to_string())},
                        {"inner_src_port", record.inner_source.port},
                        {"inner_dst_ip", plain(record.inner_destination.ip.to_string())},
                        {"inner_dst_port", record.inner_destination.port}};
    if (record.domain) {
        object.emplace("domain", plain(*record.domain));
    }
    json::array outers;
    for (const auto& outer : record.outers) {
        outers.emplace_back(write_outer(outer));
    }
    object.emplace("outers", std::move(outers));
    object.emplace("flow_start", plain(to_rfc3339(record.started_at)));
    if (const auto& end = record.end) {
        object.emplace("flow_end", plain(to_rfc3339(end->ended_at)));
        object.emplace("last_packet", plain(to_rfc3339(end->last_packet)));
        object.emplace("rx_packets", end->rx_packets);
        object.emplace("tx_packets", end->tx_packets);
        object.emplace("rx_bytes", end->rx_bytes);
        object.emplace("tx_bytes", end->tx_bytes);
    }
    return json::serialize(object);
}

std::expected<FlowRecord, std::string> decode_flow_record(const json::value& value) {
    Problem problem;
    const RecordReader reader{value, {nullptr, ""}, problem};
    const auto protocol = reader.object().string("protocol");
    if (protocol != "tcp" && protocol != "udp") {
        reader.report("protocol", "expected tcp or udp");
    }
    FlowRecord record{.protocol = protocol == "udp" ? FlowProtocol::kUdp : FlowProtocol::kTcp,
                      .inner_source = reader.socket("inner_src_ip", "inner_src_port"),
                      .inner_destination = reader.socket("inner_dst_ip", "inner_dst_port"),
                      .domain = reader.object().optional_string("domain"),
                      .outers = {},
                      .started_at = reader.time("flow_start"),
                      .end = {}};
    if (record.domain && record.domain->size() > kMaxFlowDomain) {
        reader.report("domain", "too long");
    }
    reader.object().each_if_present("outers", [&](const json::value& item, const Place& place) {
        if (record.outers.size() == kMaxFlowOuters) {
            problem.report(place, "too many");
            return;
        }
        record.outers.push_back(read_outer(item, place, problem));
    });
    if (reader.has("flow_end") || reader.has("last_packet")) {
        record.end = read_end(reader);
        if (record.outers.empty()) {
            reader.report("outers", "a flow that has ended had a path");
        }
    }
    if (!problem.is_none()) {
        return std::unexpected{problem.text()};
    }
    return record;
}

std::string encode_flow_batch(const std::vector<std::string>& records) {
    std::string text = R"({"flow_logs":[)";
    for (std::size_t i = 0; i < records.size(); ++i) {
        text += (i > 0 ? "," : "") + records[i];
    }
    return text + "]}";
}

}  // namespace culvert::portal_api
