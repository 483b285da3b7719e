#include "culvert/observability/metrics_page.h"

#include <gtest/gtest.h>

namespace culvert::observability {
namespace {

TEST(MetricsPage, RendersGaugesAndLabelledCounters) {
    MetricsPage page;
    page.gauge("up", "Whether it is up.", 1);
    page.counter("bytes_total", "Bytes.").value(7, {{"direction", "in"}}).value(9, {{"direction", "out"}});
    const auto text = page.render();
    EXPECT_NE(text.find("# TYPE up gauge\nup 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("# HELP bytes_total Bytes.\n"), std::string::npos) << text;
    EXPECT_NE(text.find("bytes_total{direction=\"in\"} 7\n"), std::string::npos) << text;
    EXPECT_NE(text.find("bytes_total{direction=\"out\"} 9\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace culvert::observability
