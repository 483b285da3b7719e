#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "culvert/io/file_descriptor.h"

namespace culvert::io {

/// A bounded queue from many threads to one, with a descriptor that becomes readable when there is something to take.
/// For control messages: it takes a lock, so no packet ever goes through it.
template <typename T>
class Mailbox {
public:
    explicit Mailbox(std::size_t capacity) : capacity_{capacity}, event_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {}

    /// False if the mailbox is full; the message is then dropped and the caller must say so.
    [[nodiscard]] bool post(T message) {
        const std::lock_guard lock{mutex_};
        if (messages_.size() >= capacity_) {
            return false;
        }
        append(std::move(message));
        return true;
    }

    /// The same for what must not get lost, like the news that a thread has ended: room is made if there is none.
    void post_always(T message) {
        const std::lock_guard lock{mutex_};
        append(std::move(message));
    }

    /// Everything posted so far, in order. Takes neither the lock nor a system call if there is nothing.
    [[nodiscard]] std::vector<T> take() {
        std::vector<T> taken;
        if (!has_messages_.load(std::memory_order_acquire)) {
            return taken;
        }
        const std::lock_guard lock{mutex_};
        std::uint64_t count = 0;
        [[maybe_unused]] const auto read = ::read(event_.get(), &count, sizeof count);
        taken.swap(messages_);
        has_messages_.store(false, std::memory_order_relaxed);
        return taken;
    }

    /// Whether post() would take another message. True for as long as nobody else posts.
    [[nodiscard]] bool has_room() const {
        const std::lock_guard lock{mutex_};
        return messages_.size() < capacity_;
    }

    /// Makes the descriptor readable until the next take(), which may find nothing.
    void wake() {
        const std::lock_guard lock{mutex_};
        signal();
    }

    /// Readable while messages wait; for poll().
    [[nodiscard]] int fd() const { return event_.get(); }

private:
    void append(T message) {
        messages_.push_back(std::move(message));
        signal();
    }

    void signal() {
        has_messages_.store(true, std::memory_order_release);
        const std::uint64_t one = 1;
        // Cannot fail: the counter would have to overflow.
        [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    }

    std::size_t capacity_;
    FileDescriptor event_;
    mutable std::mutex mutex_;
    std::vector<T> messages_;
    std::atomic<bool> has_messages_{false};
};

}  // namespace culvert::io
