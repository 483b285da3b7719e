#include "culvert/observability/log_setup.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace culvert::log {
namespace detail {

constinit std::atomic<Level> most_verbose = Level::kOff;

}  // namespace detail

namespace {

constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxFiles = 8;

/// Immutable once published, so that loggers read it without a lock.
struct Output {
    Filter filter;
    Format format = Format::kHuman;
    std::shared_ptr<spdlog::logger> logger;
    std::function<void(Level, const std::string&)> sink;
};

std::mutex g_output_mutex;
std::shared_ptr<const Output> g_output;

std::shared_ptr<const Output> current_output() {
    const std::lock_guard lock{g_output_mutex};
    return g_output;
}

void publish(std::shared_ptr<const Output> output) {
    const std::lock_guard lock{g_output_mutex};
    detail::most_verbose = output->filter.most_verbose();
    g_output = std::move(output);
}

std::string_view level_name(Level level) {
    static constexpr std::array<std::string_view, 6> kNames{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
    return kNames.at(static_cast<std::size_t>(level));
}

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

/// Control characters would let a hostile value forge lines or drive a terminal.
void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 8> code{};
            std::snprintf(code.data(), code.size(), "\\u%04x", byte);
            out += code.data();
        } else {
            out.push_back(c);
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    append_escaped(out, text);
    out.push_back('"');
}

bool needs_quotes(std::string_view text) {
    return text.empty() || text.find_first_of(" \"=\\") != std::string_view::npos ||
           text.find_first_of(std::string_view{"\n\r\t\x1b\x7f", 5}) != std::string_view::npos;
}

}  // namespace

std::string format_human(Level level, std::string_view target, std::string_view message,
                         const std::vector<TextField>& fields) {
    std::string line;
    const auto name = level_name(level);
    line.append(5 - name.size(), ' ').append(name).append(" ").append(target).append(": ");
    append_escaped(line, message);
    for (const auto& field : fields) {
        line.append(" ").append(field.key).append("=");
        if (needs_quotes(field.value)) {
            append_quoted(line, field.value);
        } else {
            append_escaped(line, field.value);
        }
    }
    return line;
}

std::string format_json(Level level, std::string_view target, std::string_view message,
                        const std::vector<TextField>& fields, std::string_view time) {
    std::string line = "{";
    if (!time.empty()) {
        line.append("\"time\":\"").append(time).append("\",");
    }
    line.append("\"severity\":\"").append(level_name(level)).append("\",\"message\":");
    append_quoted(line, message);
    line.append(",\"target\":");
    append_quoted(line, target);
    for (const auto& field : fields) {
        line.push_back(',');
        append_quoted(line, field.key);
        line.push_back(':');
        if (field.is_number) {
            line.append(field.value);
        } else {
            append_quoted(line, field.value);
        }
    }
    line.push_back('}');
    return line;
}

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
    publish(std::make_shared<const Output>(Output{options.filter, options.format, std::move(logger), {}}));
}

void set_filter(Filter filter) {
    const auto output = current_output();
    if (output) {
        publish(
            std::make_shared<const Output>(Output{std::move(filter), output->format, output->logger, output->sink}));
    }
}

void set_sink(Filter filter, std::function<void(Level, const std::string&)> sink) {
    publish(std::make_shared<const Output>(Output{std::move(filter), Format::kHuman, nullptr, std::move(sink)}));
}

namespace detail {

bool is_enabled(Level level, std::string_view target) {
    const auto output = current_output();
    return output && level >= output->filter.level_for(target);
}

void write(Level level, std::string_view target, std::string_view message, const std::vector<TextField>& fields) {
    const auto output = current_output();
    if (!output) {
        return;
    }
    if (output->sink) {
        output->sink(level, format_human(level, target, message, fields));
        return;
    }
    // The level was decided by our filter; spdlog only carries the text.
    output->logger->log(spdlog::level::info, "{}",
                        output->format == Format::kJson
                            ? format_json(level, target, message, fields, now_text())
                            : now_text() + " " + format_human(level, target, message, fields));
}

}  // namespace detail
}  // namespace culvert::log
