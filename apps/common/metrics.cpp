#include "apps/common/metrics.h"

#include "culvert/observability/metrics_page.h"
#include "culvert/session/device_metrics.h"

namespace culvert::command_line {

using observability::HttpEndpoint;
using observability::HttpRequest;
using observability::HttpResponse;

std::expected<std::unique_ptr<HttpEndpoint>, std::string> serve_metrics(const net::SocketAddress& address,
                                                                        const io::ShardCounters& counters) {
    return HttpEndpoint::start(address, {{"/metrics", {[&counters](const HttpRequest&) {
                                              return HttpResponse{200, session::render_metrics(counters),
                                                                  observability::MetricsPage::kContentType};
                                          }}}});
}

std::expected<std::unique_ptr<HttpEndpoint>, std::string> serve_health(const net::SocketAddress& address) {
    return HttpEndpoint::start(address, {{"/healthz", {[](const HttpRequest&) { return HttpResponse{200, "ok\n"}; }}}});
}

}  // namespace culvert::command_line
