#include "culvert/log_output/line_writer.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/log_output/log_setup.h"
#include "culvert/observability/log.h"

namespace culvert::log {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

std::string describe_loss(std::uint64_t count) {
    return "lost " + std::to_string(count);
}

/// `number` and then dots.
std::string numbered_line(std::uint64_t number, std::size_t length) {
    std::string line = std::to_string(number) + ' ';
    line.resize(length, '.');
    return line;
}

/// Two ends of a pipe, of which the small buffer is soon full.
class Pipe {
public:
    Pipe() {
        EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
        EXPECT_GE(::fcntl(ends_[1], F_SETPIPE_SZ, 4096), 0);
    }
    ~Pipe() {
        close_reader();
        ::close(ends_[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[nodiscard]] int writer() const { return ends_[1]; }

    /// What comes until a line contains `last`.
    std::vector<std::string> read_until(const std::string& last) {
        std::vector<std::string> lines;
        std::string text;
        std::array<char, 4096> buffer;
        while (lines.empty() || lines.back().find(last) == std::string::npos) {
            const auto count = ::read(ends_[0], buffer.data(), buffer.size());
            if (count <= 0) {
                break;
            }
            text.append(buffer.data(), static_cast<std::size_t>(count));
            for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
                lines.push_back(text.substr(0, end));
                text.erase(0, end + 1);
            }
        }
        return lines;
    }
    void close_reader() {
        if (ends_[0] >= 0) {
            ::close(std::exchange(ends_[0], -1));
        }
    }

private:
    std::array<int, 2> ends_{-1, -1};
};

TEST(LineWriter, WritesAtOnceUntilItIsStarted) {
    Pipe pipe;
    LineWriter writer{make_descriptor_output(pipe.writer()), describe_loss};
    writer.write("one");
    EXPECT_THAT(pipe.read_until("one"), ElementsAre("one"));
}

TEST(LineWriter, KeepsTheOrder) {
    Pipe pipe;
    LineWriter writer{make_descriptor_output(pipe.writer()), describe_loss};
    writer.start();
    std::vector<std::string> expected;
    std::jthread producer{[&] {
        for (int i = 0; i < 20'000; ++i) {
            writer.write("line " + std::to_string(i));
        }
        writer.write("end");
    }};
    const auto lines = pipe.read_until("end");
    ASSERT_EQ(lines.size(), 20'001U);
    for (std::size_t i = 0; i < 20'000; ++i) {
        ASSERT_EQ(lines[i], "line " + std::to_string(i));
    }
}

TEST(LineWriter, NobodyWaitsForAReaderThatDoesNotRead) {
    Pipe pipe;
    LineWriter writer{make_descriptor_output(pipe.writer()), describe_loss, 10'000};
    writer.start();
    constexpr std::uint64_t kLines = 1000;
    for (std::uint64_t i = 0; i < kLines; ++i) {
        // Would wait here for ever. Not all of one length: what is short must not slip in behind a gap.
        writer.write(numbered_line(i, i % 7 == 0 ? 20 : 99));
    }
    EXPECT_FALSE(writer.flush(1ms));

    // Once somebody reads, what was kept comes out, and how much was not stands where the gap is.
    std::jthread later{[&] {
        EXPECT_TRUE(writer.flush(10s));
        writer.write("end");
    }};
    auto lines = pipe.read_until("end");
    ASSERT_FALSE(lines.empty());
    ASSERT_EQ(lines.back(), "end");
    lines.pop_back();
    std::uint64_t next = 0;
    std::uint64_t lost = 0;
    for (const auto& read : lines) {
        if (read.starts_with("lost ")) {
            const auto count = std::stoull(read.substr(5));
            lost += count;
            next += count;
        } else {
            ASSERT_EQ(std::stoull(read), next) << "the notice is not where the gap is";
            ++next;
        }
    }
    EXPECT_EQ(next, kLines);
    // Less than 25,000 bytes may wait: here, with the thread that took them, and in the pipe.
    EXPECT_GT(lost, kLines / 2);
}

/// An output that hangs until it is let go.
class Gate final : public LineOutput {
public:
    struct Shared {
        std::mutex mutex;
        std::condition_variable changed;
        bool is_open = false;
        bool is_gone = false;
    };
    explicit Gate(std::shared_ptr<Shared> shared) : shared_{std::move(shared)} {}
    ~Gate() override {
        const std::lock_guard lock{shared_->mutex};
        shared_->is_gone = true;
        shared_->changed.notify_all();
    }
    void write(std::string_view) override {
        std::unique_lock lock{shared_->mutex};
        shared_->changed.wait(lock, [&] { return shared_->is_open; });
    }

private:
    std::shared_ptr<Shared> shared_;
};

TEST(LineWriter, EndsAlthoughTheOutputHangs) {
    const auto gate = std::make_shared<Gate::Shared>();
    {
        LineWriter writer{std::make_unique<Gate>(gate), describe_loss};
        writer.start();
        writer.write("into the void");
        EXPECT_FALSE(writer.flush(1ms));
    }
    std::unique_lock lock{gate->mutex};
    gate->is_open = true;
    gate->changed.notify_all();
    EXPECT_TRUE(gate->changed.wait_for(lock, 10s, [&] { return gate->is_gone; })) << "its thread is still there";
}

TEST(LineWriter, FlushesWhenItEnds) {
    Pipe pipe;
    {
        LineWriter writer{make_descriptor_output(pipe.writer()), describe_loss};
        writer.start();
        writer.write("last words");
    }
    EXPECT_THAT(pipe.read_until("last words"), ElementsAre("last words"));
}

TEST(LineWriter, AReaderThatWentAwayEndsNothing) {
    Pipe pipe;
    LineWriter writer{make_descriptor_output(pipe.writer()), describe_loss};
    writer.start();
    pipe.close_reader();  // SIGPIPE would end the process, but not from that thread
    writer.write("into the void");
    EXPECT_TRUE(writer.flush(10s));
}

/// A process of its own has none of the threads of the tests before, and what those held on their stacks would look
/// like leaks.
bool g_looks_for_leaks = true;

/// Runs `body` in a process of its own, with stderr into a pipe, and yields what it wrote.
template <typename Body>
std::string output_of(const Body& body, int& status) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    const auto child = ::fork();
    if (child == 0) {
        g_looks_for_leaks = false;
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        body();
        std::exit(0);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 4096> buffer;
    for (;;) {
        const auto count = ::read(ends[0], buffer.data(), buffer.size());
        if (count <= 0) {
            break;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    ::waitpid(child, &status, 0);
    return text;
}

constexpr Logger kLog{"test"};

TEST(LogOutput, WhatWasLoggedBeforeTheEndIsWritten) {
    int status = 0;
    const auto text = output_of(
        [] {
            init({.filter = LevelFilter{Level::kInfo}, .directory = {}});
            write_in_background();
            for (int i = 0; i < 50; ++i) {
                kLog.info("line", field("i", i));
            }
        },
        status);
    EXPECT_EQ(status, 0);
    EXPECT_NE(text.find("line i=0\n"), std::string::npos);
    EXPECT_NE(text.find("line i=49\n"), std::string::npos);
}

TEST(LogOutput, WhatWasLoggedBeforeACrashIsWritten) {
    int status = 0;
    const auto text = output_of(
        [] {
            init({.filter = LevelFilter{Level::kInfo}, .directory = {}});
            write_in_background();
            kLog.info("last words");
            ::raise(SIGSEGV);
        },
        status);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0) << "the crash must stay a crash";
    EXPECT_NE(text.find("last words\n"), std::string::npos);
}

TEST(LogOutput, ARepeatedWarningIsCountedNotWritten) {
    int status = 0;
    const auto text = output_of(
        [] {
            init({.filter = LevelFilter{Level::kInfo}, .directory = {}});
            write_in_background();
            for (int i = 0; i < 1000; ++i) {
                kLog.warn("again", field("i", i));
            }
            kLog.warn("another");
        },
        status);
    EXPECT_NE(text.find("again i=9\n"), std::string::npos);
    EXPECT_EQ(text.find("again i=10\n"), std::string::npos);
    EXPECT_NE(text.find("again repeated=990\n"), std::string::npos) << text;
    EXPECT_NE(text.find("another\n"), std::string::npos);
}

}  // namespace
}  // namespace culvert::log

/// Asked by the leak sanitizer, where there is one, when the process ends.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() {
    return culvert::log::g_looks_for_leaks ? 0 : 1;
}
