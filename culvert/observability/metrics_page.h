#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace culvert::observability {

/// Builds one answer to a scrape in Prometheus' text format from values that exist anyway.
class MetricsPage {
public:
    /// What the text format is called in HTTP.
    static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

    using Labels = std::vector<std::pair<std::string, std::string>>;

    MetricsPage();
    ~MetricsPage();
    MetricsPage(const MetricsPage&) = delete;
    MetricsPage& operator=(const MetricsPage&) = delete;

    MetricsPage& gauge(const char* name, const char* help, double value);

    /// Starts a gauge or a counter; value() adds its values.
    MetricsPage& gauge(const char* name, const char* help);
    MetricsPage& counter(const char* name, const char* help);
    MetricsPage& value(std::uint64_t value, const Labels& labels = {});

    [[nodiscard]] std::string render() const;

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace culvert::observability
