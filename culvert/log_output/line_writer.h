#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace culvert::log {

/// Where finished lines end up. Called by one thread at a time.
class LineOutput {
public:
    virtual ~LineOutput() = default;
    /// `lines`: one or more, each with its line feed. May take as long as it likes; must not throw.
    virtual void write(std::string_view lines) = 0;
};

/// Writes to a file descriptor that it does not own, whoever reads at the other end.
[[nodiscard]] std::unique_ptr<LineOutput> make_descriptor_output(int fd);

/// Carries lines to one output, so that those who log never wait for it: a pipe that nobody reads, or a disk that is
/// slow, must not stop a program's loop.
///
/// Writes at once until start() is called, and then from a thread of its own. What waits for that thread is bounded;
/// when it is full, further lines are dropped, and how many is written where they would have been. Lines stay in order.
/// For all threads.
class LineWriter {
public:
    /// What may wait in memory; as much again may be on its way.
    static constexpr std::size_t kMaxWaiting = std::size_t{1} << 20;

    /// `describe_loss` makes a line about so many lost ones.
    LineWriter(std::unique_ptr<LineOutput> output, std::function<std::string(std::uint64_t)> describe_loss,
               std::size_t max_waiting = kMaxWaiting);
    /// Flushes for kFlushTime at the most; leaves the thread alone if it hangs.
    ~LineWriter();
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    /// From now on write() does not wait. Call once, when the program has taken off its privileges, since a thread
    /// keeps those that it was born with. Throws std::system_error if there can be no thread.
    void start();

    /// `line` has no line feed.
    void write(std::string_view line);

    /// Waits until everything written so far is out; whether that was so in time. May be called in a signal handler.
    bool flush(std::chrono::milliseconds patience) const;

private:
    struct State;

    static void run(State& state);

    std::shared_ptr<State> state_;
};

}  // namespace culvert::log
