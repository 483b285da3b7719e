#include "culvert/log_output/line_writer.h"
#include "culvert/log_output/constants.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

namespace culvert::log {
namespace {

class DescriptorOutput final : public LineOutput {
public:
    explicit DescriptorOutput(int fd) : fd_{fd} {}

    void write(std::string_view lines) override {
        while (!lines.empty()) {
            const auto count = ::write(fd_, lines.data(), lines.size());
            if (count > 0) {
                lines.remove_prefix(static_cast<std::size_t>(count));
            } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                pollfd wait{.fd = fd_, .events = POLLOUT, .revents = 0};
                static_cast<void>(::poll(&wait, 1, -1));
            } else if (count == 0 || errno != EINTR) {
                return;  // nobody is there to hear about it
            }
        }
    }

private:
    int fd_;
};

/// No signal is handled by the threads that write: whoever waits for one keeps getting it.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

std::unique_ptr<LineOutput> make_descriptor_output(int fd) {
    return std::make_unique<DescriptorOutput>(fd);
}

struct LineWriter::State {
    std::unique_ptr<LineOutput> output;
    std::function<std::string(std::uint64_t)> describe_loss;
    std::size_t max_waiting;

    std::mutex mutex;
    std::condition_variable has_work;
    bool is_started = false;  // guarded by mutex, like what follows
    bool is_ending = false;
    std::string waiting;
    std::uint64_t lost = 0;

    // Lines that were accepted, and those of them that are out: flush() may look at these without the mutex.
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> written{0};
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
};

LineWriter::LineWriter(std::unique_ptr<LineOutput> output, std::function<std::string(std::uint64_t)> describe_loss,
                       std::size_t max_waiting)
    : state_{std::make_shared<State>()} {
    state_->output = std::move(output);
    state_->describe_loss = std::move(describe_loss);
    state_->max_waiting = max_waiting;
}

LineWriter::~LineWriter() {
    {
        const std::lock_guard lock{state_->mutex};
        state_->is_ending = true;
    }
    state_->has_work.notify_one();
    flush(kFlushTime);
}

void LineWriter::start() {
    {
        const std::lock_guard lock{state_->mutex};
        if (std::exchange(state_->is_started, true)) {
            return;
        }
        // Never grows, so that logging does not wait for memory either.
        state_->waiting.reserve(state_->max_waiting);
    }
    const AllSignalsBlocked blocked;
    // Not joined: it may hang in a write for ever, and the program must end nevertheless.
    std::thread{[state = state_] { run(*state); }}.detach();
}

void LineWriter::write(std::string_view line) {
    std::unique_lock lock{state_->mutex};
    if (!state_->is_started) {
        state_->output->write(std::string{line} + '\n');
        return;
    }
    // After a gap nothing is kept until the gap was told, so that the notice stands exactly where it is.
    const bool is_behind_a_gap = state_->lost != 0 && !state_->waiting.empty();
    if (is_behind_a_gap || state_->waiting.size() + line.size() + 1 > state_->max_waiting) {
        ++state_->lost;
        return;
    }
    const bool was_empty = state_->waiting.empty();
    state_->waiting.append(line).push_back('\n');
    state_->accepted.fetch_add(1, std::memory_order_release);
    lock.unlock();
    if (was_empty) {
        state_->has_work.notify_one();
    }
}

void LineWriter::run(State& state) {
    std::string lines;
    lines.reserve(state.max_waiting);
    for (;;) {
        lines.clear();
        std::uint64_t lost = 0;
        std::uint64_t accepted = 0;
        {
            std::unique_lock lock{state.mutex};
            state.has_work.wait(lock, [&] { return !state.waiting.empty() || state.is_ending; });
            if (state.waiting.empty()) {
                return;
            }
            // What is lost by now came after all of these, and before all others.
            std::swap(lines, state.waiting);
            lost = std::exchange(state.lost, 0);
            accepted = state.accepted.load(std::memory_order_relaxed);
        }
        state.output->write(lines);
        if (lost != 0) {
            state.output->write(state.describe_loss(lost) + '\n');
        }
        state.written.store(accepted, std::memory_order_release);
    }
}

bool LineWriter::flush(std::chrono::milliseconds patience) const {
    // Polls, since that is all a signal handler may do. Other threads go on while one handles a signal.
    constexpr timespec kStep{.tv_sec = 0, .tv_nsec = 1'000'000};
    const auto wanted = state_->accepted.load(std::memory_order_acquire);
    for (auto left = patience.count(); state_->written.load(std::memory_order_acquire) < wanted; --left) {
        if (left <= 0) {
            return false;
        }
        ::nanosleep(&kStep, nullptr);
    }
    return true;
}

}  // namespace culvert::log
