#include "culvert/log_output/log_setup.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include "culvert/log_output/constants.h"
#include "culvert/log_output/line_writer.h"
#include "culvert/observability/log_format.h"
#include "culvert/observability/log_sink.h"
#include "culvert/observability/repeat_limiter.h"

namespace culvert::log {
namespace {

constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxFiles = 8;

constexpr auto kCrashes = std::to_array({SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT});

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

std::string format_line(Format format, Level level, std::string_view target, std::string_view message,
                        const std::vector<TextField>& fields) {
    return format == Format::kJson ? format_json(level, target, message, fields, now_text())
                                   : now_text() + " " + format_human(level, target, message, fields);
}

/// Files that replace one another.
class FileOutput final : public LineOutput {
public:
    explicit FileOutput(const std::string& path) : sink_{path, kMaxFileBytes, kMaxFiles} {
        sink_.set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
    }

    void write(std::string_view lines) override {
        try {
            while (!lines.empty()) {
                const auto line = lines.substr(0, lines.find('\n'));
                sink_.log({"", spdlog::level::info, {line.data(), line.size()}});
                lines.remove_prefix(std::min(line.size() + 1, lines.size()));
            }
            sink_.flush();
        } catch (const spdlog::spdlog_ex&) {
            // A full disk must not end the program, and there is no log to say so in.
        }
    }

private:
    spdlog::sinks::rotating_file_sink_st sink_;
};

/// What all filters of a process have in common: where lines go, and what repeats.
class Output {
public:
    Output(Format format, std::vector<std::unique_ptr<LineOutput>> outputs) : format_{format} {
        for (auto& output : outputs) {
            writers_.push_back(std::make_unique<LineWriter>(std::move(output), [format](std::uint64_t count) {
                return format_line(format, Level::kWarn, "log", "Lines were lost because nobody took them",
                                   {{"count", std::to_string(count), true}});
            }));
        }
    }
    ~Output() {
        const std::lock_guard lock{mutex_};
        report(repeats_.take_all(RepeatLimiter::Clock::now()));
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    void start() {
        for (auto& writer : writers_) {
            writer->start();
        }
    }

    void write(Level level, std::string_view target, std::string_view message, const std::vector<TextField>& fields) {
        // Held while lines are handed over, so that all outputs have them in the same order.
        const std::lock_guard lock{mutex_};
        const auto now = RepeatLimiter::Clock::now();
        report(repeats_.take_finished(now));
        if (repeats_.admit(level, target, message, now)) {
            hand_over(format_line(format_, level, target, message, fields));
        }
    }

    /// Allowed in a signal handler.
    void flush(std::chrono::milliseconds patience) const {
        for (const auto& writer : writers_) {
            static_cast<void>(writer->flush(patience));
        }
    }

private:
    void report(const std::vector<RepeatLimiter::Repeated>& repeated) {
        for (const auto& kind : repeated) {
            hand_over(format_line(format_, kind.level, kind.target, kind.message,
                                  {{"repeated", std::to_string(kind.count), true}}));
        }
    }
    void hand_over(const std::string& line) {
        for (auto& writer : writers_) {
            writer->write(line);
        }
    }

    Format format_;
    std::mutex mutex_;
    RepeatLimiter repeats_;                             // guarded by mutex_
    std::vector<std::unique_ptr<LineWriter>> writers_;  // each ends by itself, with a flush
};

class TextSink final : public Sink {
public:
    TextSink(LevelFilter filter, std::shared_ptr<Output> output)
        : filter_{std::move(filter)}, output_{std::move(output)} {}

    [[nodiscard]] std::shared_ptr<const TextSink> with_filter(LevelFilter filter) const {
        return std::make_shared<const TextSink>(std::move(filter), output_);
    }

    [[nodiscard]] Level most_verbose() const override { return filter_.most_verbose(); }
    [[nodiscard]] Level level_for(std::string_view target) const override { return filter_.level_for(target); }
    void write(Level level, std::string_view target, std::string_view message,
               const std::vector<TextField>& fields) const override {
        output_->write(level, target, message, fields);
    }
    [[nodiscard]] Output& output() const { return *output_; }

private:
    LevelFilter filter_;
    std::shared_ptr<Output> output_;
};

// For the handler of crashes. Never freed: a program crashes at any time.
Output* g_crash_output = nullptr;
std::array<struct sigaction, kCrashes.size()> g_handlers_before;

/// Gives the thread that writes a moment, then leaves the rest to whoever handled crashes before.
void handle_crash(int signal) {
    for (std::size_t i = 0; i < kCrashes.size(); ++i) {
        if (kCrashes[i] == signal) {
            ::sigaction(signal, &g_handlers_before[i], nullptr);
        }
    }
    g_crash_output->flush(kCrashFlushTime);
    ::raise(signal);
}

void flush_on_crash(Output& output) {
    g_crash_output = &output;
    struct sigaction action{};
    action.sa_handler = &handle_crash;
    for (std::size_t i = 0; i < kCrashes.size(); ++i) {
        ::sigaction(kCrashes[i], &action, &g_handlers_before[i]);
    }
}

}  // namespace

void init(const LogOptions& options) {
    std::vector<std::unique_ptr<LineOutput>> outputs;
    outputs.push_back(make_descriptor_output(STDERR_FILENO));
    if (!options.directory.empty()) {
        try {
            outputs.push_back(std::make_unique<FileOutput>(options.directory + "/" + options.file_name + ".log"));
        } catch (const spdlog::spdlog_ex& error) {
            throw std::runtime_error{"cannot write logs to \"" + options.directory + "\": " + error.what()};
        }
    }
    install_sink(
        std::make_shared<const TextSink>(options.filter, std::make_shared<Output>(options.format, std::move(outputs))));
}

void write_in_background() {
    if (const auto sink = std::dynamic_pointer_cast<const TextSink>(installed_sink());
        sink && g_crash_output == nullptr) {
        sink->output().start();
        flush_on_crash(sink->output());
        // Ends the output, and so flushes it, while everything that it uses is still there.
        std::atexit([] {
            for (const auto signal : kCrashes) {
                std::signal(signal, SIG_DFL);
            }
            install_sink(nullptr);
        });
    }
}

void set_filter(LevelFilter filter) {
    if (const auto sink = std::dynamic_pointer_cast<const TextSink>(installed_sink())) {
        install_sink(sink->with_filter(std::move(filter)));
    }
}

}  // namespace culvert::log
