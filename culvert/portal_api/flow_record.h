#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "culvert/base/rfc3339.h"
#include "culvert/net/socket_address.h"

/// What devices report of one flow, and how a batch of reports travels. Source: spec/newer-dialect.md sections 11.1 and
/// 11.2.
namespace culvert::portal_api {

enum class FlowProtocol : std::uint8_t { kTcp, kUdp };
[[nodiscard]] std::string_view to_string(FlowProtocol protocol);

/// A path outside the tunnel, as the device that reports sends on it.
struct FlowOuter {
    /// Unset if it sends through a relay of its own.
    std::optional<net::SocketAddress> source;
    net::SocketAddress destination;
    WallMicroseconds activated_at;

    friend bool operator==(const FlowOuter&, const FlowOuter&) = default;
};

/// What is known once the flow is over. `tx` is from initiator to responder.
struct FlowEnd {
    WallMicroseconds ended_at;
    WallMicroseconds last_packet;
    std::uint64_t rx_packets = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;

    friend bool operator==(const FlowEnd&, const FlowEnd&) = default;
};

/// A flow between an initiator's `inner_source` and a responder's `inner_destination`, within one authorization.
struct FlowRecord {
    FlowProtocol protocol = FlowProtocol::kTcp;
    net::SocketAddress inner_source;
    net::SocketAddress inner_destination;
    std::optional<std::string> domain;
    /// In order; none yet only while the flow is open.
    std::vector<FlowOuter> outers;
    WallMicroseconds started_at;
    /// Unset: it goes on.
    std::optional<FlowEnd> end;

    friend bool operator==(const FlowRecord&, const FlowRecord&) = default;
};

/// Paths of one record.
inline constexpr std::size_t kMaxFlowOuters = 16;
/// Of one request. The bytes are those of its body.
inline constexpr std::size_t kMaxFlowRecords = 10'000;
inline constexpr std::size_t kMaxFlowBody = 10'000'000;
/// Where a batch is posted to.
inline constexpr std::string_view kFlowLogsPath = "/ingestion/flow_logs";

[[nodiscard]] std::string encode_flow_record(const FlowRecord& record);
/// The error says what is wrong and never contains values of the record.
[[nodiscard]] std::expected<FlowRecord, std::string> decode_flow_record(const boost::json::value& value);

/// `{"flow_logs":[…]}` of records that were encoded before.
[[nodiscard]] std::string encode_flow_batch(const std::vector<std::string>& records);

}  // namespace culvert::portal_api
