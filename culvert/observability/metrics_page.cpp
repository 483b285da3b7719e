#include "culvert/observability/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace culvert::observability {

struct MetricsPage::Families {
    std::vector<prometheus::MetricFamily> list;

    void start(const char* name, const char* help, prometheus::MetricType type) {
        auto& family = list.emplace_back();
        family.name = name;
        family.help = help;
        family.type = type;
    }
};

MetricsPage::MetricsPage() : families_{std::make_unique<Families>()} {}
MetricsPage::~MetricsPage() = default;

MetricsPage& MetricsPage::gauge(const char* name, const char* help, double value) {
    families_->start(name, help, prometheus::MetricType::Gauge);
    families_->list.back().metric.emplace_back().gauge.value = value;
    return *this;
}

MetricsPage& MetricsPage::gauge(const char* name, const char* help) {
    families_->start(name, help, prometheus::MetricType::Gauge);
    return *this;
}

MetricsPage& MetricsPage::counter(const char* name, const char* help) {
    families_->start(name, help, prometheus::MetricType::Counter);
    return *this;
}

MetricsPage& MetricsPage::value(std::uint64_t value, const Labels& labels) {
    auto& metric = families_->list.back().metric.emplace_back();
    for (const auto& [name, text] : labels) {
        metric.label.push_back({name, text});
    }
    const bool is_gauge = families_->list.back().type == prometheus::MetricType::Gauge;
    (is_gauge ? metric.gauge.value : metric.counter.value) = static_cast<double>(value);
    return *this;
}

std::string MetricsPage::render() const {
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, families_->list);
    return out.str();
}

}  // namespace culvert::observability
