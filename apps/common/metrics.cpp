#include "apps/common/metrics.h"

#include <utility>

#include "culvert/observability/metrics_page.h"
#include "culvert/session/device_metrics.h"

namespace culvert::command_line {

using http::Endpoint;
using http::Response;

std::expected<std::unique_ptr<Endpoint>, std::string> serve_metrics(const net::SocketAddress& address,
                                                                    std::vector<session::ShardMetrics> shards) {
    return Endpoint::start(address, {{"/metrics", {[shards = std::move(shards)](const http::Request&) {
                                          return Response{200, session::render_metrics(shards),
                                                          observability::MetricsPage::kContentType};
                                      }}}});
}

std::expected<std::unique_ptr<Endpoint>, std::string> serve_health(const net::SocketAddress& address) {
    return Endpoint::start(address, {{"/healthz", {[](const http::Request&) { return Response{200, "ok\n"}; }}}});
}

}  // namespace culvert::command_line
