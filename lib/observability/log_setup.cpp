#include "culvert/observability/log_setup.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <utility>

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "culvert/observability/log_format.h"
#include "culvert/observability/log_sink.h"

namespace culvert::log {
namespace {

constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxFiles = 8;

/// RFC 3339 in UTC with milliseconds.
std::string now_text() {
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::system_clock::to_time_t(now);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 40> text{};
    const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(milliseconds));
    return text.data();
}

/// Lines with the time of day, through spdlog.
class TextSink final : public Sink {
public:
    TextSink(Filter filter, Format format, std::shared_ptr<spdlog::logger> logger)
        : filter_{std::move(filter)}, format_{format}, logger_{std::move(logger)} {}

    [[nodiscard]] std::shared_ptr<const TextSink> with_filter(Filter filter) const {
        return std::make_shared<const TextSink>(std::move(filter), format_, logger_);
    }

    [[nodiscard]] Level most_verbose() const override { return filter_.most_verbose(); }
    [[nodiscard]] Level level_for(std::string_view target) const override { return filter_.level_for(target); }

    void write(Level level, std::string_view target, std::string_view message,
               const std::vector<TextField>& fields) const override {
        // The level was decided by our filter; spdlog only carries the text.
        logger_->log(spdlog::level::info, "{}",
                     format_ == Format::kJson ? format_json(level, target, message, fields, now_text())
                                              : now_text() + " " + format_human(level, target, message, fields));
    }

private:
    Filter filter_;
    Format format_;
    std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

void init(const Options& options) {
    std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    if (!options.directory.empty()) {
        try {
            sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                options.directory + "/" + options.file_name + ".log", kMaxFileBytes, kMaxFiles));
        } catch (const spdlog::spdlog_ex& error) {
            throw std::runtime_error{"cannot write logs to \"" + options.directory + "\": " + error.what()};
        }
    }
    auto logger = std::make_shared<spdlog::logger>("culvert", sinks.begin(), sinks.end());
    logger->set_level(spdlog::level::trace);
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::trace);
    install_sink(std::make_shared<const TextSink>(options.filter, options.format, std::move(logger)));
}

void set_filter(Filter filter) {
    if (const auto sink = std::dynamic_pointer_cast<const TextSink>(installed_sink())) {
        install_sink(sink->with_filter(std::move(filter)));
    }
}

}  // namespace culvert::log
