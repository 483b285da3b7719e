#pragma once

#include <memory>
#include <string>
#include <vector>

#include "culvert/http/endpoint.h"
#include "culvert/session/device_session.h"

namespace culvert::command_line {

/// Serves /metrics of a client's or gateway's data path at `address` for as long as it lives, which must not be
/// longer than the counters of its shards do. The error is for a person.
[[nodiscard]] std::expected<std::unique_ptr<http::Endpoint>, std::string> serve_metrics(
    const net::SocketAddress& address, std::vector<session::ShardMetrics> shards);

/// Answers /healthz with 200 for as long as it lives.
[[nodiscard]] std::expected<std::unique_ptr<http::Endpoint>, std::string> serve_health(
    const net::SocketAddress& address);

}  // namespace culvert::command_line
